//! `validate list`: what would be run, and the names that can be used.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::domain::CheckId;
use crate::facts;
use crate::plan::{Excluded, Plan, Target};
use crate::scenario::{self, Case, LoadError};
use crate::sim::machine_names;

use super::selection::SelectionArgs;

/// Exit code when nothing was selected.
const NOTHING_MATCHED: u8 = 4;

/// Version of the JSON that `--format json` prints.
const FORMAT_VERSION: u32 = 1;

/// `validate list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Which cases
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// How to print [default: human on a terminal, else ids]
    #[arg(long, value_enum)]
    pub format: Option<ListFormat>,
    /// List the simulated machines instead
    #[arg(long, group = "what")]
    pub machines: bool,
    /// List the tags of the selected cases instead
    #[arg(long, group = "what")]
    pub tags: bool,
    /// List the checks instead, with the number of selected cases that have each
    #[arg(long, group = "what")]
    pub checks: bool,
}

/// How `list` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A table
    Human,
    /// One JSON document
    Json,
    /// One name on each line
    Ids,
}

/// Where the text goes, as far as it matters to its shape.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Whether it is a terminal.
    pub terminal: bool,
    /// Its width in columns; unlimited when `None`.
    pub width: Option<u16>,
}

/// What to print and how to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// For standard output.
    pub text: String,
    /// Exit code: 0, or 4 when nothing was selected.
    pub exit: u8,
}

/// Why nothing can be listed; exit code 64, or 70 for the last.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The filter cannot be read.
    #[error(transparent)]
    Filter(#[from] crate::plan::FilterError),
    /// A scenario cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Our bug.
    #[error("the list cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// One row of the list: a name, and what stands beside it.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    #[serde(flatten)]
    columns: BTreeMap<&'static str, serde_json::Value>,
}

impl ListArgs {
    /// Reads the scenarios and lists what is selected of them.
    ///
    /// # Errors
    /// The filter or a scenario cannot be read.
    pub fn list(&self, screen: Screen) -> Result<Listed, ListError> {
        let selection = self.selection.selection()?;
        if self.machines {
            return self.render("machines", &["part", "gfx"], &machines(), &[], screen);
        }
        let cases = scenario::load(&self.selection.paths)?;
        let plan = Plan::build(cases, &selection, &Target::Simulated);
        if self.tags {
            return self.render("tags", &["cases"], &tags(&plan.cases), &[], screen);
        }
        if self.checks {
            return self.render("checks", &["cases"], &checks(&plan.cases), &[], screen);
        }
        self.render("cases", &["level", "title"], &rows(&plan.cases), &plan.not_selected, screen)
    }

    fn render(
        &self,
        what: &str,
        columns: &[&str],
        rows: &[Row],
        not_selected: &[Excluded],
        screen: Screen,
    ) -> Result<Listed, ListError> {
        let default = if screen.terminal { ListFormat::Human } else { ListFormat::Ids };
        let text = match self.format.unwrap_or(default) {
            ListFormat::Human => human(what, columns, rows, not_selected, screen),
            ListFormat::Json => {
                let document =
                    serde_json::json!({ "schema": FORMAT_VERSION, what: rows, "not_selected": not_selected.len() });
                serde_json::to_string_pretty(&document)? + "\n"
            }
            ListFormat::Ids => rows.iter().map(|row| format!("{}\n", row.id)).collect(),
        };
        Ok(Listed { text, exit: if rows.is_empty() { NOTHING_MATCHED } else { 0 } })
    }
}

fn human(what: &str, columns: &[&str], rows: &[Row], not_selected: &[Excluded], screen: Screen) -> String {
    let mut text = String::new();
    if !rows.is_empty() {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        match screen.width {
            Some(width) => table.set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        for row in rows {
            let cells = columns.iter().map(|column| match row.columns.get(column) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            });
            table.add_row(std::iter::once(row.id.clone()).chain(cells));
        }
        text = table.trim_fmt() + "\n\n";
    }
    text.push_str(&format!("{what}: {}\n", rows.len()));
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for excluded in not_selected {
        *reasons.entry(excluded.reason.to_string()).or_default() += 1;
    }
    for (reason, count) in reasons {
        text.push_str(&format!("not selected: {count}, {reason}\n"));
    }
    text
}

fn rows(cases: &[Case]) -> Vec<Row> {
    cases
        .iter()
        .map(|case| Row {
            id: case.id.clone(),
            columns: BTreeMap::from([
                ("level", case.scenario.level.word().into()),
                ("title", case.scenario.title.clone().into()),
                ("tags", case.scenario.tags.clone().into()),
                ("machine", case.simulate.machine.name().into()),
                ("amd-smi", case.simulate.amd_smi.to_string().into()),
                ("checks", case.checks.iter().map(|check| check.spec.id().id()).collect()),
            ]),
        })
        .collect()
}

fn machines() -> Vec<Row> {
    machine_names()
        .into_iter()
        .map(|name| {
            let part = facts::part(name.strip_prefix("reference-").unwrap_or(name));
            let columns = part.map_or_else(BTreeMap::new, |part| {
                BTreeMap::from([("part", part.id.clone().into()), ("gfx", part.gfx.clone().into())])
            });
            Row { id: name.to_owned(), columns }
        })
        .collect()
}

fn tags(cases: &[Case]) -> Vec<Row> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for tag in cases.iter().flat_map(|case| &case.scenario.tags) {
        *counts.entry(tag).or_default() += 1;
    }
    counts.into_iter().map(|(tag, count)| counted(tag, count)).collect()
}

fn checks(cases: &[Case]) -> Vec<Row> {
    let having =
        |id: CheckId| cases.iter().filter(|case| case.checks.iter().any(|check| check.spec.id() == id)).count();
    CheckId::ALL.iter().map(|&id| counted(id.id(), having(id))).collect()
}

fn counted(name: &str, count: usize) -> Row {
    Row { id: name.to_owned(), columns: BTreeMap::from([("cases", count.into())]) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        list: ListArgs,
    }

    const SCENARIO: &str = r#"
title = "Two versions say how many devices there are"
why = "they count in different ways"
source = "facts/amd-smi.md 1.1"
tags = ["devices"]
[simulate]
machine = "mi300x"
amd-smi = ["26.2.1", "27.1.0"]
[[check]]
id = "devices.count"
"#;

    fn listed(args: &[&str], screen: Screen) -> Listed {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("count.toml"), SCENARIO).unwrap();
        let path = folder.path().display().to_string();
        let command = Command::try_parse_from(["list", &path].into_iter().chain(args.iter().copied())).unwrap();
        command.list.list(screen).unwrap()
    }

    const PIPE: Screen = Screen { terminal: false, width: None };
    const NARROW: Screen = Screen { terminal: true, width: Some(50) };

    #[test]
    fn a_pipe_gets_one_id_on_each_line() {
        let ids = "count::amd-smi=26.2.1\ncount::amd-smi=27.1.0\n";
        assert_eq!(listed(&[], PIPE), Listed { text: ids.to_owned(), exit: 0 });
    }

    #[test]
    fn a_terminal_gets_a_table_of_its_width() {
        let listed = listed(&["-E", "version(27.x)"], NARROW);
        assert!(listed.text.lines().all(|line| line.chars().count() <= 50), "{}", listed.text);
        assert!(listed.text.contains("observe"), "{}", listed.text);
        assert!(listed.text.ends_with("\ncases: 1\nnot selected: 1, the filter leaves it out\n"), "{}", listed.text);
    }

    #[test]
    fn nothing_selected_is_exit_code_4_in_every_format() {
        for format in ["human", "json", "ids"] {
            assert_eq!(listed(&["-E", "none()", "--format", format], PIPE).exit, 4, "{format}");
        }
    }

    #[test]
    fn tags_checks_and_machines_are_listed_on_request() {
        for (flag, expected) in
            [("--tags", "devices"), ("--checks", "memory.per-device"), ("--machines", "reference-mi300x")]
        {
            assert!(listed(&[flag], PIPE).text.lines().any(|line| line == expected), "{flag}");
        }
    }

    #[test]
    fn json_is_one_document_with_a_version() {
        let document: serde_json::Value = serde_json::from_str(&listed(&["--format", "json"], NARROW).text).unwrap();
        assert_eq!(document["schema"], FORMAT_VERSION);
        assert_eq!(document["cases"][1]["amd-smi"], "27.1.0");
    }
}
