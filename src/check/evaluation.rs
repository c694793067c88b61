//! What a check returns. Only checks can build it: every constructor is private to `check`.

use serde::{Deserialize, Serialize};

use crate::domain::{Failure, Reading};

use super::about::About;

/// What a check made of one subject, with everything a person needs to believe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    judgement: Judgement,
    id: String,
    subject: String,
    expected: String,
    observed: String,
    source: String,
    next: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    means: Option<Failure>,
}

/// How a finding came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// As expected.
    Met,
    /// Not as expected.
    Unmet,
    /// The device is as expected; a witness is known to be wrong or silent here. Told, not failed.
    Doubtful,
}

/// A subject that could not be judged, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Gap {
    /// What could not be judged.
    pub subject: String,
    /// Kind, for the coverage line.
    pub kind: GapKind,
    /// In words.
    pub reason: String,
}

/// Why something could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// The caller may not read it.
    NoPermission,
    /// The question does not apply to this machine.
    NotApplicable,
    /// The witness said `N/A` or nothing.
    NotReported,
    /// The witness said something that is not an answer.
    Malformed,
    /// The tool failed.
    ToolFailed,
    /// No facts about this part or version.
    Unknown,
    /// What decides whether the scenario is for this host could not be read.
    Undecided,
    /// There is nothing that could run it.
    NoWorker,
}

impl GapKind {
    /// Words for the coverage line.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoPermission => "no permission",
            Self::NotApplicable => "not applicable",
            Self::NotReported => "not reported",
            Self::Malformed => "malformed",
            Self::ToolFailed => "tool failed",
            Self::Unknown => "no facts",
            Self::Undecided => "cannot tell whether they apply",
            Self::NoWorker => "no worker",
        }
    }
}

/// What a check made of everything that it looked at: never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Evaluation {
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
}

impl Finding {
    /// Met, unmet or doubtful.
    pub const fn judgement(&self) -> Judgement {
        self.judgement
    }

    /// Finding id within its check.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is about: `GPU 0 partition 3`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What was expected.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What was observed, and by which witness.
    pub fn observed(&self) -> &str {
        &self.observed
    }

    /// Where the expectation comes from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What to do about it.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// What an unmet finding makes of its case, where it says more than that.
    pub const fn means(&self) -> Option<Failure> {
        self.means
    }
}

impl Evaluation {
    /// What was judged.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What could not be.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// True when everything was judged.
    pub const fn complete(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Findings with this judgement.
    pub fn with(&self, judgement: Judgement) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.judgement == judgement)
    }
}

/// Collects what one check finds.
pub(super) struct Collector {
    about: &'static About,
    source: String,
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
}

impl Collector {
    pub(super) fn new(about: &'static About) -> Self {
        Self { about, source: about.source.to_owned(), findings: Vec::new(), gaps: Vec::new() }
    }

    /// As expected.
    pub(super) fn met(&mut self, subject: impl Into<String>, expected: impl Into<String>, observed: impl Into<String>) {
        self.push(Judgement::Met, "met", subject.into(), expected.into(), observed.into(), None);
    }

    /// Not as expected; `id` is one of the check's findings.
    pub(super) fn unmet(
        &mut self,
        id: &'static str,
        subject: impl Into<String>,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) {
        self.push(Judgement::Unmet, id, subject.into(), expected.into(), observed.into(), None);
    }

    /// Not as expected, and what happened has a word of its own.
    pub(super) fn failed(
        &mut self,
        (id, means): (&'static str, Failure),
        subject: impl Into<String>,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) {
        self.push(Judgement::Unmet, id, subject.into(), expected.into(), observed.into(), Some(means));
    }

    /// A witness is known to be wrong here; `id` is one of the check's findings.
    pub(super) fn doubtful(
        &mut self,
        id: &'static str,
        subject: impl Into<String>,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) {
        self.push(Judgement::Doubtful, id, subject.into(), expected.into(), observed.into(), None);
    }

    /// Could not be judged.
    pub(super) fn gap(&mut self, kind: GapKind, subject: impl Into<String>, reason: impl Into<String>) {
        self.gaps.push(Gap { subject: subject.into(), kind, reason: reason.into() });
    }

    /// Everything. A check that looked at nothing was not evaluated.
    pub(super) fn finish(mut self) -> Evaluation {
        if self.findings.is_empty() && self.gaps.is_empty() {
            self.gap(GapKind::NotReported, "the machine", "there was nothing to look at");
        }
        Evaluation { findings: self.findings, gaps: self.gaps }
    }

    fn push(
        &mut self,
        judgement: Judgement,
        id: &'static str,
        subject: String,
        expected: String,
        observed: String,
        means: Option<Failure>,
    ) {
        let next = self.about.finding(id).map(|finding| finding.next.to_owned());
        debug_assert!(judgement == Judgement::Met || next.is_some(), "{}: finding {id} is not declared", self.about.id);
        let (id, source) = (id.to_owned(), self.source.clone());
        self.findings.push(Finding { judgement, id, subject, expected, observed, source, next, means });
    }
}

/// The value of a reading, or a gap with the reason why there is none.
pub(super) fn need<'a, T>(
    collector: &mut Collector,
    subject: &str,
    what: &str,
    reading: &'a Reading<T>,
) -> Option<&'a T> {
    if let Some(reason) = reading.absence() {
        let kind = match reading {
            Reading::Value(_) | Reading::NotReported => GapKind::NotReported,
            Reading::NotApplicable => GapKind::NotApplicable,
            Reading::Malformed { .. } => GapKind::Malformed,
        };
        collector.gap(kind, subject, format!("{what}: {reason}"));
    }
    reading.value()
}
