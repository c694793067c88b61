//! Typed values out of the tree. Every reader reports what is wrong and gives `None`; it never guesses.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::super::nearest;
use super::super::tree::{Entry, Node, Value};
use super::super::words::Word;
use super::Problems;

/// A table whose keys have been checked against the valid ones.
pub(super) struct Fields<'n> {
    /// How messages call it: `[simulate]`.
    pub(super) place: &'static str,
    pub(super) node: &'n Node,
}

impl<'n> Fields<'n> {
    /// Checks that the node is a table, and reports each key that is not among `valid`.
    pub(super) fn of(node: &'n Node, place: &'static str, valid: &[&str], problems: &mut Problems<'_>) -> Option<Self> {
        for entry in table(node, place, problems)? {
            if !valid.contains(&entry.key.as_str()) && problems.has_room() {
                let title = format!("unknown key `{}` in {place}", shown(&entry.key));
                let help = match nearest(&entry.key, valid.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("valid keys: {}", valid.join(", ")),
                };
                problems.add(entry.span.clone(), title).help = Some(help);
            }
        }
        Some(Self { place, node })
    }

    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key)
    }

    /// The value under a key that must be there.
    pub(super) fn require(&self, key: &str, problems: &mut Problems<'_>) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            problems.add(self.node.span.clone(), format!("`{key}` is missing in {}", self.place));
        }
        found
    }
}

pub(super) fn table<'n>(node: &'n Node, place: &str, problems: &mut Problems<'_>) -> Option<&'n [Entry]> {
    match &node.value {
        Value::Table(entries) => Some(entries),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Huge
        | Value::Boolean(_)
        | Value::Float
        | Value::Datetime
        | Value::Array(_) => wrong(node, place, "a table", problems),
    }
}

pub(super) fn array<'n>(node: &'n Node, key: &str, problems: &mut Problems<'_>) -> Option<&'n [Node]> {
    match &node.value {
        Value::Array(items) => Some(items),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Huge
        | Value::Boolean(_)
        | Value::Float
        | Value::Datetime
        | Value::Table(_) => wrong(node, key, "a list", problems),
    }
}

/// The items of a list, or the single value that stands where a list may.
pub(super) fn one_or_more(node: &Node) -> &[Node] {
    match &node.value {
        Value::Array(items) => items,
        Value::Text(_)
        | Value::Integer(_)
        | Value::Huge
        | Value::Boolean(_)
        | Value::Float
        | Value::Datetime
        | Value::Table(_) => std::slice::from_ref(node),
    }
}

pub(super) fn text<'n>(node: &'n Node, key: &str, problems: &mut Problems<'_>) -> Option<&'n str> {
    match &node.value {
        Value::Text(text) => Some(text),
        Value::Integer(_)
        | Value::Huge
        | Value::Boolean(_)
        | Value::Float
        | Value::Datetime
        | Value::Array(_)
        | Value::Table(_) => wrong(node, key, "a string", problems),
    }
}

/// A line that says something: not empty, no line break, at most 400 characters.
pub(super) fn line(node: &Node, key: &str, problems: &mut Problems<'_>) -> Option<String> {
    let line = text(node, key, problems)?;
    if line.trim().is_empty() || line.chars().any(char::is_control) || line.chars().count() > 400 {
        problems.add(node.span.clone(), format!("`{key}` must be one line of 1 to 400 characters"));
        return None;
    }
    Some(line.to_owned())
}

pub(super) fn boolean(node: &Node, key: &str, problems: &mut Problems<'_>) -> Option<bool> {
    match node.value {
        Value::Boolean(flag) => Some(flag),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Huge
        | Value::Float
        | Value::Datetime
        | Value::Array(_)
        | Value::Table(_) => wrong(node, key, "true or false", problems),
    }
}

/// A whole number in a range.
pub(super) fn number(node: &Node, key: &str, range: RangeInclusive<u32>, problems: &mut Problems<'_>) -> Option<u32> {
    let number = match node.value {
        Value::Integer(number) => Some(number),
        Value::Huge => None,
        Value::Text(_) | Value::Boolean(_) | Value::Float | Value::Datetime | Value::Array(_) | Value::Table(_) => {
            return wrong(node, key, "an integer", problems);
        }
    };
    let fits = number.and_then(|number| u32::try_from(number).ok()).filter(|number| range.contains(number));
    if fits.is_none() {
        let (low, high) = range.into_inner();
        problems.add(node.span.clone(), format!("`{key}` must be from {low} to {high}"));
    }
    fits
}

/// One of the words of a type.
pub(super) fn word<T: Word>(node: &Node, key: &str, problems: &mut Problems<'_>) -> Option<T> {
    let written = text(node, key, problems)?;
    let found = T::ALL.iter().find(|(word, _)| *word == written).map(|&(_, value)| value);
    if found.is_none() && problems.has_room() {
        let words = T::ALL.iter().map(|&(word, _)| word);
        let help = match nearest(written, words.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", words.collect::<Vec<_>>().join(", ")),
        };
        problems.add(node.span.clone(), format!("`{}` is not {}", shown(written), T::KIND)).help = Some(help);
    }
    found
}

/// One word or a list of them.
pub(super) fn words<T: Word>(node: &Node, key: &str, problems: &mut Problems<'_>) -> Vec<T> {
    one_or_more(node).iter().filter_map(|item| word(item, key, problems)).collect()
}

/// A string that its type reads.
pub(super) fn parsed<T: FromStr<Err: Display>>(node: &Node, key: &str, problems: &mut Problems<'_>) -> Option<T> {
    parsed_by(node, key, str::parse, problems)
}

/// A string that a function reads.
pub(super) fn parsed_by<T, E: Display>(
    node: &Node,
    key: &str,
    read: impl Fn(&str) -> Result<T, E>,
    problems: &mut Problems<'_>,
) -> Option<T> {
    match read(text(node, key, problems)?) {
        Ok(value) => Some(value),
        Err(error) => {
            problems.add(node.span.clone(), format!("`{key}`: {error}"));
            None
        }
    }
}

/// A name of the file's own, short enough to stand in a message.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().count() > 60 { format!("{short}…") } else { short }
}

fn wrong<T>(node: &Node, key: &str, expected: &str, problems: &mut Problems<'_>) -> Option<T> {
    let title = format!("`{}` must be {expected}, and is {}", shown(key), node.kind());
    problems.add(node.span.clone(), title);
    None
}
