//! The record of a run: `run.json`. Its schema is `validate schema run`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::check::{Finding, Gap, GapKind, Judged, Verdict};
use crate::document::{self, Document, DocumentProblem};
use crate::domain::{CheckId, Expect, Meaning, Provenance, Status, StatusWord};
use crate::plan::{Excluded, Undecided, without_worker};
use crate::scenario::Case;

use super::coverage::Coverage;
use super::environment::{Environment, Question};
use super::exit::Exit;
use super::memory::ProbeTook;

/// Format name and major version. A reader refuses another major version. A field that may be absent can be added without
/// one: every record written before then still reads, and who does not know it leaves it out and says so ([`document`]).
pub const SCHEMA: &str = "rocvet.run/1";

/// One run, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunRecord {
    /// [`SCHEMA`].
    pub schema: String,
    /// When, by which program, how.
    pub run: RunInfo,
    /// What it ran on.
    pub host: HostRecord,
    /// The weakest word that may be said of every case: "hardware" only when all of them ran there.
    pub provenance: Provenance,
    /// On what every case ran, where one host was given; else each case says it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub environment: Option<Environment>,
    /// Every planned case, exactly once, in plan order.
    pub cases: Vec<CaseRecord>,
    /// Cases that were read and not planned, by kind of reason.
    pub not_selected: Vec<NotSelected>,
    /// What was evaluated, and what was not.
    pub coverage: Coverage,
    /// Exit code, and why.
    pub exit: Exit,
}

/// When a run was made, by which program, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunInfo {
    /// Run id; starts with the UTC time.
    pub id: String,
    /// Start, RFC 3339 UTC.
    pub started: String,
    /// End, RFC 3339 UTC.
    pub finished: String,
    /// Version of rocvet.
    pub rocvet: String,
    /// Command line; of the program only its file name.
    pub command: Vec<String>,
    /// Command that reads the same scenarios and runs on the same host; ` -E 'id(CASE)'` after it runs one case.
    pub again: String,
    /// Cases run side by side.
    pub jobs: usize,
    /// Seed of the order, when it was shuffled.
    pub shuffle: Option<u64>,
    /// Times that it went on after it was cut off.
    #[serde(skip_serializing_if = "is_never", default)]
    pub resumed: u32,
}

/// Cases that were read and not planned, for one kind of reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NotSelected {
    /// In words that follow the number.
    pub reason: String,
    /// How many.
    pub cases: usize,
}

/// What a run ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HostRecord {
    /// In words: "each scenario's simulated machine", or a host folder.
    pub description: String,
    /// Why `--host auto` chose it; absent where it was named outright.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chosen: Option<String>,
    /// Whether only its CPU was asked: then nothing here says anything about a GPU.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub cpu_only: bool,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(into = "CaseFile", try_from = "CaseFile")]
#[schemars(with = "CaseFile")]
pub struct CaseRecord {
    /// Case id: scenario path, then `::` and the variant.
    pub id: String,
    /// The scenario's title.
    pub title: String,
    /// The scenario's reason, in one line.
    pub why: String,
    /// Where that comes from.
    pub source: String,
    /// How it came out.
    pub status: Status,
    /// Every check, with its findings and gaps.
    pub findings: Vec<CheckRecord>,
    /// Wall time.
    pub duration: Seconds,
    /// What its probes took of a GPU's memory.
    pub memory: Vec<ProbeTook>,
    /// Every time that it was run, in order, where that was more than once.
    pub tries: Vec<Try>,
    /// What it asks; absent in records of an earlier version.
    pub question: Option<Question>,
    /// The simulated machine that it had for itself.
    pub environment: Option<Environment>,
    /// What the workers of its probes were made of, by name: versions as the loaded libraries say them; more than
    /// one where processes differ.
    pub loaded: BTreeMap<String, BTreeSet<String>>,
    /// Which of the run's workers computed its probes, where there are several.
    pub worker: Option<String>,
    /// What the baseline of the run knows of it.
    pub known: Option<Known>,
    /// Folder with every call's output, relative to the run folder. Absent where nothing was kept: of a case that came
    /// out as expected on a simulated machine of its own, which comes out so again.
    pub evidence: Option<String>,
}

/// A case as the file spells it: the status is a word, and its detail stands beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
struct CaseFile {
    /// Case id: scenario path, then `::` and the variant.
    id: String,
    /// The scenario's title.
    title: String,
    /// The scenario's reason, in one line.
    why: String,
    /// Where that comes from.
    source: String,
    /// How it came out.
    status: StatusWord,
    /// Reason, problem or signal number, where the word leaves one open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    detail: Option<String>,
    /// Every check, with its findings and gaps.
    findings: Vec<CheckRecord>,
    /// Wall time, in seconds.
    duration: Seconds,
    /// What its probes took of a GPU's memory.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    memory: Vec<ProbeTook>,
    /// Every time that it was run, in order, where that was more than once.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    tries: Vec<Try>,
    /// What it asks; absent in records of an earlier version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    question: Option<Question>,
    /// The simulated machine that it had for itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    environment: Option<Environment>,
    /// What the workers of its probes were made of, by name: versions as the loaded libraries say them; more than
    /// one where processes differ.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    loaded: BTreeMap<String, BTreeSet<String>>,
    /// Which of the run's workers computed its probes, where there are several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    worker: Option<String>,
    /// What the baseline of the run knows of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    known: Option<Known>,
    /// Folder with every call's output, relative to the run folder; absent when nothing was kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    evidence: Option<String>,
}

impl From<CaseRecord> for CaseFile {
    fn from(case: CaseRecord) -> Self {
        let CaseRecord {
            id,
            title,
            why,
            source,
            status,
            findings,
            duration,
            memory,
            tries,
            question,
            environment,
            loaded,
            worker,
            known,
            evidence,
        } = case;
        let (status, detail) = (status.word(), status.detail());
        Self {
            id,
            title,
            why,
            source,
            status,
            detail,
            findings,
            duration,
            memory,
            tries,
            question,
            environment,
            loaded,
            worker,
            known,
            evidence,
        }
    }
}

impl TryFrom<CaseFile> for CaseRecord {
    type Error = String;

    fn try_from(file: CaseFile) -> Result<Self, String> {
        let CaseFile {
            id,
            title,
            why,
            source,
            status,
            detail,
            findings,
            duration,
            memory,
            tries,
            question,
            environment,
            loaded,
            worker,
            known,
            evidence,
        } = file;
        let status = Status::from_parts(status, detail)?;
        Ok(Self {
            id,
            title,
            why,
            source,
            status,
            findings,
            duration,
            memory,
            tries,
            question,
            environment,
            loaded,
            worker,
            known,
            evidence,
        })
    }
}

/// A duration in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Seconds(#[serde(deserialize_with = "seconds")] pub f64);

/// # Errors
/// It is no duration.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    document::duration(f64::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// How a case came out one of the times that it was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Try {
    /// How it came out.
    pub status: StatusWord,
    /// Wall time, in seconds.
    pub duration: Seconds,
    /// What its probes took of a GPU's memory.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub memory: Vec<ProbeTook>,
}

/// What a baseline knows of a case. It never changes the status: what the machine did stays what is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Known {
    /// That it fails so.
    Failure {
        /// Why it is in the baseline.
        reason: String,
        /// Where it is reported.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        issue: Option<String>,
    },
    /// That it fails now and then.
    Flaky {
        /// Why it is in the baseline.
        reason: String,
        /// Where it is reported.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        issue: Option<String>,
    },
    /// That it failed, and it did not: the baseline is out of date.
    Improved {
        /// Why it is in the baseline.
        reason: String,
        /// Where it is reported.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        issue: Option<String>,
    },
}

impl Known {
    /// The word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Failure { .. } => "known",
            Self::Flaky { .. } => "known to be flaky",
            Self::Improved { .. } => "improved",
        }
    }

    /// Why it is in the baseline, with where it is reported.
    pub fn why(&self) -> String {
        let (Self::Failure { reason, issue } | Self::Flaky { reason, issue } | Self::Improved { reason, issue }) = self;
        issue.as_ref().map_or_else(|| reason.clone(), |issue| format!("{reason} ({issue})"))
    }
}

/// One check of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CheckRecord {
    /// Check id.
    pub check: CheckId,
    /// What the scenario expects.
    #[serde(skip_serializing_if = "is_met", default)]
    pub expect: Expect,
    /// Whether it came out so.
    pub as_expected: bool,
    /// What was judged.
    pub findings: Vec<Finding>,
    /// What could not be.
    pub gaps: Vec<Gap>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_never(count: &u32) -> bool {
    *count == 0
}

fn is_met(expect: &Expect) -> bool {
    *expect == Expect::Met
}

impl RunRecord {
    /// Reads `run.json`, which may come from anywhere.
    ///
    /// # Errors
    /// Another version, or another document; says which key and where.
    pub fn read(bytes: &[u8]) -> Result<Document<Self>, DocumentProblem> {
        let read: Document<Self> = document::read(bytes, SCHEMA)?;
        document::named_once("cases", read.value.cases.iter().map(|case| case.id.as_str()))?;
        Ok(read)
    }
}

impl From<&CaseRecord> for Try {
    fn from(case: &CaseRecord) -> Self {
        Self { status: case.status.word(), duration: case.duration, memory: case.memory.clone() }
    }
}

impl NotSelected {
    /// Counts, the most frequent reason first.
    pub fn of(excluded: &[Excluded]) -> Vec<Self> {
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        for each in excluded {
            *counts.entry(each.reason.kind()).or_default() += 1;
        }
        let mut all: Vec<_> =
            counts.into_iter().map(|(reason, cases)| Self { reason: reason.to_owned(), cases }).collect();
        all.sort_by_key(|each| std::cmp::Reverse(each.cases));
        all
    }
}

impl From<Duration> for Seconds {
    /// Rounded to the microsecond: more digits are noise.
    fn from(duration: Duration) -> Self {
        Self((duration.as_secs_f64() * 1e6).round() / 1e6)
    }
}

impl CheckRecord {
    /// Every check of a verdict.
    pub fn of(verdict: &Verdict) -> Vec<Self> {
        verdict.checks().iter().map(Self::from).collect()
    }

    /// Whether it counts for coverage: what a scenario plants is no part of the machine's share.
    pub fn counts_for_coverage(&self) -> bool {
        self.expect == Expect::Met
    }
}

impl CaseRecord {
    /// Its id without the worker that computed it: what the same case has by another worker.
    pub fn shared_id(&self) -> &str {
        without_worker(&self.id, self.worker.as_deref())
    }

    /// What it means for whoever waits for the run: a failure that the baseline knows is as expected, and one that did not
    /// come is better than that.
    pub const fn meaning(&self) -> Meaning {
        match (&self.known, self.status.meaning()) {
            (Some(Known::Failure { .. } | Known::Flaky { .. }), Meaning::Failed) => Meaning::AsExpected,
            (Some(Known::Improved { .. }), Meaning::AsExpected) => Meaning::Better,
            (None | Some(_), meaning) => meaning,
        }
    }

    /// A case that came to no verdict: nothing of it is known but this status.
    pub fn unfinished(case: &Case, status: Status) -> Self {
        Self {
            id: case.id.clone(),
            title: case.scenario.title.clone(),
            why: case.scenario.why.clone(),
            source: case.scenario.source.clone(),
            status,
            findings: Vec::new(),
            duration: Seconds(0.0),
            memory: Vec::new(),
            tries: Vec::new(),
            question: Some(Question::of(case)),
            environment: None,
            loaded: BTreeMap::new(),
            worker: case.worker.clone(),
            known: None,
            evidence: None,
        }
    }

    /// A case that may be for the host, where what decides it could not be read: a gap for each of its checks.
    pub fn undecided(undecided: &Undecided) -> Self {
        let reason = format!("cannot tell whether it applies: {}", undecided.why);
        let gap = Gap { subject: "the machine".to_owned(), kind: GapKind::Undecided, reason: reason.clone() };
        let checks = undecided.case.checks.iter().map(|each| CheckRecord {
            check: each.spec.id(),
            expect: each.expect.clone(),
            as_expected: false,
            findings: Vec::new(),
            gaps: vec![gap.clone()],
        });
        let findings = checks.collect();
        Self { findings, ..Self::unfinished(&undecided.case, Status::NotEvaluated { reason }) }
    }
}

impl From<&Judged> for CheckRecord {
    fn from(judged: &Judged) -> Self {
        Self {
            check: judged.check,
            expect: judged.expect.clone(),
            as_expected: judged.as_expected(),
            findings: judged.evaluation.findings().to_vec(),
            gaps: judged.evaluation.gaps().to_vec(),
        }
    }
}
