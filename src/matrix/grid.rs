//! The grid: probes down, settings and workers across. Cells that play reports have the report in their row: each is of
//! another machine.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::Status;

use super::record::{CellRecord, MatrixRecord};

/// Where a cell stands in the grid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// Name of the setting.
    pub setting: String,
    /// Label of the worker.
    pub worker: String,
    /// Which run, where several are shown.
    pub run: usize,
}

/// What a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row<'a> {
    /// The report that is played.
    pub reported: Option<&'a str>,
    /// The computation.
    pub probe: &'a str,
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reported {
            Some(report) => write!(f, "{report} {}", self.probe),
            None => f.write_str(self.probe),
        }
    }
}

/// A grid of the cells of some runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid<'a> {
    /// Probes, in the order in which they come first.
    pub rows: Vec<Row<'a>>,
    /// Settings and workers, likewise.
    pub columns: Vec<Column>,
    cells: BTreeMap<(Row<'a>, Column), &'a CellRecord>,
}

impl<'a> Grid<'a> {
    /// Of these runs.
    pub fn of(runs: &'a [MatrixRecord]) -> Self {
        let mut grid = Self { rows: Vec::new(), columns: Vec::new(), cells: BTreeMap::new() };
        for (run, record) in runs.iter().enumerate() {
            for cell in &record.cells {
                let column = Column { setting: cell.setting.clone(), worker: cell.worker.clone(), run };
                let row = Row { reported: cell.reported.as_deref(), probe: &cell.probe };
                if !grid.rows.contains(&row) {
                    grid.rows.push(row);
                }
                if !grid.columns.contains(&column) {
                    grid.columns.push(column.clone());
                }
                grid.cells.insert((row, column), cell);
            }
        }
        grid
    }

    /// The cell there.
    pub fn at(&self, row: Row<'a>, column: &Column) -> Option<&'a CellRecord> {
        self.cells.get(&(row, column.clone())).copied()
    }
}

/// A mark that tells without colour how a cell came out.
pub fn mark(status: &Status) -> &'static str {
    match status {
        Status::Pass => "+",
        Status::Flaky => "~",
        Status::NumericError => "≠",
        Status::CpuFallback => "C",
        Status::Hang | Status::MachineHang => "H",
        Status::Crash { .. } => "X",
        Status::KernelFault | Status::Collateral => "K",
        Status::Fail => "E",
        Status::ExpectedFailure
        | Status::ExpectedNotEvaluated
        | Status::UnexpectedPass
        | Status::Skip { .. }
        | Status::NotEvaluated { .. }
        | Status::Missing
        | Status::Aborted
        | Status::Error { .. } => "?",
    }
}

/// What stands in a cell: `+ 5/5`, `X 0/5 aperture-violation`.
pub fn text(cell: &CellRecord) -> String {
    let Some(status) = cell.status() else { return "not run".to_owned() };
    let passed = format!("{} {}/{}", mark(&status), cell.passed(), cell.runs.len());
    let class = cell.runs.iter().find_map(|run| run.class.map(|class| class.to_string()));
    let died = matches!(mark(&status), "X" | "E" | "~" | "K");
    let word = match class {
        _ if status == Status::Pass => None,
        Some(class) if died => Some(class),
        Some(_) | None => Some(status.word().to_string()),
    };
    word.map_or(passed.clone(), |word| format!("{passed} {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Signal;
    use crate::facts::Class;
    use crate::matrix::record::tests::cell;

    #[test]
    fn a_cell_says_how_it_came_out_without_colour() {
        let crash = Status::Crash { signal: Signal(6) };
        let mut aperture = cell(&[Status::Pass, crash.clone()]);
        aperture.runs[1].class = Some(Class::ApertureViolation);
        for (cell, expected) in [
            (cell(&[Status::Pass, Status::Pass]), "+ 2/2"),
            (aperture, "~ 1/2 aperture-violation"),
            (cell(&[crash]), "X 0/1 crash"),
            (cell(&[Status::NumericError]), "≠ 0/1 numeric-error"),
            (cell(&[Status::Hang]), "H 0/1 hang"),
            (cell(&[]), "not run"),
        ] {
            assert_eq!(text(&cell), expected);
        }
    }

    #[test]
    fn probes_go_down_and_settings_across() {
        let at = |probe: &str, setting: &str| CellRecord {
            probe: probe.into(),
            setting: setting.into(),
            ..cell(&[Status::Pass])
        };
        let record =
            crate::matrix::record::tests::record_of(vec![at("b", "none"), at("a", "none"), at("b", "find=FAST")]);
        let runs = [record];
        let grid = Grid::of(&runs);
        let rows: Vec<String> = grid.rows.iter().map(ToString::to_string).collect();
        assert_eq!(rows, ["b", "a"]);
        let settings: Vec<&str> = grid.columns.iter().map(|column| column.setting.as_str()).collect();
        assert_eq!(settings, ["none", "find=FAST"]);
        assert!(grid.at(grid.rows[0], &grid.columns[1]).is_some());
        assert!(grid.at(grid.rows[1], &grid.columns[1]).is_none());
    }

    #[test]
    fn two_reports_of_one_probe_have_a_row_each() {
        let of = |id: &str, status: Status| CellRecord { reported: Some(id.into()), ..cell(&[status]) };
        let cells = vec![of("r1-01", Status::Pass), of("r1-02", Status::Hang)];
        let runs = [crate::matrix::record::tests::record_of(cells)];
        let grid = Grid::of(&runs);
        assert_eq!((grid.rows.len(), grid.columns.len()), (2, 1));
        assert_eq!(grid.at(grid.rows[0], &grid.columns[0]).map(text).as_deref(), Some("+ 1/1"));
    }
}
