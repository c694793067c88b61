//! `tests/conformance.toml`: transcripts that the shim does not reproduce, each with its reason.

use std::path::Path;

use libtest_mimic::Failed;
use serde::Deserialize;

/// The table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    /// File name; `*` stands for any text.
    file: String,
    /// Why.
    reason: String,
}

/// Reads the table.
pub fn read(path: &Path) -> Exceptions {
    let text = std::fs::read_to_string(path).expect("the exceptions table is in the repository");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Exceptions {
    /// Why a transcript is not reproduced, if it is excepted.
    pub fn reason(&self, name: &str) -> Option<&str> {
        self.exception.iter().find(|each| matches(&each.file, name)).map(|each| each.reason.as_str())
    }

    /// An exception that names nothing hides a misspelling.
    pub fn all_used(&self, names: &[String]) -> Result<(), Failed> {
        let unused = self.exception.iter().find(|each| !names.iter().any(|name| matches(&each.file, name)));
        unused.map_or(Ok(()), |each| Err(format!("no transcript is called {}", each.file).into()))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name
            .strip_prefix(head)
            .is_some_and(|rest| rest.char_indices().any(|(at, _)| matches(tail, &rest[at..])) || matches(tail, "")),
    }
}
