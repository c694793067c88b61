//! CSV as Python's `csv.DictWriter` writes it: CR LF, quotes only where needed.

use serde_json::{Map, Value};

use super::plain;

/// A table with a header: the keys of the first row. A key that a row lacks is N/A.
pub fn table(rows: &[Map<String, Value>]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let header: Vec<&str> = first.keys().map(String::as_str).collect();
    let mut out = line(header.iter().map(|key| (*key).to_owned()));
    for row in rows {
        out.push_str(&line(header.iter().map(|key| row.get(*key).map_or_else(|| "N/A".to_owned(), plain))));
    }
    out
}

/// One level of keys, by the tool's rule: inside a section with several keys, the keys of a nested section carry its
/// name; a section with one key lends it no name.
pub fn flatten(record: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in record {
        let Value::Object(section) = value else {
            out.insert(key.clone(), value.clone());
            continue;
        };
        let mut named = Map::new();
        for (name, child) in section {
            if let (Value::Object(fields), true) = (child, section.len() > 1) {
                named.extend(fields.iter().map(|(field, value)| (format!("{name}_{field}"), value.clone())));
            } else {
                named.insert(name.clone(), child.clone());
            }
        }
        out.extend(flatten(&named));
    }
    out
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    format!("{}\r\n", cells.join(","))
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn cells_are_quoted_only_where_python_quotes_them() {
        let rows = [map(json!({"a": 1, "b": "NPS1,NPS4"})), map(json!({"a": "x\"y"}))];
        assert_eq!(table(&rows), "a,b\r\n1,\"NPS1,NPS4\"\r\n\"x\"\"y\",N/A\r\n");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn nested_keys_carry_their_section_only_among_others() {
        let record = map(json!({"gpu": 0, "one": {"deep": {"k": 1}}, "two": {"x": {"k": 2}, "y": 3}}));
        let keys: Vec<String> = flatten(&record).keys().cloned().collect();
        assert_eq!(keys, ["gpu", "k", "x_k", "y"]);
    }
}
