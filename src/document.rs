//! JSON documents that name their format and its major version, as runs leave them: what another version of this program
//! wrote is read as far as this one knows it.
//!
//! A later version may add a key that may be absent without another major version: it is left out here, and told. A word
//! that this version does not know (a status, a check) is refused, since nobody can compare what he does not know. What
//! people write is read otherwise: there an unknown key is a slip, and refused.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Most unknown keys that are named.
const NAMED: usize = 8;

/// Most that are remembered.
const MOST: usize = 1000;

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<T> {
    /// What it says.
    pub value: T,
    /// Keys that this version does not know, each once however often it stands there: `cases.*.power`.
    pub unknown: BTreeSet<String>,
}

impl<T> Document<T> {
    /// The unknown keys as a sentence; `None` where there are none.
    pub fn unread(&self) -> Option<String> {
        let named: Vec<&str> = self.unknown.iter().take(NAMED).map(String::as_str).collect();
        let more = self.unknown.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!named.is_empty())
            .then(|| format!("keys that this version does not know are left out: {}{more}", named.join(", ")))
    }
}

/// The bytes are no document that this program reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentProblem {
    /// Another format, or another major version of this one.
    #[error("key `schema`: it says {found:?}, and this program reads {reads:?}{by}")]
    Schema {
        /// What it says, bounded.
        found: String,
        /// What is read.
        reads: &'static str,
        /// `; rocvet 0.2.0 wrote it, and this is 0.1.0`, where another version did.
        by: String,
    },
    /// It is not such a document.
    #[error("{what}{by}")]
    Malformed {
        /// Which key, in which line.
        what: String,
        /// As of [`DocumentProblem::Schema`].
        by: String,
    },
}

/// Read first: a later version may have other keys, and the version is then the better message.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

/// Which version of this program wrote it, at either of the places where documents say it.
#[derive(Deserialize, Default)]
struct Writer {
    #[serde(default)]
    rocvet: Option<String>,
    #[serde(default)]
    run: Option<Box<Writer>>,
}

/// The writer of what could not be read, where that is another version than this one.
fn by(bytes: &[u8]) -> String {
    let this = env!("CARGO_PKG_VERSION");
    let Writer { rocvet, run } = serde_json::from_slice(bytes).unwrap_or_default();
    match rocvet.or_else(|| run?.rocvet).map(|wrote| shown(&wrote)).filter(|wrote| wrote != this) {
        Some(wrote) => format!("; rocvet {wrote} wrote it, and this is {this}"),
        None => String::new(),
    }
}

/// Reads a document of this format, which may come from anywhere.
///
/// # Errors
/// Another format or major version, or not what such a document says: which key and where.
pub fn read<T: DeserializeOwned>(bytes: &[u8], reads: &'static str) -> Result<Document<T>, DocumentProblem> {
    let malformed =
        |error: serde_json::Error| DocumentProblem::Malformed { what: tame(&error.to_string()), by: by(bytes) };
    let Head { schema } = serde_json::from_slice(bytes).map_err(malformed)?;
    if schema != reads {
        return Err(DocumentProblem::Schema { found: shown(&schema), reads, by: by(bytes) });
    }
    let mut unknown = BTreeSet::new();
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let told = |path: serde_ignored::Path<'_>| {
        // The first key is the format's own. Of a hostile document with a million others, a thousand are enough.
        let key = spelled(&path);
        if unknown.len() < MOST && key != "schema" {
            unknown.insert(key);
        }
    };
    let value = serde_ignored::deserialize(&mut text, told).and_then(|value| text.end().map(|()| value));
    Ok(Document { value: value.map_err(malformed)?, unknown })
}

/// What a list says of each of its items is said by its name.
///
/// # Errors
/// An item has no name, or that of another.
pub fn named_once<'n>(list: &str, names: impl Iterator<Item = &'n str>) -> Result<(), DocumentProblem> {
    let refused = |what| Err(DocumentProblem::Malformed { what, by: String::new() });
    let mut seen = BTreeSet::new();
    for (at, name) in names.enumerate() {
        if name.trim().is_empty() {
            return refused(format!("key `{list}`: number {} has no id", at + 1));
        }
        if !seen.insert(name) {
            return refused(format!("key `{list}`: {:?} is there twice", shown(name)));
        }
    }
    Ok(())
}

/// Longest duration that a document may state, in seconds: three hundred years.
const LONGEST: f64 = 1e10;

/// A duration in seconds that somebody states.
///
/// # Errors
/// It is none.
pub fn duration(seconds: f64) -> Result<f64, String> {
    if (0.0..=LONGEST).contains(&seconds) { Ok(seconds) } else { Err(format!("{seconds:e} seconds are no duration")) }
}

/// A path with `*` for each number in it.
fn spelled(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    let below = |parent: &Path<'_>, name: &str| match spelled(parent) {
        parent if parent.is_empty() => name.to_owned(),
        parent => format!("{parent}.{name}"),
    };
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, .. } => below(parent, "*"),
        Path::Map { parent, key } => below(parent, &shown(key)),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => spelled(parent),
    }
}

/// Anybody's text without what would steer a terminal.
fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The same, bounded.
fn shown(text: &str) -> String {
    tame(&text.chars().take(64).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Item {
        id: String,
        #[serde(default)]
        note: Option<String>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct List {
        items: Vec<Item>,
    }

    fn list(text: &str) -> Result<Document<List>, DocumentProblem> {
        read(text.as_bytes(), "list/1")
    }

    #[test]
    fn a_key_of_a_later_version_is_left_out_and_told_once() {
        let text =
            r#"{"schema":"list/1","colour":"red","items":[{"id":"a","size":1},{"id":"b","size":2,"note":null}]}"#;
        let read = list(text).unwrap();
        assert_eq!(read.value.items.len(), 2);
        assert_eq!(read.unread().unwrap(), "keys that this version does not know are left out: colour, items.*.size");
        let none = list(r#"{"schema":"list/1","items":[]}"#).unwrap();
        assert_eq!((none.unread(), none.unknown.len()), (None, 0));
        let many: String = (0..5000).map(|n| format!("\"k{n}\":[[{n}]],")).collect();
        let many = list(&format!(r#"{{"schema":"list/1",{many}"items":[]}}"#)).unwrap();
        assert!(many.unknown.len() <= 1000 && many.unread().unwrap().ends_with(" and 992 more"), "{:?}", many.unread());
    }

    #[test]
    fn a_duration_is_a_number_that_a_clock_can_show() {
        for (seconds, good) in [(0.0, true), (5e-324, true), (1e10, true), (1.1e10, false), (-1e-9, false)] {
            assert_eq!(duration(seconds).is_ok(), good, "{seconds}");
        }
        assert!([f64::NAN, f64::INFINITY].into_iter().all(|seconds| duration(seconds).is_err()));
    }

    #[test]
    fn what_is_no_such_document_is_refused_with_the_key_the_line_and_who_wrote_it() {
        for (text, says) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{}", "missing field `schema`"),
            (r#"{"schema":1}"#, "invalid type: integer `1`, expected a string at line 1 column 11"),
            (r#"{"schema":"list/2"}"#, "key `schema`: it says \"list/2\", and this program reads \"list/1\""),
            (r#"{"schema":"list/2","rocvet":"9.0.0"}"#, "; rocvet 9.0.0 wrote it, and this is"),
            (r#"{"schema":"list/2","run":{"rocvet":"9\u001b.0"}}"#, "; rocvet 9\u{fffd}.0 wrote it"),
            (r#"{"schema":"list/1","run":[],"rocvet":{}}"#, "missing field `items` at line 1"),
            (r#"{"schema":"list/1","items":[{"di":"a"}]}"#, "missing field `id`"),
            ("{\"schema\":\"list/1\",\n\"items\":[{\"id\":7}]}", "at line 2 column"),
            (r#"{"schema":"list/1","items":[]} more"#, "trailing characters"),
            (r#"{"schema":"list/1","items":[],"items":[]}"#, "duplicate field `items`"),
        ] {
            let problem = list(text).unwrap_err().to_string();
            assert!(problem.contains(says), "{text}: {problem}");
        }
        for (names, says) in [(["a", "b"], None), (["a", " "], Some("number 2 has no id")), (["a", "a"], Some("twice"))]
        {
            let problem = named_once("items", names.into_iter()).err().map(|problem| problem.to_string());
            assert_eq!(problem.is_some(), says.is_some(), "{names:?}");
            assert!(says.is_none_or(|says| problem.is_some_and(|problem| problem.contains(says))), "{names:?}");
        }
        // What is left out is not nested in memory, however deep it is in the text.
        let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
        assert!(list(&format!(r#"{{"schema":"list/1","items":[],"x":{open}{close}}}"#)).is_ok());
        let deep = list(&format!(r#"{{"schema":"list/1","items":[{{"id":"a","note":{open}{close}}}]}}"#));
        assert!(deep.unwrap_err().to_string().contains("invalid type"));
        let long = format!(r#"{{"schema":"{}"}}"#, "x".repeat(100_000));
        assert!(list(&long).unwrap_err().to_string().len() < 200);
    }
}
