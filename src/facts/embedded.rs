//! Reads a data file that is compiled into the binary.

use serde::de::DeserializeOwned;

/// The table in an embedded TOML file.
///
/// # Panics
/// When the file is not valid: a mistake in the source, which the tests of every table find.
#[expect(clippy::panic, reason = "embedded data, read by the unit tests of its table; nothing from outside comes here")]
pub(crate) fn table<T: DeserializeOwned>(name: &str, text: &str) -> T {
    match toml::from_str(text) {
        Ok(table) => table,
        Err(problem) => panic!("the embedded file {name} is not valid: {problem}"),
    }
}
