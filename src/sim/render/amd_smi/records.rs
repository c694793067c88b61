//! What `set` and `reset` print: one sentence for each key of each device, in three formats.

use super::Format;

/// The answers of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its index in the tool's list.
    pub gpu: usize,
    /// Keys, lower case, and what happened.
    pub fields: Vec<(&'static str, Answer)>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One sentence.
    Sentence(String),
    /// A sentence for each step.
    Steps(Vec<(&'static str, String)>),
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
    let mut text = format!("GPU: {}\n", record.gpu);
    for (key, answer) in &record.fields {
        let key = key.to_uppercase();
        match answer {
            Answer::Sentence(sentence) => text.push_str(&format!("    {key}: {sentence}\n")),
            Answer::Steps(steps) => {
                text.push_str(&format!("    {key}:\n"));
                for (step, sentence) in steps {
                    text.push_str(&format!("        {}: {sentence}\n", step.to_uppercase()));
                }
            }
        }
    }
    text
}

fn json(record: &Record) -> String {
    let mut lines = vec![format!("        \"gpu\": {}", record.gpu)];
    for (key, answer) in &record.fields {
        lines.push(match answer {
            Answer::Sentence(sentence) => format!("        \"{key}\": \"{sentence}\""),
            Answer::Steps(steps) => {
                let steps: Vec<String> =
                    steps.iter().map(|(step, sentence)| format!("            \"{step}\": \"{sentence}\"")).collect();
                format!("        \"{key}\": {{\n{}\n        }}", steps.join(",\n"))
            }
        });
    }
    format!("    {{\n{}\n    }}", lines.join(",\n"))
}

/// Python's csv module ends its rows with `\r\n`; `print` adds the last `\n`.
fn csv(records: &[Record]) -> String {
    let cells = |record: &Record, header: bool| {
        let mut row = vec![if header { "gpu".to_owned() } else { record.gpu.to_string() }];
        for (key, answer) in &record.fields {
            match answer {
                Answer::Sentence(sentence) => row.push(if header { (*key).to_owned() } else { quoted(sentence) }),
                Answer::Steps(steps) => {
                    row.extend(steps.iter().map(|(step, text)| if header { (*step).to_owned() } else { quoted(text) }));
                }
            }
        }
        row.join(",") + "\r\n"
    };
    let mut text = records.first().map(|first| cells(first, true)).unwrap_or_default();
    text.extend(records.iter().map(|record| cells(record, false)));
    text + "\n"
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
