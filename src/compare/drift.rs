//! The shape of amd-smi's JSON, and how it differs between the two sides.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Deserializer, Value};

/// Fields of one command that are kept; a tool that prints without end fills no memory.
const MOST_FIELDS: usize = 20_000;

/// Documents of one answer that are read.
const MOST_DOCUMENTS: usize = 4096;

/// What kind of value a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
    /// The string `N/A`: the tool's word for no value.
    NotAvailable,
}

/// Shapes of what a side's amd-smi printed, by command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shapes {
    commands: BTreeMap<String, Shape>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Shape {
    /// How many JSON documents an answer had.
    documents: BTreeSet<usize>,
    /// Path of each field, `[].asic.market_name`, with the kinds of value that it had.
    fields: BTreeMap<String, BTreeSet<Kind>>,
}

/// How amd-smi's JSON drifted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Drift {
    /// Commands that both sides kept an answer of.
    pub commands: usize,
    /// What differs, by command and field.
    pub changes: Vec<Drifted>,
    /// Why nothing was compared, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One field that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Drifted {
    /// Arguments of amd-smi.
    pub command: String,
    /// Its path: `[].asic.market_name`.
    pub field: String,
    /// What became of it.
    pub change: Change,
    /// Kind of value in the base, in words; empty where it is new.
    pub base: String,
    /// Kind of value in the candidate; empty where it is gone.
    pub candidate: String,
}

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is not printed any more.
    Gone,
    /// Its values are of another kind.
    Retyped,
    /// It was not printed before.
    New,
}

impl Change {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Retyped => "retyped",
            Self::New => "new",
        }
    }
}

impl Shapes {
    /// Adds what one call printed to standard output. What is no JSON says nothing of fields.
    pub fn add(&mut self, command: &str, stdout: &[u8]) {
        let shape = self.commands.entry(command.to_owned()).or_default();
        let documents = Deserializer::from_slice(stdout).into_iter::<Value>();
        let documents: Vec<Value> = documents.map_while(Result::ok).take(MOST_DOCUMENTS).collect();
        if !documents.is_empty() {
            shape.documents.insert(documents.len());
        }
        documents.iter().for_each(|document| shape.walk("", document));
    }

    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.commands.values().all(|shape| shape.documents.is_empty())
    }
}

impl Shape {
    fn walk(&mut self, path: &str, value: &Value) {
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(_) => Kind::Number,
            Value::String(text) if text == "N/A" => Kind::NotAvailable,
            Value::String(_) => Kind::String,
            Value::Array(items) => {
                let inside = format!("{path}[]");
                items.iter().for_each(|item| self.walk(&inside, item));
                Kind::Array
            }
            Value::Object(map) => {
                for (key, value) in map {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.walk(&format!("{path}{dot}{}", unnumbered(key)), value);
                }
                Kind::Object
            }
        };
        if self.fields.len() < MOST_FIELDS || self.fields.contains_key(path) {
            self.fields.entry(path.to_owned()).or_default().insert(kind);
        }
    }
}

/// `xcp_7` and `xcp_0` are one field, as the items of a list are: how many there are is the mode's.
fn unnumbered(key: &str) -> String {
    let name = key.trim_end_matches(|c: char| c.is_ascii_digit());
    if name.len() < key.len() && name.ends_with('_') { format!("{name}N") } else { key.to_owned() }
}

/// How the candidate's shapes differ from the base's.
pub(super) fn drift(base: &Shapes, candidate: &Shapes) -> Drift {
    let silent = [(base, "the base"), (candidate, "the candidate")].into_iter().find(|(shapes, _)| shapes.is_empty());
    if let Some((_, side)) = silent {
        let note =
            format!("not evaluated: {side} kept no JSON of amd-smi (only runs on a given host keep every answer)");
        return Drift { note: Some(note), ..Drift::default() };
    }
    let mut drift = Drift::default();
    for (command, was) in &base.commands {
        let Some(is) = candidate.commands.get(command) else { continue };
        if was.documents.is_empty() || is.documents.is_empty() {
            continue;
        }
        drift.commands += 1;
        drift.changes.extend(changes(command, was, is));
    }
    if drift.commands == 0 {
        drift.note = Some("not evaluated: the two sides asked amd-smi nothing in common".to_owned());
    }
    drift
}

fn changes(command: &str, was: &Shape, is: &Shape) -> Vec<Drifted> {
    let drifted = |field: &str, change, base: String, candidate: String| Drifted {
        command: command.to_owned(),
        field: field.to_owned(),
        change,
        base,
        candidate,
    };
    let mut all = Vec::new();
    if was.documents != is.documents {
        let field = "(number of JSON documents)";
        all.push(drifted(field, Change::Retyped, joined(&was.documents), joined(&is.documents)));
    }
    for (path, kinds) in &was.fields {
        match is.fields.get(path) {
            None if told_with_parent(path, &is.fields) => {
                all.push(drifted(path, Change::Gone, words(kinds), String::new()));
            }
            Some(now) if retyped(kinds, now) => all.push(drifted(path, Change::Retyped, words(kinds), words(now))),
            None | Some(_) => {}
        }
    }
    for (path, kinds) in is.fields.iter().filter(|(path, _)| !was.fields.contains_key(*path)) {
        if told_with_parent(path, &was.fields) {
            all.push(drifted(path, Change::New, String::new(), words(kinds)));
        }
    }
    all.sort_by(|left, right| (left.change, &left.field).cmp(&(right.change, &right.field)));
    all
}

/// A field is told when what it stands in is on the other side too; else that is told, and not each of its parts.
fn told_with_parent(path: &str, other: &BTreeMap<String, BTreeSet<Kind>>) -> bool {
    let parent = match path.strip_suffix("[]") {
        Some(list) => list,
        None => path.rsplit_once('.').map_or("", |(parent, _)| parent),
    };
    // An empty list on the other side shows nothing of what its items would be.
    parent == path || other.contains_key(parent)
}

/// Whether values that are there are of other kinds, or there is no value where there was one.
fn retyped(was: &BTreeSet<Kind>, is: &BTreeSet<Kind>) -> bool {
    let real = |kinds: &BTreeSet<Kind>| -> BTreeSet<Kind> {
        kinds.iter().copied().filter(|kind| !matches!(kind, Kind::Null | Kind::NotAvailable)).collect()
    };
    real(was) != real(is)
}

fn words(kinds: &BTreeSet<Kind>) -> String {
    let word = |kind: &Kind| match kind {
        Kind::Object => "object",
        Kind::Array => "array",
        Kind::String => "string",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::Null => "null",
        Kind::NotAvailable => "N/A",
    };
    kinds.iter().map(word).collect::<Vec<_>>().join(" or ")
}

fn joined(numbers: &BTreeSet<usize>) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(base: &str, candidate: &str) -> Vec<String> {
        let shapes = |text: &str| {
            let mut shapes = Shapes::default();
            shapes.add("list --json", text.as_bytes());
            shapes
        };
        let drift = drift(&shapes(base), &shapes(candidate));
        let line = |each: &Drifted| format!("{} {} {}>{}", each.change.name(), each.field, each.base, each.candidate);
        drift.changes.iter().map(line).chain(drift.note).collect()
    }

    #[test]
    fn fields_that_are_gone_new_or_of_another_type_are_told_once() {
        for (base, candidate, expected) in [
            (r#"[{"a": 1}]"#, r#"[{"a": 2}, {"a": 3}]"#, &[][..]),
            (r#"[{"a": 1, "b": 1}]"#, r#"[{"a": 1}]"#, &["gone [].b number>"]),
            (r#"[{"a": 1}]"#, r#"[{"a": "1", "c": true}]"#, &["retyped [].a number>string", "new [].c >boolean"]),
            // A part that is gone with what it stood in is not told again.
            (r#"{"a": {"b": {"c": 1}, "d": 1}}"#, r#"{"e": 1}"#, &["gone a object>", "new e >number"]),
            // The wrapper of amd-smi 26 (rocm-systems PR #223).
            (
                r#"[{"gpu": 0}]"#,
                r#"{"gpu_data": [{"gpu": 0}]}"#,
                &["gone [] object>", "retyped  array>object", "new gpu_data >array"],
            ),
            (r#"[{"a": "N/A"}]"#, r#"[{"a": "N/A"}, {"a": null}]"#, &[]),
            (r#"[{"a": 1}]"#, r#"[{"a": "N/A"}]"#, &["retyped [].a number>N/A"]),
            (r#"[{"a": "N/A"}, {"a": 1}]"#, r#"[{"a": 1}]"#, &[]),
            ("[1]", "[1]\n[2]", &["retyped (number of JSON documents) 1>2"]),
            // Eight partitions have the fields that one has.
            (r#"{"xcp_0": 1}"#, r#"{"xcp_0": 1, "xcp_7": 1}"#, &[]),
            (
                "ERROR",
                "[1]",
                &["not evaluated: the base kept no JSON of amd-smi (only runs on a given host keep every answer)"],
            ),
        ] {
            assert_eq!(told(base, candidate), expected, "{base} {candidate}");
        }
    }

    #[test]
    fn commands_of_one_side_only_are_no_drift() {
        let (mut base, mut candidate) = (Shapes::default(), Shapes::default());
        base.add("list --json", b"[{\"a\": 1}]");
        candidate.add("version --json", b"[{\"b\": 1}]");
        let drift = drift(&base, &candidate);
        assert_eq!((drift.commands, drift.changes.len()), (0, 0));
        assert!(drift.note.unwrap().contains("nothing in common"));
    }

    #[test]
    fn what_prints_without_end_fills_no_memory() {
        let mut shapes = Shapes::default();
        let fields: Vec<String> = (0..MOST_FIELDS + 10).map(|number| format!("\"f{number}x\": 1")).collect();
        shapes.add("list --json", format!("{{{}}}", fields.join(",")).as_bytes());
        assert!(shapes.commands["list --json"].fields.len() <= MOST_FIELDS);
    }
}
