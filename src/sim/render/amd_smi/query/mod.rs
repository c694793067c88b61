//! What can be asked: one file per subcommand, and the three ways of printing an answer.

mod csv;
pub mod default_table;
pub mod device;
mod human;
mod json;
pub mod list;
pub mod metric;
pub mod notes;
pub mod partition;
mod profiles;
mod records;
pub mod static_;
pub mod version;

pub use notes::start_notes;

use serde_json::Value;

/// A missing value, as the tool writes it.
const NA: &str = "N/A";

/// A value as Python's `str` shows it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
