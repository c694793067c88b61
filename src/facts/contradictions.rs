//! What documents claim about partitions and amd-smi, and what is true.

use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::Source;

use super::embedded;
use super::entry::Entry;

/// One claim with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contradiction {
    /// Id without its prefix: `48-vs-24`.
    pub id: String,
    /// What a document says.
    pub claim: String,
    /// How the claim stands.
    pub verdict: Claim,
    /// What is so.
    pub truth: String,
    /// What shows it.
    pub evidence: String,
    /// What to do.
    #[serde(rename = "do")]
    pub what_to_do: String,
    /// Related entries.
    pub see: Vec<String>,
    /// Scenarios that hold the right answer, by id; empty where a simulated machine cannot show it.
    pub scenarios: Vec<String>,
    /// Who says so.
    pub source: Source,
}

/// How a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// Right.
    True,
    /// Wrong.
    False,
    /// Right of some machines or versions.
    Partly,
    /// Nobody knows.
    Open,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::True => "true",
            Self::False => "false",
            Self::Partly => "partly true",
            Self::Open => "open",
        })
    }
}

/// Every contradiction, in the order of the documents.
pub fn contradictions() -> &'static [Contradiction] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        contradiction: Vec<Contradiction>,
    }
    static TABLE: LazyLock<File> =
        LazyLock::new(|| embedded::table("contradictions.toml", include_str!("data/contradictions.toml")));
    &TABLE.contradiction
}

/// Every contradiction as an entry.
pub(super) fn contradiction_entries() -> impl Iterator<Item = Entry> {
    contradictions().iter().map(|each| Entry {
        id: format!("contradiction.{}", each.id),
        title: each.claim.clone(),
        what: format!("The claim is {}. {}", each.verdict, each.truth),
        why: each.evidence.clone(),
        source: each.source.clone(),
        what_to_do: each.what_to_do.clone(),
        see: each.see.iter().cloned().chain(each.scenarios.iter().map(|id| format!("scenarios/{id}.toml"))).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_is_named_exists() {
        let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"));
        for each in contradictions() {
            for id in &each.scenarios {
                assert!(root.join(format!("{id}.toml")).is_file(), "{}: {id}", each.id);
            }
        }
    }

    #[test]
    fn a_contradiction_without_a_scenario_is_about_documents_only() {
        let without = contradictions().iter().filter(|each| each.scenarios.is_empty()).map(|each| each.id.as_str());
        let about_documents = ["mi325x-nps2", "vbios-name-means-vf", "cpx-nps4-bandwidth"];
        assert_eq!(without.collect::<Vec<_>>(), about_documents);
    }
}
