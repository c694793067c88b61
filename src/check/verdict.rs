//! From evaluations and expectations to the status of a case. One constructor, no default.

use serde::{Deserialize, Serialize};

use crate::domain::{CheckId, Expect, Failure, Provenance, Status};

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
    pub fn of(provenance: Provenance, mut checks: Vec<Judged>) -> Self {
        match provenance {
            Provenance::Hardware => checks.iter_mut().for_each(|judged| judged.expect = Expect::Met),
            Provenance::Simulated | Provenance::Recorded => {}
        }
        let worst = checks.iter().map(|judged| compare(&judged.expect, &judged.evaluation)).max();
        let status = match worst {
            None => Status::NotEvaluated { reason: "the case has no checks".to_owned() },
            Some(Match::Met) => Status::Pass,
            Some(Match::ExpectedGap) => Status::ExpectedNotEvaluated,
            Some(Match::ExpectedUnmet) => Status::ExpectedFailure,
            Some(Match::Better) => Status::UnexpectedPass,
            Some(Match::Gap(reason)) => Status::NotEvaluated { reason },
            Some(Match::Worse) => failure(&checks).into(),
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

/// What makes a case fail: of all that is not as the scenario expects, what says most.
fn failure(checks: &[Judged]) -> Failure {
    let worse = checks.iter().filter(|judged| compare(&judged.expect, &judged.evaluation) == Match::Worse);
    let unexpected = worse.flat_map(|judged| {
        judged.evaluation.with(Judgement::Unmet).filter(|finding| match &judged.expect {
            Expect::Unmet { finding: expected } => finding.id() != expected,
            Expect::Met | Expect::Doubtful { .. } | Expect::NotEvaluated { .. } => true,
        })
    });
    let each = unexpected.map(|finding| finding.means().unwrap_or(Failure::Fail));
    // Without a finding it is one that is missing.
    each.max_by_key(|failure| failure.rank()).unwrap_or(Failure::Fail)
}

impl Judged {
    /// Whether the check came out as the scenario expects.
    pub fn as_expected(&self) -> bool {
        matches!(compare(&self.expect, &self.evaluation), Match::Met | Match::ExpectedGap | Match::ExpectedUnmet)
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

#[cfg(test)]
mod tests {
    use super::super::evaluation::{Collector, GapKind};
    use super::super::memory_per_device::ABOUT;
    use super::*;

    const MET: &[&str] = &["met"];
    const UNMET: &[&str] = &["met", "kfd-differs"];
    const TWO: &[&str] = &["kfd-differs", "split-differs"];
    const DOUBT: &[&str] = &["met", "?whole-gpu-on-partition-0"];
    const GAP: &[&str] = &["met", "gap"];
    const UNMET_AND_GAP: &[&str] = &["kfd-differs", "gap"];

    /// An evaluation in short: `met`, `gap`, `?doubtful`, or the id of an unmet finding.
    fn made(short: &[&'static str]) -> Evaluation {
        let mut collector = Collector::new(&ABOUT);
        for &word in short {
            match word {
                "met" => collector.met("x", "1", "1"),
                "gap" => collector.gap(GapKind::NotReported, "x", "nobody said"),
                word => match word.strip_prefix('?') {
                    Some(id) => collector.doubtful(id, "x", "1", "2"),
                    None => collector.unmet(word, "x", "1", "2"),
                },
            }
        }
        collector.finish()
    }

    fn status(provenance: Provenance, expect: &Expect, short: &[&'static str]) -> String {
        let judged = Judged { check: CheckId::MemoryPerDevice, expect: expect.clone(), evaluation: made(short) };
        Verdict::of(provenance, vec![judged]).status().word().name().to_owned()
    }

    #[test]
    fn what_a_scenario_expects_decides_on_simulated_hosts() {
        let unmet = |id: &str| Expect::Unmet { finding: id.to_owned() };
        let doubtful = |id: &str| Expect::Doubtful { finding: id.to_owned() };
        let gap = |reason: &str| Expect::NotEvaluated { reason: reason.to_owned() };
        let table: &[(Expect, &[&'static str], &str)] = &[
            (Expect::Met, MET, "pass"),
            (Expect::Met, DOUBT, "pass"),
            (Expect::Met, UNMET, "fail"),
            (Expect::Met, GAP, "not-evaluated"),
            (Expect::Met, UNMET_AND_GAP, "fail"),
            (unmet("kfd-differs"), UNMET, "expected-failure"),
            (unmet("kfd-differs"), UNMET_AND_GAP, "expected-failure"),
            (unmet("split-differs"), UNMET, "fail"),
            (unmet("kfd-differs"), TWO, "fail"),
            (unmet("kfd-differs"), MET, "unexpected-pass"),
            (unmet("kfd-differs"), DOUBT, "unexpected-pass"),
            (unmet("kfd-differs"), GAP, "not-evaluated"),
            (doubtful("whole-gpu-on-partition-0"), DOUBT, "expected-failure"),
            (doubtful("uuid-shared"), DOUBT, "fail"),
            (doubtful("whole-gpu-on-partition-0"), MET, "unexpected-pass"),
            (doubtful("whole-gpu-on-partition-0"), UNMET, "fail"),
            (doubtful("whole-gpu-on-partition-0"), GAP, "not-evaluated"),
            (gap("nobody"), GAP, "expected-not-evaluated"),
            (gap("hung"), GAP, "fail"),
            (gap("nobody"), MET, "unexpected-pass"),
            (gap("nobody"), UNMET, "fail"),
            (gap("nobody"), UNMET_AND_GAP, "fail"),
        ];
        for (expect, short, word) in table {
            for provenance in [Provenance::Simulated, Provenance::Recorded] {
                assert_eq!(status(provenance, expect, short), *word, "{expect:?} {short:?}");
            }
        }
    }

    #[test]
    fn on_hardware_a_finding_is_a_finding_whatever_was_expected() {
        let expectations = [
            Expect::Met,
            Expect::Unmet { finding: "kfd-differs".to_owned() },
            Expect::NotEvaluated { reason: "nobody".to_owned() },
        ];
        for expect in &expectations {
            for (short, word) in [(MET, "pass"), (UNMET, "fail"), (GAP, "not-evaluated"), (DOUBT, "pass")] {
                assert_eq!(status(Provenance::Hardware, expect, short), word, "{expect:?} {short:?}");
            }
        }
    }

    /// An evaluation with findings of these meanings, each with an id of its own.
    fn meaning(each: &[Failure]) -> Evaluation {
        let ids = ["kfd-differs", "split-differs", "whole-gpu-again", "not-the-formula"];
        let mut collector = Collector::new(&ABOUT);
        for (failure, id) in each.iter().zip(ids.into_iter().filter(|id| ABOUT.finding(id).is_some()).cycle()) {
            collector.failed((id, *failure), "x", "1", "2");
        }
        collector.finish()
    }

    const ABORT: Failure = Failure::Crash { signal: crate::domain::Signal(6) };

    #[test]
    fn what_says_most_of_several_failures_is_the_status() {
        for (each, status) in [
            (&[Failure::Fail, ABORT][..], "crash(SIGABRT)"),
            (&[ABORT, Failure::Hang], "crash(SIGABRT)"),
            (&[Failure::KernelFault, Failure::Hang], "hang"),
            (&[Failure::NumericError, Failure::KernelFault], "kernel-fault"),
            (&[Failure::CpuFallback, Failure::NumericError], "cpu-fallback"),
            (&[Failure::Flaky, Failure::NumericError], "numeric-error"),
            (&[Failure::Flaky, Failure::Fail], "flaky"),
            (&[Failure::Collateral, Failure::Fail], "fail"),
            (&[Failure::Collateral], "collateral"),
        ] {
            for order in [each.to_vec(), each.iter().rev().copied().collect()] {
                let checks = order.iter().map(|failure| Judged {
                    check: CheckId::MemoryPerDevice,
                    expect: Expect::Met,
                    evaluation: meaning(&[*failure]),
                });
                let verdict = Verdict::of(Provenance::Hardware, checks.collect());
                assert_eq!(verdict.status().to_string(), status, "{order:?}");
            }
        }
    }

    #[test]
    fn a_failure_that_a_scenario_expects_gives_the_case_no_name() {
        let judged = |expect, evaluation| Judged { check: CheckId::MemoryPerDevice, expect, evaluation };
        let crash = |finding: &str| Expect::Unmet { finding: finding.to_owned() };
        let expected = judged(crash("kfd-differs"), meaning(&[ABORT]));
        let of = |checks: &[&Judged]| {
            Verdict::of(Provenance::Simulated, checks.iter().map(|&each| each.clone()).collect()).status().to_string()
        };
        assert_eq!(of(&[&expected]), "expected-failure");
        assert_eq!(of(&[&expected, &judged(Expect::Met, made(UNMET))]), "fail", "the crash was expected");
        assert_eq!(of(&[&judged(crash("split-differs"), meaning(&[ABORT]))]), "crash(SIGABRT)", "another one was");
    }

    #[test]
    fn the_worst_check_decides_and_no_check_is_no_pass() {
        let judged = |expect, short| Judged { check: CheckId::MemoryPerDevice, expect, evaluation: made(short) };
        let of = |checks| Verdict::of(Provenance::Simulated, checks).status().word().name();
        assert_eq!(of(vec![judged(Expect::Met, MET), judged(Expect::Met, UNMET)]), "fail");
        assert_eq!(of(vec![judged(Expect::Met, GAP), judged(Expect::Met, MET)]), "not-evaluated");
        assert_eq!(of(Vec::new()), "not-evaluated");
        assert_eq!(of(vec![judged(Expect::Met, &[])]), "not-evaluated");
    }
}
