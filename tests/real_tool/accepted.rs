//! `accepted.toml`: differences that are accepted, and the proof that each is still one.

use std::collections::BTreeSet;

use globset::{Glob, GlobMatcher};
use regex::Regex;
use rocvet::domain::ToolVersion;
use serde::Deserialize;

use crate::plan::{Call, Scene};

/// The table.
pub struct Accepted {
    entries: Vec<Entry>,
}

/// One accepted difference.
pub struct Entry {
    tool: Option<ToolVersion>,
    call: GlobMatcher,
    machine: GlobMatcher,
    mask: Regex,
    with: String,
    /// Why.
    pub reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    accepted: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    tool: Option<String>,
    #[serde(default = "any")]
    call: String,
    #[serde(default = "any")]
    machine: String,
    mask: String,
    #[serde(default = "marked")]
    with: String,
    reason: String,
}

fn marked() -> String {
    "<accepted>".to_owned()
}

fn any() -> String {
    "*".to_owned()
}

impl Accepted {
    /// Reads the table.
    pub fn read(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let entries: Result<Vec<Entry>, String> = file.accepted.into_iter().map(Entry::read).collect();
        Ok(Self { entries: entries? })
    }

    /// Entry by number.
    pub fn entry(&self, number: usize) -> Option<&Entry> {
        self.entries.get(number)
    }

    /// The entries that make two outputs the same, none of them without need; `None` when all together do not.
    pub fn reconcile(&self, scene: &Scene, call: &Call, left: &str, right: &str) -> Option<BTreeSet<usize>> {
        let applies = |entry: &Entry| {
            entry.tool.is_none_or(|tool| tool == scene.tool)
                && entry.call.is_match(call.args.join(" "))
                && entry.machine.is_match(scene.to_string())
        };
        let mut used: BTreeSet<usize> =
            self.entries.iter().enumerate().filter(|(_, entry)| applies(entry)).map(|(number, _)| number).collect();
        if !self.same(&used, left, right) {
            return None;
        }
        for number in used.clone() {
            let mut fewer = used.clone();
            fewer.remove(&number);
            if self.same(&fewer, left, right) {
                used = fewer;
            }
        }
        Some(used)
    }

    fn same(&self, entries: &BTreeSet<usize>, left: &str, right: &str) -> bool {
        let masked = |text: &str| {
            let masks = entries.iter().filter_map(|&number| self.entries.get(number));
            masks.fold(text.to_owned(), |text, entry| {
                entry.mask.replace_all(&text, regex::NoExpand(&entry.with)).into_owned()
            })
        };
        masked(left) == masked(right)
    }

    /// Entries that no call of a whole run needed: the shim is better than the table says.
    pub fn stale(&self, used: &BTreeSet<usize>, tools: &[ToolVersion]) -> Vec<String> {
        let asked = |entry: &Entry| entry.tool.is_none_or(|tool| tools.contains(&tool));
        let unused = self.entries.iter().enumerate().filter(|(number, entry)| !used.contains(number) && asked(entry));
        unused
            .map(|(_, entry)| format!("stale: nothing differs any more by {:?} ({})", entry.mask, entry.reason))
            .collect()
    }
}

impl Entry {
    fn read(row: Row) -> Result<Self, String> {
        let glob = |text: &str| Glob::new(text).map(|glob| glob.compile_matcher()).map_err(|error| error.to_string());
        if row.reason.trim().is_empty() {
            return Err(format!("{:?} has no reason", row.mask));
        }
        Ok(Self {
            tool: row.tool.map(|tool| tool.parse().map_err(|error| format!("{error}"))).transpose()?,
            call: glob(&row.call)?,
            machine: glob(&row.machine)?,
            mask: Regex::new(&row.mask).map_err(|error| error.to_string())?,
            with: row.with,
            reason: row.reason,
        })
    }
}

/// The rules of this file, as tests.
pub mod tests {
    use super::*;
    use crate::plan;

    const TABLE: &str = "[[accepted]]\ntool = '24.5.2'\ncall = 'list*'\nmask = 'at [0-9]+'\nreason = 'stray memory'\n\
                         [[accepted]]\nmask = 'by [a-z]+'\nreason = 'a name'\n";

    fn scene(tool: &str) -> (Scene, Call) {
        let text = "[groups]\n[[scene]]\nmachine = 'mi300x'\ncalls = ['list --json']";
        let scene = plan::read(text, tool.parse().unwrap(), false).unwrap().remove(0);
        let call = scene.calls[0].clone();
        (scene, call)
    }

    /// Only what an entry names may differ, on its own tool.
    pub fn only_what_is_named_is_accepted() {
        let table = Accepted::read(TABLE).unwrap();
        let (old, call) = scene("24.5.2");
        let (new, _) = scene("27.1.0");
        let found = |scene: &Scene, left: &str, right: &str| table.reconcile(scene, &call, left, right);
        assert_eq!(found(&old, "x at 1", "x at 2"), Some([0].into()));
        assert_eq!(found(&old, "x at 1 by me", "x at 1 by you"), Some([1].into()), "the first is not needed");
        assert_eq!(found(&old, "x at 1 by me", "x at 2 by you"), Some([0, 1].into()));
        assert_eq!(found(&old, "x at 1", "y at 1"), None);
        assert_eq!(found(&old, "x at 1", "x at 2 "), None);
        assert_eq!(found(&new, "x at 1", "x at 2"), None, "the entry is one of 24.5.2");
    }

    /// An entry that was not needed is told, unless its tool was not run.
    pub fn an_unused_entry_is_stale() {
        let table = Accepted::read(TABLE).unwrap();
        let tools = ["24.5.2", "27.1.0"].map(|tool| tool.parse().unwrap());
        assert_eq!(table.stale(&[0].into(), &tools).len(), 1);
        assert_eq!(table.stale(&[].into(), &tools).len(), 2);
        assert_eq!(table.stale(&[1].into(), &tools[1..]).len(), 0);
    }

    /// The table that is shipped reads, and each entry says why.
    pub fn the_table_reads() {
        Accepted::read(include_str!("accepted.toml")).unwrap();
        assert!(Accepted::read("[[accepted]]\nmask = 'x'\nreason = ' '").is_err());
        assert!(Accepted::read("[[accepted]]\nmask = '('\nreason = 'x'").is_err());
    }
}
