//! How much of what was planned was evaluated. Counted from the cases, never beside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::Status;

use super::record::{CaseRecord, Known};

/// Checks evaluated out of checks planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Coverage {
    /// Checks planned, in cases that expect everything to be met and of which no baseline knows that they fail.
    pub planned: usize,
    /// Of those, evaluated in full.
    pub evaluated: usize,
    /// Why the others were not.
    pub gaps: Vec<Gaps>,
}

/// Checks not evaluated for one kind of reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Gaps {
    /// In words.
    pub reason: String,
    /// How many checks.
    pub checks: usize,
}

impl Coverage {
    /// Counts.
    pub fn of(cases: &[CaseRecord]) -> Self {
        let mut planned = 0;
        let mut gaps: BTreeMap<&'static str, usize> = BTreeMap::new();
        for case in cases {
            // What is known to crash leaves checks without a reading, and that is known with it.
            if let Some(Known::Failure { .. } | Known::Flaky { .. }) = case.known {
                continue;
            }
            if let Status::Aborted | Status::Error { .. } = &case.status {
                planned += 1;
                *gaps.entry("not run to its end").or_default() += 1;
                continue;
            }
            for check in case.findings.iter().filter(|check| check.counts_for_coverage()) {
                planned += 1;
                if let Some(gap) = check.gaps.first() {
                    *gaps.entry(gap.kind.words()).or_default() += 1;
                }
            }
        }
        let missed: usize = gaps.values().sum();
        let gaps = gaps.into_iter().map(|(reason, checks)| Gaps { reason: reason.to_owned(), checks }).collect();
        Self { planned, evaluated: planned - missed, gaps }
    }

    /// `412 of 430 evaluated; 18 not: 11 no permission, 7 not applicable`.
    pub fn line(&self) -> String {
        let mut line = format!("{} of {} checks evaluated", self.evaluated, self.planned);
        if self.evaluated < self.planned {
            let reasons: Vec<_> = self.gaps.iter().map(|gap| format!("{} {}", gap.checks, gap.reason)).collect();
            line.push_str(&format!("; {} not: {}", self.planned - self.evaluated, reasons.join(", ")));
        }
        line
    }
}
