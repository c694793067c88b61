//! `validate schema NAME`: the JSON Schema of a file format.

use clap::{Args, ValueEnum};
use schemars::Schema;

/// `validate schema`.
#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// Which format
    #[arg(value_enum)]
    pub name: SchemaName,
}

/// A format that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    /// Scenario files
    Scenario,
    /// run.json
    Run,
    /// A line of events.jsonl, the journal of a run
    Events,
    /// What `validate run` leaves as baseline.toml and reads by --baseline
    Baseline,
    /// matrix.json
    Matrix,
    /// What `validate diff --format json` prints
    Diff,
    /// Machine files
    Machine,
}

/// Who knows the schema of a format.
#[derive(Debug, Clone, Copy)]
pub struct Registry {
    /// Of scenario files.
    pub scenario: fn() -> Schema,
    /// Of `run.json`.
    pub run: fn() -> Schema,
    /// Of a line of `events.jsonl`.
    pub events: fn() -> Schema,
    /// Of baseline files.
    pub baseline: fn() -> Schema,
    /// Of `matrix.json`.
    pub matrix: fn() -> Schema,
    /// Of the JSON document of `diff`.
    pub diff: fn() -> Schema,
    /// Of machine files.
    pub machine: fn() -> Schema,
}

impl SchemaArgs {
    /// The schema as indented JSON, with a newline at its end.
    ///
    /// # Errors
    /// The schema cannot be written as JSON: our bug.
    pub fn render(&self, registry: &Registry) -> Result<String, serde_json::Error> {
        let schema = match self.name {
            SchemaName::Scenario => registry.scenario,
            SchemaName::Run => registry.run,
            SchemaName::Events => registry.events,
            SchemaName::Baseline => registry.baseline,
            SchemaName::Matrix => registry.matrix,
            SchemaName::Diff => registry.diff,
            SchemaName::Machine => registry.machine,
        };
        serde_json::to_string_pretty(&schema()).map(|text| text + "\n")
    }
}
