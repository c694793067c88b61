//! From evaluations and expectations to the status of a case. One constructor, no default.

use serde::{Deserialize, Serialize};

use crate::domain::{CheckId, Expect, Provenance, Status};

use super::evaluation::{Evaluation, Finding, Judgement};

/// One check of a case: what was expected of it and what it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Which check.
    pub check: CheckId,
    /// What the scenario expects of it.
    pub expect: Expect,
    /// What it made.
    pub evaluation: Evaluation,
}

/// The verdict of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    status: Status,
    checks: Vec<Judged>,
}

/// How one check compares with what the scenario expects of it. Ordered: the worst decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    Met,
    ExpectedGap,
    ExpectedUnmet,
    /// A failure was expected and did not come.
    Better,
    Gap(String),
    Worse,
}

impl Verdict {
    /// Compares what each check made with what the scenario expects of it.
    ///
    /// On hardware `expect` changes nothing: a finding there is a finding.
    pub fn of(provenance: Provenance, checks: Vec<Judged>) -> Self {
        let worst = checks
            .iter()
            .map(|judged| match provenance {
                Provenance::Hardware => compare(&Expect::Met, &judged.evaluation),
                Provenance::Simulated | Provenance::Recorded => compare(&judged.expect, &judged.evaluation),
            })
            .max();
        let status = match worst {
            None => Status::NotEvaluated { reason: "the case has no checks".to_owned() },
            Some(Match::Met) => Status::Pass,
            Some(Match::ExpectedGap) => Status::ExpectedNotEvaluated,
            Some(Match::ExpectedUnmet) => Status::ExpectedFailure,
            Some(Match::Better) => Status::UnexpectedPass,
            Some(Match::Gap(reason)) => Status::NotEvaluated { reason },
            Some(Match::Worse) => Status::Fail,
        };
        Self { status, checks }
    }

    /// The status of the case.
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// Every check of the case.
    pub fn checks(&self) -> &[Judged] {
        &self.checks
    }
}

impl Judged {
    /// Whether the check came out as the scenario expects.
    pub fn as_expected(&self) -> bool {
        matches!(compare(&self.expect, &self.evaluation), Match::Met | Match::ExpectedGap | Match::ExpectedUnmet)
    }

    /// Whether it counts for coverage: a planted fault is no part of the machine's share.
    pub const fn counts_for_coverage(&self) -> bool {
        matches!(self.expect, Expect::Met)
    }
}

fn compare(expect: &Expect, made: &Evaluation) -> Match {
    let unmet: Vec<&Finding> = made.with(Judgement::Unmet).collect();
    let gap = made.gaps().first();
    match expect {
        Expect::Met if !unmet.is_empty() => Match::Worse,
        Expect::Met => gap.map_or(Match::Met, |gap| Match::Gap(format!("{}: {}", gap.subject, gap.reason))),
        Expect::Unmet { finding } => match unmet.as_slice() {
            [] => gap.map_or(Match::Better, |gap| Match::Gap(format!("{}: {}", gap.subject, gap.reason))),
            // Another finding beside the expected one would be a second, unexpected failure.
            all if all.iter().all(|each| each.id() == finding) => Match::ExpectedUnmet,
            _ => Match::Worse,
        },
        Expect::Doubtful { finding } => {
            let doubtful: Vec<&Finding> = made.with(Judgement::Doubtful).collect();
            match (unmet.is_empty(), doubtful.as_slice()) {
                (false, _) => Match::Worse,
                (true, []) => gap.map_or(Match::Better, |gap| Match::Gap(format!("{}: {}", gap.subject, gap.reason))),
                (true, all) if all.iter().any(|each| each.id() == finding) => Match::ExpectedUnmet,
                (true, _) => Match::Worse,
            }
        }
        Expect::NotEvaluated { reason } => match gap {
            _ if !unmet.is_empty() => Match::Worse,
            Some(_) if made.gaps().iter().any(|gap| gap.reason.contains(reason.as_str())) => Match::ExpectedGap,
            Some(_) => Match::Worse,
            None => Match::Better,
        },
    }
}
