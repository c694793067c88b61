//! Known bugs of amd-smi and of what it stands on.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{Source, ToolVersion};
use crate::facts::embedded;
use crate::facts::entry::Entry;

use super::span::Span;

/// One known bug.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Bug {
    /// The upstream issue (`amdsmi#100`), or a name of ours where there is none.
    pub id: String,
    /// Other issues about it.
    #[serde(default)]
    pub also: Vec<String>,
    /// One line.
    pub title: String,
    /// What happens.
    pub what: String,
    /// Versions known to have it; an absent end is not established.
    #[serde(flatten)]
    pub span: Span,
    /// What to do instead.
    #[serde(rename = "do")]
    pub what_to_do: String,
    /// Who says so.
    pub source: Source,
}

impl Bug {
    /// Id of its entry: `bug.amdsmi-100`.
    pub fn entry_id(&self) -> String {
        format!("bug.{}", self.id.replace('#', "-"))
    }

    /// Whether a version may have it: it is in the known range, or the range is open there.
    pub fn may_affect(&self, version: ToolVersion) -> bool {
        self.span.contains(version)
    }
}

/// Every known bug. Source: facts/amd-smi.md section 4.
pub fn bugs() -> &'static [Bug] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        bug: Vec<Bug>,
    }
    static TABLE: LazyLock<File> =
        LazyLock::new(|| embedded::table("amd_smi_bugs.toml", include_str!("../data/amd_smi_bugs.toml")));
    &TABLE.bug
}

/// The bug with this id or upstream issue, in any case, with or without `ROCm/` in front. An issue about several bugs
/// finds the one that has it as its id, or else the first.
pub fn bug(name: &str) -> Option<&'static Bug> {
    let name = match name.get(..5) {
        Some(owner) if owner.eq_ignore_ascii_case("ROCm/") => &name[5..],
        Some(_) | None => name,
    };
    let by_id = bugs().iter().find(|bug| bug.id.eq_ignore_ascii_case(name));
    by_id.or_else(|| bugs().iter().find(|bug| bug.also.iter().any(|also| also.eq_ignore_ascii_case(name))))
}

/// Every bug as an entry: `bug.amdsmi-100`.
pub(super) fn bug_entries() -> impl Iterator<Item = Entry> {
    bugs().iter().map(|bug| {
        let also = if bug.also.is_empty() { String::new() } else { format!(" Also: {}.", bug.also.join(", ")) };
        Entry {
            id: bug.entry_id(),
            title: bug.title.clone(),
            what: bug.what.clone(),
            why: format!("Tool versions known to have it: {}.{also}", bug.span),
            source: bug.source.clone(),
            what_to_do: bug.what_to_do.clone(),
            see: Vec::new(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_finds_its_bug() {
        for (name, id) in [
            ("amdsmi#100", "amdsmi#100"),
            ("ROCm/amdsmi#100", "amdsmi#100"),
            ("rocm/ROCm#4750", "ROCm#4750"),
            ("rocm-systems#8531", "rocm-systems#4516"),
            ("amdsmi#97", "ROCm#4750"),
            ("elevation-for-root", "elevation-for-root"),
        ] {
            assert_eq!(bug(name).map(|bug| bug.id.as_str()), Some(id), "{name}");
        }
        for name in ["", "amdsmi#1", "ROCm/", "ößß##"] {
            assert_eq!(bug(name), None, "{name}");
        }
    }

    #[test]
    fn a_bug_affects_the_versions_that_were_seen_to_have_it() {
        let affects = |name: &str, version: &str| bug(name).unwrap().may_affect(version.parse().unwrap());
        assert!(affects("amdsmi#100", "27.1.0") && !affects("amdsmi#100", "24.5.2"));
        assert!(affects("partition-unbound-local", "26.2.1") && !affects("partition-unbound-local", "24.7.0"));
        assert!(affects("amdsmi#172", "24.5.2") && !affects("amdsmi#172", "27.1.0"));
        assert!(affects("rocm-systems#6088", "24.5.2"));
    }

    #[test]
    fn all_rows_of_the_list_are_there() {
        for row in 1..=20 {
            let cite = format!("section 4 row {row};");
            assert_eq!(bugs().iter().filter(|bug| bug.source.cite.contains(&cite)).count(), 1, "row {row}");
        }
    }
}
