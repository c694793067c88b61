//! CSV output: tables separated by blank lines, each with its own header, and any text around them.

use crate::witness::amd_smi::ToolError;

use super::failure;
use super::leaf::Leaf;
use super::output::{Cell, Group, Output, Record};

/// First columns of the headers that are known.
const FIRST_COLUMNS: [&str; 4] = ["gpu", "gpu_id", "tool", "resource_index"];

/// Takes the output apart.
pub(super) fn read(text: &str) -> Output {
    let mut output = Output::default();
    let mut table: Option<Vec<String>> = None;
    let mut in_errors = false;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let whole = line.ends_with('\n');
        let line = line.trim_end_matches(['\n', '\r']);
        let fields = split(line);
        if line.trim().is_empty() {
            (table, in_errors) = (None, false);
        } else if line.trim() == "error,code" {
            (table, in_errors) = (None, true);
        } else if in_errors {
            output.errors.push(error(line));
        } else if FIRST_COLUMNS.contains(&fields[0].as_str()) && fields.len() > 1 {
            output.groups.push(Group { title: None, keys: fields.clone(), records: Vec::new() });
            table = Some(fields);
        } else if let Some(columns) = &table {
            if !whole {
                output.broken = Some(format!("line {}: the output ends in the middle of a line", number + 1));
            } else if fields.len() == columns.len() {
                output.push(record(columns, &fields));
            } else {
                let problem = format!("line {}: {} fields, the header has {}", number + 1, fields.len(), columns.len());
                output.broken.get_or_insert(problem);
            }
        } else {
            output.stray(line);
        }
    }
    output
}

fn record(columns: &[String], fields: &[String]) -> Record {
    let mut record = Record { gpu: Leaf::Nothing, cells: Vec::with_capacity(fields.len()) };
    for (column, field) in columns.iter().zip(fields) {
        if column == "gpu" || column == "gpu_id" {
            record.gpu = Leaf::text(field);
        } else {
            record.cells.push(Cell { section: None, key: column.clone(), leaf: Leaf::text(field) });
        }
    }
    record
}

/// `Command 'x' is invalid., -1`: the sentence is not quoted and may hold commas; the code is after the last one.
fn error(line: &str) -> ToolError {
    match line.rsplit_once(',') {
        Some((text, code)) => ToolError { code: code.trim().parse().ok(), ..failure::sentence(text) },
        None => failure::sentence(line),
    }
}

/// Fields of one line, at least one; a doubled quote inside quotes is a quote.
fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        let field = match fields.last_mut() {
            Some(field) => field,
            None => return fields,
        };
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_at_commas_outside_quotes() {
        assert_eq!(split("0,\"NPS1,NPS4\",NPS4"), ["0", "NPS1,NPS4", "NPS4"]);
        assert_eq!(split(",,\"a\"\"b\""), ["", "", "a\"b"]);
        assert_eq!(split(""), [""]);
    }
}
