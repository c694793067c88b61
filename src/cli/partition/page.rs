//! What the partition commands print: one JSON document, or tables and labelled lines for people.

use std::path::Path;

use clap::ValueEnum;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::cli::console;
use crate::cli::exit::Failure;
use crate::domain::Provenance;
use crate::report::wrap::hanging;

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// One JSON document
    Json,
}

/// What is said of a machine, below a head that says which one, and of what kind.
#[derive(Serialize)]
pub struct Document<'a, T> {
    schema: u32,
    provenance: Provenance,
    machine: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<String>,
    #[serde(flatten)]
    said: T,
}

impl<'a, T> Document<'a, T> {
    /// Version of these documents.
    const SCHEMA: u32 = 1;

    /// About a machine.
    pub const fn of(provenance: Provenance, machine: &'a str, said: T) -> Self {
        Self { schema: Self::SCHEMA, provenance, machine, ledger: None, said }
    }

    /// And about the ledger at this path.
    pub fn with_ledger(self, ledger: &Path) -> Self {
        Self { ledger: Some(ledger.display().to_string()), ..self }
    }
}

/// A document, indented, with a newline at its end.
///
/// # Errors
/// It cannot be written as JSON: our bug.
pub fn json<T: Serialize>(document: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Failure::from(anyhow::anyhow!(error)))?;
    Ok(text + "\n")
}

/// Columns of a label.
const COLUMN: usize = 9;

/// Text in the making, as wide as the terminal.
pub struct Page {
    text: String,
    width: Option<usize>,
}

impl Page {
    /// Empty.
    pub fn new() -> Self {
        Self { text: String::new(), width: console::paper().width }
    }

    /// A table with a header and an empty line below it.
    pub fn table(&mut self, header: &[&str], rows: Vec<Vec<String>>) {
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(header.to_vec()).add_rows(rows);
        match self.width.and_then(|width| u16::try_from(width).ok()) {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        self.text.push_str(&table.trim_fmt());
        self.text.push_str("\n\n");
    }

    /// A label in its column, and text beside it.
    pub fn labelled(&mut self, label: &str, text: &str) {
        self.text.push_str(&hanging(&format!("{label:<COLUMN$}"), COLUMN, text, self.width));
        self.text.push('\n');
    }

    /// A label in its column, and beside it what somebody may copy: it stays on one line.
    pub fn copied(&mut self, label: &str, text: &str) {
        self.text.push_str(&format!("{label:<COLUMN$}{text}\n"));
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// All of it.
    pub fn text(self) -> String {
        self.text
    }
}
