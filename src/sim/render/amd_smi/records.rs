//! What `set` and `reset` print: one sentence for each key of each device, in three formats.

use super::Format;

/// The answers of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its index in the tool's list.
    pub gpu: usize,
    /// Keys, lower case, and the sentence for each.
    pub fields: Vec<(&'static str, String)>,
}

/// Prints records as one answer of the tool; `several` when it was asked about more than one device.
pub fn print(records: &[Record], format: Format, several: bool) -> String {
    match format {
        Format::Human => {
            let all: String = records.iter().map(|record| human(record) + if several { "\n" } else { "" }).collect();
            all + "\n"
        }
        Format::Json if records.is_empty() => String::new(),
        Format::Json => format!("[\n{}\n]\n", records.iter().map(json).collect::<Vec<_>>().join(",\n")),
        Format::Csv if records.is_empty() => String::new(),
        Format::Csv => csv(records),
    }
}

fn human(record: &Record) -> String {
    let fields = record.fields.iter().map(|(key, sentence)| format!("    {}: {sentence}\n", key.to_uppercase()));
    format!("GPU: {}\n", record.gpu) + &fields.collect::<String>()
}

fn json(record: &Record) -> String {
    let gpu = format!("        \"gpu\": {}", record.gpu);
    let fields = record.fields.iter().map(|(key, sentence)| format!("        \"{key}\": \"{sentence}\""));
    format!("    {{\n{}\n    }}", std::iter::once(gpu).chain(fields).collect::<Vec<_>>().join(",\n"))
}

/// Python's csv module ends its rows with `\r\n`; `print` adds the last `\n`.
fn csv(records: &[Record]) -> String {
    let row = |first: String, rest: &mut dyn Iterator<Item = String>| {
        std::iter::once(first).chain(rest).collect::<Vec<_>>().join(",") + "\r\n"
    };
    let header = |record: &Record| row("gpu".into(), &mut record.fields.iter().map(|(key, _)| (*key).to_owned()));
    let cells =
        |record: &Record| row(record.gpu.to_string(), &mut record.fields.iter().map(|(_, sentence)| quoted(sentence)));
    let mut text = records.first().map(header).unwrap_or_default();
    text.extend(records.iter().map(cells));
    text + "\n"
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
