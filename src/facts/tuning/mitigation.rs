//! What people do against crashes, and what was reported of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::Source;

use super::super::embedded;
use super::super::entry::Entry;

/// One mitigation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mitigation {
    /// Id without its prefix: `native-build`.
    pub id: String,
    /// What it changes.
    pub kind: MitigationKind,
    /// One line.
    pub title: String,
    /// What it really does.
    pub what: String,
    /// Why it is tried.
    pub why: String,
    /// What to do with it.
    #[serde(rename = "do")]
    pub what_to_do: String,
    /// It goes back to an older stack or kernel.
    #[serde(default)]
    pub downgrade: bool,
    /// What it sets in the environment or on the kernel's command line, where that can be said.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// What was reported of it; never empty.
    #[serde(rename = "report")]
    pub reports: Vec<Report>,
    /// Who says so.
    pub source: Source,
}

/// What a mitigation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MitigationKind {
    /// Which torch and ROCm.
    Stack,
    /// Environment variables.
    Environment,
    /// The kernel, or its parameters.
    Kernel,
    /// Which solvers MIOpen may use.
    Solver,
    /// Boards and firmware.
    Hardware,
}

/// What was reported of one mitigation on some machines.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// ISAs, or machines in words.
    pub on: Vec<String>,
    /// How it came out.
    pub result: Reported,
    /// In which circumstances; may be empty.
    pub note: String,
    /// Who says so.
    pub source: Source,
}

/// How a mitigation came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reported {
    /// The crash went away.
    Helped,
    /// It came later.
    Delayed,
    /// It stayed.
    DidNotHelp,
    /// Nobody reported anything.
    NoneFound,
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Helped => "helped",
            Self::Delayed => "delayed it",
            Self::DidNotHelp => "did not help",
            Self::NoneFound => "no report found",
        })
    }
}

impl Mitigation {
    /// Id of its entry.
    pub fn entry_id(&self) -> String {
        format!("mitigation.{}", self.id)
    }

    /// The ISAs that it is for, where each report names some; empty where any machine may be meant.
    pub fn only(&self) -> Vec<&str> {
        let on = || self.reports.iter().flat_map(|report| &report.on);
        if on().all(|machine| machine.starts_with("gfx")) { on().map(String::as_str).collect() } else { Vec::new() }
    }
}

/// Every mitigation.
pub fn mitigations() -> &'static [Mitigation] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        mitigation: Vec<Mitigation>,
    }
    static TABLE: LazyLock<File> =
        LazyLock::new(|| embedded::table("mitigations.toml", include_str!("../data/mitigations.toml")));
    &TABLE.mitigation
}

/// The mitigation with this id.
pub fn mitigation(id: &str) -> Option<&'static Mitigation> {
    mitigations().iter().find(|each| each.id == id)
}

pub(super) fn entries() -> impl Iterator<Item = Entry> {
    mitigations().iter().map(|each| Entry {
        id: each.entry_id(),
        title: each.title.clone(),
        what: format!("{}{}{}", each.what, setting(each), reports(each)),
        why: each.why.clone(),
        source: each.source.clone(),
        what_to_do: each.what_to_do.clone(),
        see: each.set.keys().filter_map(|name| entry_of(name)).collect(),
    })
}

fn setting(each: &Mitigation) -> String {
    let words: Vec<String> = each.set.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if words.is_empty() { String::new() } else { format!(" Sets {}.", words.join(" ")) }
}

fn reports(each: &Mitigation) -> String {
    let told = |report: &Report| {
        let note = if report.note.is_empty() { String::new() } else { format!(" ({})", report.note) };
        format!(" On {}: {}{note}, {}.", report.on.join(", "), report.result, report.source.confidence)
    };
    each.reports.iter().map(told).collect()
}

fn entry_of(name: &str) -> Option<String> {
    match super::parameter(name) {
        Some(parameter) => Some(parameter.entry_id()),
        None => super::variable(name).map(|_| format!("env.{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mitigation_has_a_report_and_an_id_of_its_own() {
        for (at, each) in mitigations().iter().enumerate() {
            assert!(!each.reports.is_empty(), "{}", each.id);
            assert!(mitigations()[..at].iter().all(|other| other.id != each.id), "{} twice", each.id);
        }
    }

    #[test]
    fn downgrades_say_what_came_of_them() {
        let downgrades: Vec<_> = mitigations().iter().filter(|each| each.downgrade).collect();
        let ids: Vec<_> = downgrades.iter().map(|each| each.id.as_str()).collect();
        assert_eq!(ids, ["torch-1.13.1-rocm5.2", "rocm-5.7", "kernel-6.17.9"]);
        let refuted = mitigation("rocm-5.7").unwrap();
        assert!(refuted.reports.iter().all(|report| report.result == Reported::DidNotHelp));
    }

    #[test]
    fn the_pair_that_is_recommended_most_helped_nobody() {
        let pair = mitigation("noretry-fragment-size").unwrap();
        assert!(pair.reports.iter().all(|report| report.result != Reported::Helped));
    }
}
