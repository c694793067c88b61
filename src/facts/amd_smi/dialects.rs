//! What each generation of the tool has: commands, options, and the shape of its JSON.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{Source, ToolVersion};
use crate::facts::embedded;
use crate::facts::entry::Entry;

use super::span::Span;

/// One command or option through the versions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Id: `set-compute`.
    pub id: String,
    /// As it is typed.
    pub text: String,
    /// What it is like, by version; ranges may overlap, each adds to the ones before.
    pub spans: Vec<Phase>,
    /// Who says so.
    pub source: Source,
}

/// What a command is like in a range of versions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Phase {
    /// The versions.
    #[serde(flatten)]
    pub span: Span,
    /// What it is like.
    pub what: String,
}

/// The JSON that a command prints in a range of versions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Container {
    /// `version`, `list`, `static`, `metric`, `partition`, `set`, `process` or `default`.
    pub command: String,
    /// The versions.
    #[serde(flatten)]
    pub span: Span,
    /// Its shape.
    pub shape: Shape,
    /// Keys and traps.
    pub what: String,
    /// Who says so.
    pub source: Source,
}

/// The shape of a JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The command does not exist, or prints an error.
    Absent,
    /// One array.
    List,
    /// One object with the array under `gpu_data`.
    GpuData,
    /// Several documents, one after the other.
    Documents,
    /// Several documents and then text.
    DocumentsThenText,
    /// One object with named sections.
    Object,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    command: Vec<Command>,
    container: Vec<Container>,
}

static TABLE: LazyLock<File> =
    LazyLock::new(|| embedded::table("amd_smi_dialects.toml", include_str!("../data/amd_smi_dialects.toml")));

/// Every partition-related command. Source: facts/amd-smi.md 1.2.
pub fn commands() -> &'static [Command] {
    &TABLE.command
}

/// The JSON of a command (`partition`) in a version. Source: facts/amd-smi.md 2.1.
pub fn container(command: &str, version: ToolVersion) -> Option<&'static Container> {
    TABLE.container.iter().find(|each| each.command == command && each.span.contains(version))
}

/// Every command and every container as an entry: `fact.amd-smi.command.partition`, `fact.amd-smi.json.partition`.
pub(super) fn dialect_entries() -> impl Iterator<Item = Entry> {
    let commands = commands().iter().map(|command| {
        let phases: Vec<_> = command.spans.iter().map(|phase| format!("{}: {}", phase.span, phase.what)).collect();
        Entry {
            id: format!("fact.amd-smi.command.{}", command.id),
            title: format!("amd-smi {}", command.text.trim_start_matches("amd-smi ")),
            what: phases.join("; ") + ".",
            why: "Whether a command exists, and what it does, depends on the tool version.".into(),
            source: command.source.clone(),
            what_to_do: "Ask `amd-smi version` first.".into(),
            see: Vec::new(),
        }
    });
    let mut names: Vec<_> = TABLE.container.iter().map(|each| each.command.as_str()).collect();
    names.dedup();
    commands.chain(names.into_iter().filter_map(|name| {
        let rows: Vec<_> = TABLE.container.iter().filter(|each| each.command == name).collect();
        let lines: Vec<_> = rows.iter().map(|each| format!("{}: {}", each.span, each.what)).collect();
        Some(Entry {
            id: format!("fact.amd-smi.json.{name}"),
            title: format!("JSON of amd-smi {name}"),
            what: lines.join("; ") + ".",
            why: "A reader must accept a list, `gpu_data`, and several documents in one stream.".into(),
            source: rows.first()?.source.clone(),
            what_to_do: "Decide by what is there, not by the version.".into(),
            see: vec!["bug.rocm-systems-667".into()],
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_container_follows_the_version() {
        for (command, version, shape) in [
            ("static", "25.5.1", Shape::List),
            ("static", "26.0.0", Shape::GpuData),
            ("partition", "24.5.2", Shape::Absent),
            ("partition", "24.7.1", Shape::Documents),
            ("partition", "25.5.1", Shape::DocumentsThenText),
            ("partition", "26.2.1", Shape::Object),
            ("partition", "27.1.0", Shape::Object),
            ("list", "27.1.0", Shape::List),
            ("default", "25.5.1", Shape::Absent),
            ("default", "27.1.0", Shape::List),
        ] {
            let found = container(command, version.parse().unwrap()).map(|each| each.shape);
            assert_eq!(found, Some(shape), "{command} {version}");
        }
        assert_eq!(container("query", ToolVersion::new(26, 2, 1)), None);
    }

    #[test]
    fn no_two_containers_of_a_command_overlap() {
        for release in super::super::releases().iter().filter_map(super::super::Release::version) {
            for command in ["version", "list", "static", "metric", "partition", "set", "default"] {
                let count = TABLE
                    .container
                    .iter()
                    .filter(|each| each.command == command && each.span.contains(release))
                    .count();
                assert_eq!(count, 1, "{command} {release}");
            }
        }
    }
}
