//! The indented text of `list`, `static` and `metric`, and the tables of `partition`.

use serde_json::{Map, Value};

use super::plain;

/// One device: `GPU: n` at the margin, everything else four blanks further in for each level.
pub fn device(record: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (key, value) in record {
        let level = usize::from(key != "gpu");
        entry(&mut out, key, value, level);
    }
    out
}

fn entry(out: &mut String, key: &str, value: &Value, level: usize) {
    let margin = "    ".repeat(level);
    let key = key.to_uppercase();
    if let Value::Object(fields) = value {
        out.push_str(&format!("{margin}{key}:\n"));
        for (name, field) in fields {
            entry(out, name, field, level + 1);
        }
    } else {
        // The tool drops every apostrophe of the text.
        out.push_str(&format!("{margin}{key}: {}\n", plain(value).replace('\'', "")));
    }
}

/// A column of a table: the JSON key, and how wide the tool pads it in the header and in rows.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// JSON key; the header is its upper case.
    pub key: &'static str,
    /// Width, including the blanks that separate it from the next.
    pub width: usize,
}

/// Header and rows. The header keeps its trailing blanks, rows do not.
pub fn table(columns: &[Column], rows: &[Map<String, Value>]) -> String {
    let mut out: String = columns.iter().map(|column| pad(&column.key.to_uppercase(), column.width)).collect();
    for row in rows {
        let line: String = columns
            .iter()
            .map(|column| pad(&row.get(column.key).map_or_else(String::new, plain), column.width))
            .collect();
        out.push('\n');
        out.push_str(line.trim_end());
    }
    out.push('\n');
    out
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn levels_are_four_blanks_each() {
        let record = json!({"gpu": 3, "vram": {"type": "N/A", "size": {"value": "it's"}}, "ifwi": "N/A"});
        assert_eq!(
            device(record.as_object().unwrap()),
            "GPU: 3\n    VRAM:\n        TYPE: N/A\n        SIZE:\n            VALUE: its\n    IFWI: N/A\n"
        );
    }

    #[test]
    fn only_the_header_ends_in_blanks() {
        let columns = [Column { key: "gpu_id", width: 8 }, Column { key: "memory", width: 8 }];
        let row = json!({"gpu_id": 0, "memory": "NPS1"});
        assert_eq!(table(&columns, &[row.as_object().cloned().unwrap()]), "GPU_ID  MEMORY  \n0       NPS1\n");
    }
}
