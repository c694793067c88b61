//! One case, compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::check::{Finding, Judgement};
use crate::domain::{Expect, Status};

use super::class::{Class, classify};
use super::facts::{FactChange, differences};
use super::pair::{Pair, Record};
use super::tally::{Fails, Tally};

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct CaseChange {
    /// Its id; of a case that has another id on each side, the candidate's.
    pub id: String,
    /// Its id in the base, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_id: Option<String>,
    /// What it claims.
    pub title: String,
    /// What became of it.
    pub class: Class,
    /// Why it is called so, in one line.
    pub why: String,
    /// How its tries came out in the base; `None` where it is not in there.
    pub base: Option<Tally>,
    /// How they came out in the candidate.
    pub candidate: Option<Tally>,
    /// Probability that chance alone explains counts so far apart, where one side is mixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// Parts of the environment that differ and must not.
    pub differs: Vec<FactChange>,
    /// What else differs between the simulated machines that it had for itself.
    pub stack: Vec<FactChange>,
    /// Findings of the candidate that the base does not have.
    pub new: Vec<Seen>,
    /// Findings of both.
    pub still: Vec<Seen>,
    /// Findings of the base that the candidate does not have.
    pub gone: Vec<Seen>,
    /// What could not be evaluated, and why.
    pub gaps: Vec<String>,
    /// Folders with every call's output in the candidate: `RUN/evidence/…`.
    pub evidence: Vec<String>,
    /// Folders with every call's output in the base.
    pub base_evidence: Vec<String>,
    /// Command that runs it again as in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
}

/// A finding that was not met, once for all its subjects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Seen {
    /// `devices.count [one-short]`; for a case that ended without findings, its status.
    pub what: String,
    /// Its first subject.
    pub subject: String,
    /// Further subjects.
    pub more: usize,
    /// What was expected.
    pub expected: String,
    /// What was observed.
    pub observed: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Findings by name.
type Findings = BTreeMap<String, Seen>;

impl CaseChange {
    pub(super) fn of(pair: &Pair<'_>, significance: f64) -> Option<Self> {
        let first = pair.candidate.first().or(pair.base.first())?;
        let base_id = pair.base.first().map(|record| record.case.id.clone()).filter(|id| *id != first.case.id);
        let (base, candidate) = (tally(&pair.base), tally(&pair.candidate));
        let differs = differing(pair);
        let (was, is) = (findings(&pair.base), findings(&pair.candidate));
        let not_in = |one: &Findings, other: &Findings| -> Vec<Seen> {
            one.iter().filter(|(name, _)| !other.contains_key(*name)).map(|(_, seen)| seen.clone()).collect()
        };
        let (new, gone) = (not_in(&is, &was), not_in(&was, &is));
        let still = is.iter().filter(|(name, _)| was.contains_key(*name)).map(|(_, seen)| seen.clone()).collect();
        let (class, chance) = match (&base, &candidate) {
            (Some(_), Some(_)) if !differs.is_empty() => (Class::NotComparable, None),
            (Some(base), Some(candidate)) => match classify(base, candidate, significance) {
                (Class::StillFailing, _) if !new.is_empty() => (Class::FailsOtherwise, None),
                classified => classified,
            },
            (None, _) | (_, None) => (Class::Missing, None),
        };
        let told = class != Class::Unchanged;
        Some(Self {
            id: first.case.id.clone(),
            base_id,
            title: first.case.title.clone(),
            class,
            why: why(class, base.as_ref(), candidate.as_ref(), chance, &differs),
            base,
            candidate,
            chance,
            differs,
            stack: if told { stack(pair) } else { Vec::new() },
            new,
            still,
            gone,
            gaps: if class == Class::NotEvaluated { gaps(pair) } else { Vec::new() },
            evidence: if told { evidence(&pair.candidate) } else { Vec::new() },
            base_evidence: if told { evidence(&pair.base) } else { Vec::new() },
            again: pair
                .candidate
                .first()
                .filter(|_| told)
                .map(|record| format!("{} -E 'id({})'", record.run.run.again, record.case.id)),
        })
    }
}

fn tally(records: &[Record<'_>]) -> Option<Tally> {
    (!records.is_empty()).then(|| Tally::of(records.iter().map(|record| record.case)))
}

/// What has to be the same and is not: where a case ran, and what it asked. What a record does not state is not held
/// against it.
fn differing(pair: &Pair<'_>) -> Vec<FactChange> {
    let environments = |records: &[Record<'_>]| -> Vec<BTreeMap<String, String>> {
        let own = |record: &Record<'_>| record.case.environment.clone().or_else(|| record.run.environment.clone());
        records.iter().filter_map(|record| own(record).map(|each| each.machine)).collect()
    };
    let asked = |records: &[Record<'_>]| -> Vec<BTreeMap<String, String>> {
        let of = |record: &Record<'_>| {
            let question = record.case.question.as_ref()?;
            Some([("scenario text".to_owned(), question.scenario.clone())].into())
        };
        records.iter().filter_map(of).collect()
    };
    let provenance = |records: &[Record<'_>]| -> Vec<BTreeMap<String, String>> {
        let of = |record: &Record<'_>| [("provenance".to_owned(), record.run.provenance.to_string())].into();
        records.iter().map(of).collect()
    };
    let mut all = Vec::new();
    for part in [&provenance as &dyn Fn(&[Record<'_>]) -> Vec<BTreeMap<String, String>>, &environments, &asked] {
        let (base, candidate) = (part(&pair.base), part(&pair.candidate));
        all.extend(differences(&base.iter().collect::<Vec<_>>(), &candidate.iter().collect::<Vec<_>>(), true));
    }
    all
}

fn stack(pair: &Pair<'_>) -> Vec<FactChange> {
    let of = |records: &[Record<'_>]| -> Vec<BTreeMap<String, String>> {
        records.iter().filter_map(|record| Some(record.case.environment.as_ref()?.stack.clone())).collect()
    };
    let (base, candidate) = (of(&pair.base), of(&pair.candidate));
    differences(&base.iter().collect::<Vec<_>>(), &candidate.iter().collect::<Vec<_>>(), false)
}

/// What failed, by name: the findings that no scenario expects; of a case that failed without any, its status.
fn findings(records: &[Record<'_>]) -> Findings {
    let mut all = Findings::new();
    for Record { case, .. } in records {
        let mut named = false;
        for check in case.findings.iter().filter(|check| !check.as_expected) {
            for finding in check.findings.iter().filter(|finding| counts(finding, &check.expect)) {
                named = true;
                let name = format!("{} [{}]", check.check, finding.id());
                all.entry(name.clone()).and_modify(|seen| seen.more += 1).or_insert_with(|| seen(name, finding));
            }
        }
        // How a worker died is what failed, whatever was found beside it.
        let died = match &case.status {
            Status::Crash { .. }
            | Status::Hang
            | Status::MachineHang
            | Status::KernelFault
            | Status::NumericError
            | Status::CpuFallback
            | Status::Collateral => true,
            Status::Fail => !named,
            Status::Pass
            | Status::Flaky
            | Status::ExpectedFailure
            | Status::ExpectedNotEvaluated
            | Status::UnexpectedPass
            | Status::Skip { .. }
            | Status::NotEvaluated { .. }
            | Status::Missing
            | Status::Aborted
            | Status::Error { .. } => false,
        };
        if died {
            let what = case.status.to_string();
            let empty = String::new();
            let seen = Seen {
                what: what.clone(),
                subject: empty.clone(),
                more: 0,
                expected: empty.clone(),
                observed: empty,
                next: None,
            };
            all.entry(what).or_insert(seen);
        }
    }
    all
}

/// Whether a finding is what made its check come out otherwise than expected.
fn counts(finding: &Finding, expect: &Expect) -> bool {
    match expect {
        Expect::Unmet { finding: id } => finding.judgement() == Judgement::Unmet && finding.id() != id,
        Expect::Met | Expect::Doubtful { .. } | Expect::NotEvaluated { .. } => finding.judgement() == Judgement::Unmet,
    }
}

fn seen(what: String, finding: &Finding) -> Seen {
    Seen {
        what,
        subject: finding.subject().to_owned(),
        more: 0,
        expected: finding.expected().to_owned(),
        observed: finding.observed().to_owned(),
        next: finding.next().map(str::to_owned),
    }
}

fn gaps(pair: &Pair<'_>) -> Vec<String> {
    let mut all = BTreeSet::new();
    for (side, records) in [("base", &pair.base), ("candidate", &pair.candidate)] {
        for Record { case, .. } in records {
            let gaps = case.findings.iter().flat_map(|check| check.gaps.iter().map(move |gap| (check.check, gap)));
            all.extend(gaps.map(|(check, gap)| format!("{side}: {check}: {}: {}", gap.subject, gap.reason)));
            if let (true, Some(detail)) = (case.findings.is_empty(), case.status.detail()) {
                all.insert(format!("{side}: {}: {detail}", case.status.word()));
            }
        }
    }
    all.into_iter().collect()
}

fn evidence(records: &[Record<'_>]) -> Vec<String> {
    let of = |record: &Record<'_>| {
        let (run, worker) = (&record.run.run.id, record.case.worker.as_deref().unwrap_or_default());
        // What one worker did lies with what the other did.
        let folder = run.strip_suffix(worker).and_then(|run| run.strip_suffix(':')).unwrap_or(run);
        Some(format!("{folder}/{}", record.case.evidence.as_ref()?))
    };
    records.iter().filter_map(of).collect()
}

fn why(
    class: Class,
    base: Option<&Tally>,
    candidate: Option<&Tally>,
    chance: Option<f64>,
    differs: &[FactChange],
) -> String {
    let (Some(was), Some(is)) = (base, candidate) else {
        let (there, words) = match (base, candidate) {
            (Some(tally), None) => ("only in the base", tally.words()),
            (None, Some(tally)) => ("only in the candidate", tally.words()),
            (None, None) | (Some(_), Some(_)) => return String::new(),
        };
        return format!("{there}: {words}");
    };
    let counts = format!("{}, then {}", was.words(), is.words());
    let surprised = is.better > 0 && was.better == 0;
    match class {
        Class::NotComparable => {
            let parts: Vec<_> =
                differs.iter().map(|each| format!("{}: {} / {}", each.name, each.base, each.candidate)).collect();
            format!("{} ({counts})", parts.join("; "))
        }
        Class::Fixed if surprised && was.fails() == Fails::Never => format!("{counts}, where a failure is expected"),
        Class::Regressed if was.better > is.better && is.fails() == Fails::Never => {
            format!("{counts}: the failure that the scenario expects is back")
        }
        Class::Regressed
        | Class::FailsOtherwise
        | Class::NewlyFlaky
        | Class::Flaky
        | Class::StillFailing
        | Class::NotEvaluated
        | Class::Missing
        | Class::Fixed
        | Class::Unchanged => match chance {
            Some(chance) => format!("{counts}; {} by chance alone", percent(chance)),
            None => counts,
        },
    }
}

/// A probability for people.
fn percent(chance: f64) -> String {
    if chance < 0.001 { "below 0.1 %".to_owned() } else { format!("{:.1} %", chance * 100.0) }
}
