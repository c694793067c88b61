//! A TOML document as a tree in which every key and value knows its place. Order is that of the file.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    /// An integer that does not fit.
    Huge,
    Boolean(bool),
    Float,
    Datetime,
    Array(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) span: Range<usize>,
    pub(super) node: Node,
}

/// A problem of TOML itself.
pub(super) struct SyntaxProblem {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// Reads TOML. Depth is bounded by the TOML parser (80 levels), length by the caller.
pub(super) fn parse(text: &str) -> Result<Node, Vec<SyntaxProblem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let span = table.span();
        return Ok(Node { span, value: Value::Table(entries(table.into_inner())) });
    }
    let end = text.len();
    Err(errors
        .iter()
        .map(|error| SyntaxProblem {
            span: error.span().unwrap_or(end..end),
            message: error.message().lines().collect::<Vec<_>>().join(", "),
        })
        .collect())
}

impl Node {
    /// What kind of value it is, for a message.
    pub(super) const fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) | Value::Huge => "an integer",
            Value::Boolean(_) => "a boolean",
            Value::Float => "a float",
            Value::Datetime => "a date",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The value under a key, when this is a table that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Huge
            | Value::Boolean(_)
            | Value::Float
            | Value::Datetime
            | Value::Array(_) => None,
        }
    }
}

fn entries(table: DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| {
            let (span, place) = (key.span(), value.span());
            let node = Node { span: place, value: convert(value.into_inner()) };
            Entry { key: key.into_inner().into_owned(), span, node }
        })
        .collect();
    // The parser's map sorts by name; the axes of a case id follow the file.
    entries.sort_by_key(|entry| entry.span.start);
    entries
}

fn convert(value: DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Huge, Value::Integer)
        }
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(flag) => Value::Boolean(flag),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(
            items
                .into_iter()
                .map(|item| {
                    let span = item.span();
                    Node { span, value: convert(item.into_inner()) }
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(entries(table)),
    }
}
