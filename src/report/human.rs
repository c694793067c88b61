//! `--format human`: what failed, expected, observed, source and next step; then the counts and the coverage line.

use std::collections::BTreeMap;

use anstyle::AnsiColor;

use crate::check::{Finding, GapKind, Judgement};
use crate::domain::{Expect, Meaning, Provenance, Status, StatusWord};
use crate::run::{CaseRecord, CheckRecord, Known, NotSelected, RunRecord};

use super::wrap::hanging;

/// Whether to colour. The console decides (NO_COLOR, pipes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequence at all.
    Plain,
    /// ANSI colours.
    Coloured,
}

/// What a report is written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paper {
    /// Colour.
    pub style: Style,
    /// Columns; lines are not broken when `None`.
    pub width: Option<usize>,
}

impl Paper {
    /// A file: no colour, and lines as long as they are.
    pub const FILE: Self = Self { style: Style::Plain, width: None };
}

/// Findings of one check that are written out; the rest are counted.
const SHOWN: usize = 4;

/// Column of what is said about a case, and of what is said about one of its findings.
const CASE: usize = 4;
const FINDING: usize = 8;

pub(super) fn render(record: &RunRecord, paper: Paper) -> String {
    let mut out = Page { text: String::new(), paper, again: &record.run.again };
    let undecided = |case: &&CaseRecord| is_undecided(case);
    for case in record.cases.iter().filter(|case| needs_looking_at(case) && !is_undecided(case)) {
        out.case(case);
    }
    out.undecided(record.cases.iter().filter(undecided));
    out.known(record);
    out.doubts(record);
    out.counts(record);
    out.text
}

/// `3 for other machines, 2 left out by the filter`.
pub fn not_selected(reasons: &[NotSelected]) -> String {
    let reasons: Vec<_> = reasons.iter().map(|each| format!("{} {}", each.cases, each.reason)).collect();
    reasons.join(", ")
}

struct Page<'a> {
    text: String,
    paper: Paper,
    again: &'a str,
}

impl Page<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// A paragraph that hangs below where it begins; `indent` is the length of `head` as it is seen.
    fn hanging(&mut self, head: &str, indent: usize, text: &str) {
        self.line(hanging(head, indent, text, self.paper.width));
    }

    /// A label in its column, and text beside it.
    fn labelled(&mut self, column: usize, label: &str, text: &str) {
        let label = format!("{label:<9}");
        let painted = self.paint(AnsiColor::Cyan.on_default(), &label);
        self.hanging(&format!("{:column$}{painted} ", ""), column + label.len() + 1, text);
    }

    fn paint(&self, style: anstyle::Style, text: &str) -> String {
        match self.paper.style {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("{style}{text}{style:#}"),
        }
    }

    /// A word in capitals, then text beside it.
    fn headline(&mut self, color: AnsiColor, word: &str, text: &str) {
        let word = word.to_uppercase();
        let head = self.paint(color.on_default().bold(), &word);
        self.hanging(&format!("{head}  "), word.chars().count() + 2, text);
    }

    fn case(&mut self, case: &CaseRecord) {
        self.headline(color(&case.status), case.status.word().name(), &case.id);
        self.hanging("    ", 4, &case.title);
        // A reason is one of the gaps below, where there are any.
        let told = case.findings.iter().any(|check| !check.gaps.is_empty());
        if let Some(detail) = case.status.detail().filter(|_| !told) {
            self.hanging("    ", 4, &detail);
        }
        for check in case.findings.iter().filter(|check| !check.as_expected) {
            self.check(check);
        }
        self.labelled(CASE, "why", &format!("{} ({})", case.why, case.source));
        if let Some(evidence) = &case.evidence {
            self.labelled(CASE, "evidence", evidence);
        }
        // Never broken: it is there to be copied.
        let label = self.paint(AnsiColor::Cyan.on_default(), "again");
        self.line(format!("    {label}     {} -E 'id({})'", self.again, case.id));
        self.line("");
    }

    fn check(&mut self, check: &CheckRecord) {
        match &check.expect {
            Expect::Met => {}
            Expect::Unmet { finding } | Expect::Doubtful { finding } => {
                let text = format!("{}: the scenario expects finding {finding}", check.check);
                self.hanging("    ", 4, &text);
            }
            Expect::NotEvaluated { reason } => {
                let text = format!("{}: the scenario expects no evaluation ({reason})", check.check);
                self.hanging("    ", 4, &text);
            }
        }
        let unmet: Vec<&Finding> = check.findings.iter().filter(|f| f.judgement() == Judgement::Unmet).collect();
        let mut ids: Vec<&str> = Vec::new();
        let mut source = None;
        for finding in &unmet {
            if !ids.contains(&finding.id()) {
                ids.push(finding.id());
            }
        }
        for id in ids {
            let unmet: Vec<&Finding> = unmet.iter().copied().filter(|finding| finding.id() == id).collect();
            for finding in unmet.iter().take(SHOWN) {
                let mark = self.paint(AnsiColor::Red.on_default().bold(), "x");
                let text = format!("{} [{id}] {}", check.check, finding.subject());
                self.hanging(&format!("    {mark} "), 6, &text);
                self.labelled(FINDING, "expected", finding.expected());
                self.labelled(FINDING, "observed", finding.observed());
            }
            if unmet.len() > SHOWN {
                self.line(format!("        … and {} more of this check, in run.json", unmet.len() - SHOWN));
            }
            // What to do about one is not what to do about another: each kind has its own.
            if let Some(first) = unmet.first() {
                if source.replace(first.source()) != Some(first.source()) {
                    self.labelled(FINDING, "source", first.source());
                }
                if let Some(next) = first.next() {
                    self.labelled(FINDING, "next", next);
                }
            }
        }
        for gap in check.gaps.iter().take(SHOWN) {
            let mark = self.paint(AnsiColor::Yellow.on_default().bold(), "?");
            let text = format!("{} not evaluated: {}: {}", check.check, gap.subject, gap.reason);
            self.hanging(&format!("    {mark} "), 6, &text);
        }
        if check.gaps.len() > SHOWN {
            self.line(format!("        … and {} more gaps of this check, in run.json", check.gaps.len() - SHOWN));
        }
    }

    /// What the baseline knows, in a line each: somebody has looked at it.
    fn known(&mut self, record: &RunRecord) {
        let mut any = false;
        for (case, known) in record.cases.iter().filter_map(|case| Some((case, case.known.as_ref()?))) {
            any = true;
            let (color, text) = match known {
                Known::Failure { .. } | Known::Flaky { .. } => {
                    (AnsiColor::Yellow, format!("{}: {}: {}", case.id, case.status, known.why()))
                }
                Known::Improved { .. } => {
                    let next = "the baseline is out of date; the run's own baseline.toml is the next one";
                    (
                        AnsiColor::Green,
                        format!(
                            "{}: {}, and the baseline has a failure: {}; {next}",
                            case.id,
                            case.status,
                            known.why()
                        ),
                    )
                }
            };
            self.headline(color, known.word(), &text);
        }
        if any {
            self.line("");
        }
    }

    /// Cases that may be for this host are told once for each thing that could not be read.
    fn undecided<'a>(&mut self, cases: impl Iterator<Item = &'a CaseRecord>) {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for case in cases {
            *reasons.entry(case.status.detail().unwrap_or_default()).or_default() += 1;
        }
        for (reason, cases) in &reasons {
            let text = format!("{}: {reason}", count(*cases, "case"));
            self.headline(AnsiColor::Yellow, StatusWord::NotEvaluated.name(), &text);
        }
        if !reasons.is_empty() {
            self.line("");
        }
    }

    /// Doubts are told once for each kind: the device is as expected, a witness is not to be trusted.
    fn doubts(&mut self, record: &RunRecord) {
        let mut kinds: BTreeMap<String, (usize, Option<&str>)> = BTreeMap::new();
        let checks = record.cases.iter().flat_map(|case| &case.findings).filter(|check| check.expect == Expect::Met);
        for check in checks {
            for finding in check.findings.iter().filter(|finding| finding.judgement() == Judgement::Doubtful) {
                let entry = kinds.entry(format!("{} [{}]", check.check, finding.id())).or_default();
                *entry = (entry.0 + 1, finding.next());
            }
        }
        for (kind, (times, next)) in &kinds {
            let text = format!("{kind}, {}; {}", count(*times, "time"), next.unwrap_or_default());
            self.headline(AnsiColor::Yellow, "doubt", &text);
        }
        if !kinds.is_empty() {
            self.line("");
        }
    }

    fn counts(&mut self, record: &RunRecord) {
        let mut words: BTreeMap<StatusWord, usize> = BTreeMap::new();
        for case in &record.cases {
            *words.entry(case.status.word()).or_default() += 1;
        }
        let words: Vec<_> = words.iter().map(|(word, count)| format!("{count} {word}")).collect();
        self.hanging("", 0, &format!("{}: {}", count(record.cases.len(), "case"), words.join(", ")));
        let left_out: usize = record.not_selected.iter().map(|each| each.cases).sum();
        if left_out > 0 {
            let (planned, read) = (record.cases.len(), record.cases.len() + left_out);
            let line = format!("{planned} of {read} cases selected; not: {}", not_selected(&record.not_selected));
            self.hanging("", 0, &line);
        }
        self.hanging("", 0, &record.coverage.line());
        self.line(match record.provenance {
            Provenance::Hardware if record.host.cpu_only => {
                "on the CPU of this machine: this says nothing about any GPU"
            }
            Provenance::Hardware => "on hardware",
            Provenance::Simulated => "on simulated machines: this says nothing about any hardware",
            Provenance::Recorded => "on a recorded machine: this says nothing about what it is like now",
        });
        if let Some(why) = &record.host.chosen {
            self.hanging("", 0, &format!("chosen by --host auto: {why}"));
        }
        let code = record.exit.code;
        let color = if code == 0 { AnsiColor::Green } else { AnsiColor::Red };
        let exit = self.paint(color.on_default().bold(), &format!("exit {code}"));
        let indent = format!("exit {code}: ").len();
        self.hanging(&format!("{exit}: "), indent, &record.exit.reason);
    }
}

/// `1 case`, `2 cases`.
fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn needs_looking_at(case: &CaseRecord) -> bool {
    !matches!(case.meaning(), Meaning::AsExpected | Meaning::Skipped)
        && !matches!(case.known, Some(Known::Improved { .. }))
}

fn is_undecided(case: &CaseRecord) -> bool {
    let undecided = |check: &CheckRecord| check.gaps.iter().any(|gap| gap.kind == GapKind::Undecided);
    !case.findings.is_empty() && case.findings.iter().all(undecided)
}

fn color(status: &Status) -> AnsiColor {
    match status {
        Status::Pass | Status::ExpectedFailure | Status::ExpectedNotEvaluated => AnsiColor::Green,
        Status::UnexpectedPass
        | Status::Skip { .. }
        | Status::NotEvaluated { .. }
        | Status::Missing
        | Status::Aborted => AnsiColor::Yellow,
        Status::Fail
        | Status::Crash { .. }
        | Status::Hang
        | Status::MachineHang
        | Status::KernelFault
        | Status::NumericError
        | Status::CpuFallback
        | Status::Collateral
        | Status::Flaky
        | Status::Error { .. } => AnsiColor::Red,
    }
}
