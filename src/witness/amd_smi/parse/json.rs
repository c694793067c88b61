//! JSON output: any number of documents, with any text around them.

use serde_json::{Deserializer, Map, Value};

use crate::witness::amd_smi::ToolError;

use super::leaf::Leaf;
use super::output::{Cell, Group, Output, Record};

const MAX_DOCUMENTS: usize = 4096;

/// Takes the output apart.
pub(super) fn read(text: &str) -> Output {
    let mut output = Output::default();
    let mut rest = text;
    while let Some(start) = find_start(rest) {
        output.stray.push_str(&rest[..start]);
        let mut documents = Deserializer::from_str(&rest[start..]).into_iter::<Value>();
        match documents.next() {
            Some(Ok(document)) if output.documents < MAX_DOCUMENTS => {
                output.documents += 1;
                rest = &rest[start + documents.byte_offset()..];
                take(&mut output, document);
            }
            Some(Ok(_)) => {
                output.broken = Some(format!("more than {MAX_DOCUMENTS} JSON documents"));
                return output;
            }
            // What looked like a document is none. Its inner parts may be well-formed, but they are not what the tool
            // meant to say, so nothing after this is read.
            Some(Err(error)) => {
                output.broken = Some(format!("not valid JSON: {error}"));
                output.stray.push_str(&rest[start..]);
                return output;
            }
            None => break,
        }
    }
    output.stray.push_str(rest);
    output
}

/// Failures told as JSON (`{"error": "...", "code": -3}`), also in the middle of other text.
pub(super) fn errors(text: &str) -> Vec<ToolError> {
    if text.contains("\"error\"") { read(text).errors } else { Vec::new() }
}

/// Where the next document starts: an object, or a list of objects or lists. `[Y/N]`, `[AMDSMI_STATUS_BUSY]` and the bars of a
/// progress line are none.
fn find_start(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let follows = |at: usize, wanted: &[u8]| {
        bytes[at + 1..].iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|byte| wanted.contains(byte))
    };
    (0..bytes.len()).find(|&at| match bytes[at] {
        b'{' => follows(at, b"\"}"),
        b'[' => follows(at, b"{[]"),
        _ => false,
    })
}

fn take(output: &mut Output, document: Value) {
    match document {
        Value::Object(map) if map.get("error").is_some_and(Value::is_string) => output.errors.push(error(&map)),
        Value::Object(mut map) => {
            if let Some(Value::Array(items)) = map.get_mut("gpu_data").map(Value::take) {
                return list(output, None, items);
            }
            let lists = map.values().any(Value::is_array) && !map.contains_key("gpu");
            if lists {
                for (title, mut value) in map {
                    match value.as_array_mut().map(std::mem::take) {
                        Some(items) => list(output, Some(title.to_lowercase()), items),
                        None => output.stray(&value.to_string()),
                    }
                }
            } else {
                list(output, None, vec![Value::Object(map)]);
            }
        }
        Value::Array(items) => list(output, None, items),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => output.stray(&document.to_string()),
    }
}

fn list(output: &mut Output, title: Option<String>, items: Vec<Value>) {
    let is_error = |item: &Value| item.get("error").is_some_and(Value::is_string);
    // A list of nothing but errors is no empty answer; a list of nothing is one.
    if items.is_empty() || !items.iter().all(is_error) {
        output.groups.push(Group { title, ..Group::default() });
    }
    for mut item in items {
        let failed = is_error(&item);
        match item.as_object_mut().map(std::mem::take) {
            Some(map) if failed => output.errors.push(error(&map)),
            Some(map) => output.push(record(map)),
            None => {
                output.broken.get_or_insert_with(|| "a list with something in it that is no object".to_owned());
                output.stray(&item.to_string());
            }
        }
    }
}

fn record(map: Map<String, Value>) -> Record {
    let mut record = Record { gpu: Leaf::Nothing, cells: Vec::new() };
    for (key, value) in map {
        let key = key.to_lowercase();
        if key == "gpu" || key == "gpu_id" {
            record.gpu = leaf(&value);
            continue;
        }
        match value.as_object().filter(|inner| !inner.contains_key("value")) {
            Some(inner) => record.cells.extend(inner.iter().map(|(inner_key, value)| Cell {
                section: Some(key.clone()),
                key: inner_key.to_lowercase(),
                leaf: leaf(value),
            })),
            None => record.cells.push(Cell { section: None, key, leaf: leaf(&value) }),
        }
    }
    record
}

fn leaf(value: &Value) -> Leaf {
    let odd = |problem| Leaf::Odd { raw: value.to_string().chars().take(200).collect(), problem };
    match value {
        Value::String(text) => Leaf::text(text),
        Value::Number(number) => Leaf::Text(number.to_string()),
        Value::Object(map) => match (map.get("value"), map.get("unit")) {
            (Some(Value::String(text)), _) if text == "N/A" => Leaf::NotApplicable,
            (Some(Value::Number(number)), Some(Value::String(unit))) => Leaf::text(&format!("{number} {unit}")),
            _ => odd("an object where a value should be"),
        },
        Value::Array(items) => {
            let parts: Option<Vec<_>> = items.iter().map(scalar).collect();
            parts.map_or_else(|| odd("a list where a value should be"), |parts| Leaf::text(&parts.join(",")))
        }
        Value::Null => odd("null where a value should be"),
        Value::Bool(_) => odd("true or false where a value should be"),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn error(map: &Map<String, Value>) -> ToolError {
    let text = map.get("error").and_then(Value::as_str).unwrap_or_default();
    ToolError { code: map.get("code").and_then(Value::as_i64), ..super::failure::sentence(text) }
}
