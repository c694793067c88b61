//! How often a case failed on one side.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{Meaning, StatusWord};
use crate::run::CaseRecord;

/// How the tries of a case came out on one side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Tally {
    /// Tries that were evaluated.
    pub evaluated: u32,
    /// Of those, how many failed.
    pub failed: u32,
    /// Of those, how many passed where the scenario expects a failure.
    pub better: u32,
    /// Tries of which nobody can tell: not evaluated, not run to their end, skipped, or broken by our tool.
    pub unknown: u32,
    /// How often each status came.
    pub statuses: BTreeMap<StatusWord, u32>,
}

/// What the evaluated tries of one side say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fails {
    Never,
    Sometimes,
    Always,
    /// Not one was evaluated.
    Unknown,
}

impl Tally {
    /// Counts every try of these records.
    pub(super) fn of<'a>(records: impl Iterator<Item = &'a CaseRecord>) -> Self {
        let mut tally = Self::default();
        for record in records {
            let word = record.status.word();
            if record.tries.is_empty() {
                if word == StatusWord::Flaky {
                    // Repeats disagreed, and the record does not say how many there were: at least one of each.
                    tally.add(StatusWord::Pass);
                }
                tally.add(word);
            }
            record.tries.iter().for_each(|each| tally.add(each.status));
        }
        tally
    }

    fn add(&mut self, word: StatusWord) {
        *self.statuses.entry(word).or_default() += 1;
        let (evaluated, failed, better) = match word.meaning() {
            Meaning::AsExpected => (1, 0, 0),
            Meaning::Better => (1, 0, 1),
            Meaning::Failed => (1, 1, 0),
            Meaning::NotEvaluated | Meaning::Incomplete | Meaning::Skipped | Meaning::Broken => (0, 0, 0),
        };
        self.evaluated += evaluated;
        self.failed += failed;
        self.better += better;
        self.unknown += 1 - evaluated;
    }

    pub(super) const fn fails(&self) -> Fails {
        match (self.failed, self.evaluated) {
            (_, 0) => Fails::Unknown,
            (0, _) => Fails::Never,
            (failed, evaluated) if failed == evaluated => Fails::Always,
            _ => Fails::Sometimes,
        }
    }

    /// `fails 3 of 5`, `passes 5 of 5`, `not evaluated`.
    pub fn words(&self) -> String {
        let Self { evaluated, failed, unknown, .. } = self;
        let said = match self.fails() {
            Fails::Unknown => return self.statuses.keys().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Fails::Never => format!("passes {evaluated} of {evaluated}"),
            Fails::Sometimes | Fails::Always => format!("fails {failed} of {evaluated}"),
        };
        if *unknown > 0 { format!("{said}, {unknown} not evaluated") } else { said }
    }
}
