//! Tables with a header: cells are found by the columns of the header, because a cell may be empty.

use super::leaf::Leaf;
use super::output::{Cell, Record};

/// The header of one table.
#[derive(Debug)]
pub(super) struct Header {
    /// Name in lower case, and the character that it starts at.
    columns: Vec<(String, usize)>,
}

impl Header {
    /// Reads a header line.
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut columns: Vec<(String, usize)> = Vec::new();
        let mut gap = true;
        for (at, char) in line.chars().enumerate() {
            if char.is_whitespace() {
                gap = true;
            } else {
                if gap {
                    columns.push((String::new(), at));
                }
                gap = false;
                columns.last_mut()?.0.push(char.to_ascii_lowercase());
            }
        }
        let first = columns.first()?;
        let known = ["gpu_id", "resource_index"].contains(&first.0.as_str()) && columns.len() > 1;
        known.then_some(Self { columns })
    }

    /// Names of the columns.
    pub(super) fn keys(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Reads a row; `None` when the line is none.
    pub(super) fn row(&self, line: &str) -> Option<Record> {
        if line.trim().is_empty() {
            return None;
        }
        let cells = self.by_columns(line).or_else(|| self.by_gaps(line));
        let (first, width) = (self.columns.first()?, self.columns.len());
        let leading =
            cells.as_ref().map_or_else(|| line.split_whitespace().next().unwrap_or_default(), |cells| cells[0].trim());
        let is_index = !leading.is_empty() && leading.bytes().all(|byte| byte.is_ascii_digit());
        let goes_on = leading.is_empty() && width > 5;
        let no_device = first.0 == "resource_index" && leading == "N/A";
        if !(is_index || goes_on || no_device) {
            return None;
        }
        let leaf = |at: usize| match &cells {
            Some(cells) => Leaf::text(&cells[at]),
            None => Leaf::Odd { raw: line.trim().to_owned(), problem: "a row that does not fit its header" },
        };
        let rest = (1..width).map(|at| Cell { section: None, key: self.columns[at].0.clone(), leaf: leaf(at) });
        Some(Record { gpu: Leaf::text(leading), cells: rest.collect() })
    }

    /// Cells by the columns of the header; `None` when a cell reaches into the next column.
    fn by_columns(&self, line: &str) -> Option<Vec<String>> {
        let chars: Vec<char> = line.trim_end().chars().collect();
        let mut cells = Vec::with_capacity(self.columns.len());
        for (at, &(_, start)) in self.columns.iter().enumerate() {
            let end = self.columns.get(at + 1).map_or(chars.len(), |&(_, next)| next.min(chars.len()));
            let runs_over = end < chars.len() && end > 0 && !chars[end - 1].is_whitespace();
            if runs_over {
                return None;
            }
            cells.push(chars.get(start.min(end)..end)?.iter().collect());
        }
        Some(cells)
    }

    /// Cells by gaps of two blanks or more: right when none is empty, so only when there are as many as columns.
    fn by_gaps(&self, line: &str) -> Option<Vec<String>> {
        let cells: Vec<String> =
            line.trim().split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
        (cells.len() == self.columns.len()).then_some(cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "GPU_ID  MEMORY_PARTITION_CAPS  CURRENT_MEMORY_PARTITION  ";

    fn cells(line: &str) -> Option<Vec<Leaf>> {
        let row = Header::read(HEADER).unwrap().row(line)?;
        Some(std::iter::once(row.gpu).chain(row.cells.into_iter().map(|cell| cell.leaf)).collect())
    }

    #[test]
    fn an_empty_cell_does_not_shift_the_others() {
        let nps1 = Leaf::Text("NPS1".to_owned());
        assert_eq!(
            cells("0                              NPS1"),
            Some(vec![Leaf::text("0"), Leaf::Nothing, nps1.clone()])
        );
        assert_eq!(
            cells("10      N/A                    NPS1"),
            Some(vec![Leaf::text("10"), Leaf::NotApplicable, nps1])
        );
    }

    #[test]
    fn a_cell_that_runs_over_its_column_is_found_by_its_gaps_or_not_at_all() {
        let long = "NPS1,NPS2,NPS3,NPS4,NPS6,NPS8";
        let found = cells(&format!("0       {long}  NPS1")).unwrap();
        assert_eq!(found[1..], [Leaf::text(long), Leaf::text("NPS1")]);
        assert!(matches!(cells(&format!("0       {long} NPS1")).unwrap()[1], Leaf::Odd { .. }));
    }

    #[test]
    fn other_lines_are_no_rows() {
        for line in ["", "GPU: 0", "Legend:", "...", "CURRENT_PARTITION:", "        NPS1"] {
            assert_eq!(cells(line), None, "{line}");
        }
        assert!(Header::read("GPU: 0").is_none() && Header::read("").is_none());
    }
}
