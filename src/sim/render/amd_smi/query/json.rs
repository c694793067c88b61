//! JSON as Python's `json.dumps(value, indent=4)` prints it.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

/// The text, without a final newline. Python escapes everything outside ASCII.
pub fn dumps(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    "));
    if value.serialize(&mut serializer).is_err() {
        // A `Value` holds string keys and finite numbers only, and writing to memory does not fail.
        return String::new();
    }
    ascii(&String::from_utf8_lossy(&bytes))
}

fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_python_prints() {
        // Left: what CPython 3.13 `json.dumps(..., indent=4)` printed.
        let cases = [
            ("[]", serde_json::json!([])),
            ("{}", serde_json::json!({})),
            ("[\n    false,\n    \"a\\\"b\"\n]", serde_json::json!([false, "a\"b"])),
            ("{\n    \"b\": {},\n    \"a\": [\n        1\n    ]\n}", serde_json::json!({"b": {}, "a": [1]})),
            ("\"42 \\u00b0C \\ud83d\\ude00\"", serde_json::json!("42 °C 😀")),
        ];
        for (expected, value) in cases {
            assert_eq!(dumps(&value), expected);
        }
    }
}
