//! Answers that are one record for each device.

use serde_json::{Map, Value, json};

use crate::sim::render::amd_smi::{Context, Format};

use super::{csv, human, json as python_json};

/// Prints records in the format asked for. `wrapped` puts JSON into `{"gpu_data": [...]}`.
pub fn print(ctx: &Context<'_>, records: &[Map<String, Value>], wrapped: bool) -> String {
    match ctx.format {
        Format::Json => {
            let list = Value::Array(records.iter().cloned().map(Value::Object).collect());
            let document = if wrapped { json!({ "gpu_data": list }) } else { list };
            python_json::dumps(&document) + "\n"
        }
        Format::Csv => csv::table(&records.iter().map(csv::flatten).collect::<Vec<_>>()) + "\n",
        // The tool prints a device alone without the blank line that follows each of several.
        Format::Human if records.len() == 1 => blocks(records, "") + "\n",
        Format::Human => blocks(records, "\n") + "\n",
    }
}

/// The indented text of several records, each with this after it.
pub fn blocks(records: &[Map<String, Value>], after: &str) -> String {
    records.iter().map(|record| human::device(record) + after).collect()
}

/// `value` with its unit, as each format has it: an object, a number, or text. N/A has no unit.
pub fn with_unit(format: Format, value: Option<u64>, unit: &str) -> Value {
    match (value, format) {
        (None, _) => json!(super::NA),
        (Some(value), Format::Json) => json!({ "value": value, "unit": unit }),
        (Some(value), Format::Csv) => json!(value),
        (Some(value), Format::Human) => json!(format!("{value} {unit}")),
    }
}

/// A record from its keys and values, in order.
pub fn record<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
