//! The exit code of a run, from its cases. DESIGN section 5 holds the table.

use serde::{Deserialize, Serialize};

use crate::domain::Meaning;

use super::coverage::Coverage;
use super::record::{CaseRecord, Known};

/// Exit code of `validate run`, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Exit {
    /// Process exit code.
    pub code: u8,
    /// In words.
    pub reason: String,
}

impl Exit {
    /// Whether it says how cases came out: not that the run was stopped, cut off, or that our tool broke.
    pub const fn is_of_verdicts(&self) -> bool {
        matches!(self.code, 0..=3)
    }

    /// Whether the run came to its end: not interrupted, cut off or stopped.
    pub const fn is_an_end(&self) -> bool {
        matches!(self.code, 0..=4 | 70)
    }

    fn new(code: u8, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// The modes that a run found on its machine did not come back: nothing may go on there.
    pub fn unrestored(why: &str) -> Self {
        let next = "`validate partition restore` tries again";
        Self::new(112, format!("the partition modes found could not be brought back: {why}; {next}"))
    }

    /// Something was seen after which nothing on the machine can be trusted.
    pub fn stopped(why: &str) -> Self {
        Self::new(112, format!("stopped, since nothing can be trusted now: {why}"))
    }
}

/// Decides. `interrupted` is the signal that stopped the run.
pub fn exit_of(cases: &[CaseRecord], coverage: &Coverage, interrupted: Option<i32>) -> Exit {
    if let Some(signal) = interrupted {
        let code = u8::try_from(128 + signal).unwrap_or(130);
        return Exit::new(code, format!("interrupted by signal {signal}"));
    }
    if cases.is_empty() {
        return Exit::new(4, "nothing matched");
    }
    if cases.iter().all(|case| case.meaning() == Meaning::Skipped) {
        return Exit::new(4, "nothing was run: all of it is left out on purpose");
    }
    let count = |wanted: Meaning| cases.iter().filter(|case| case.meaning() == wanted).count();
    let failures = count(Meaning::Failed);
    let errors = count(Meaning::Broken);
    let aborted = count(Meaning::Incomplete);
    let gaps = count(Meaning::NotEvaluated);
    let better = count(Meaning::Better);
    if failures > 0 {
        Exit::new(1, format!("{failures} failed"))
    } else if errors > 0 {
        Exit::new(70, format!("{errors} ended in an error of rocvet itself"))
    } else if aborted > 0 {
        Exit::new(5, format!("{aborted} not run to the end: `validate run --resume RUN` goes on with them"))
    } else if gaps > 0 || coverage.evaluated < coverage.planned {
        Exit::new(3, "not everything was evaluated")
    } else if better > 0 {
        Exit::new(2, format!("{better} passed where a failure was expected"))
    } else {
        let excuse = |case: &&CaseRecord| matches!(case.known, Some(Known::Failure { .. } | Known::Flaky { .. }));
        match cases.iter().filter(excuse).count() {
            0 => Exit::new(0, "everything selected was evaluated and met its expectation"),
            known => Exit::new(0, format!("{known} failed as the baseline knows; all else met its expectation")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Status;
    use crate::run::record::Seconds;

    fn case(status: Status) -> CaseRecord {
        CaseRecord {
            id: "x".to_owned(),
            title: String::new(),
            why: String::new(),
            source: String::new(),
            status,
            findings: Vec::new(),
            duration: Seconds(0.0),
            memory: Vec::new(),
            tries: Vec::new(),
            question: None,
            environment: None,
            loaded: std::collections::BTreeMap::new(),
            worker: None,
            known: None,
            evidence: None,
        }
    }

    #[test]
    fn a_failure_that_is_known_fails_no_run_and_one_that_did_not_come_is_told() {
        let (reason, issue) = ("x".to_owned(), None);
        let known = Known::Failure { reason: reason.clone(), issue: issue.clone() };
        let flaky = Known::Flaky { reason: reason.clone(), issue: issue.clone() };
        let improved = Known::Improved { reason, issue };
        for (status, known, code) in [
            (Status::Fail, None, 1),
            (Status::Fail, Some(known.clone()), 0),
            (Status::Flaky, Some(flaky), 0),
            (Status::Pass, Some(improved), 2),
            (Status::NotEvaluated { reason: String::new() }, Some(known.clone()), 3),
            (Status::Error { problem: String::new() }, Some(known), 70),
            (Status::Skip { reason: String::new() }, None, 4),
        ] {
            let cases = [CaseRecord { known, ..case(status) }];
            assert_eq!(exit_of(&cases, &Coverage::of(&[]), None).code, code, "{cases:?}");
        }
    }

    #[test]
    fn the_worst_case_decides_and_nothing_run_is_no_success() {
        let gap = || Status::NotEvaluated { reason: "x".to_owned() };
        let error = || Status::Error { problem: "x".to_owned() };
        let table: &[(Vec<Status>, u8)] = &[
            (vec![], 4),
            (vec![Status::Pass, Status::ExpectedFailure, Status::ExpectedNotEvaluated], 0),
            (vec![Status::Pass, Status::UnexpectedPass], 2),
            (vec![Status::UnexpectedPass, gap()], 3),
            (vec![Status::Pass, Status::Aborted, gap()], 5),
            (vec![Status::Pass, error(), gap()], 70),
            (vec![Status::Fail, error(), Status::UnexpectedPass], 1),
            (vec![Status::Flaky, Status::Pass], 1),
        ];
        for (statuses, code) in table {
            let cases: Vec<_> = statuses.iter().cloned().map(case).collect();
            assert_eq!(exit_of(&cases, &Coverage::of(&cases), None).code, *code, "{statuses:?}");
        }
        assert_eq!(exit_of(&[case(Status::Fail)], &Coverage::of(&[]), Some(2)).code, 130);
        assert_eq!(exit_of(&[case(Status::Fail)], &Coverage::of(&[]), Some(15)).code, 143);
    }
}
