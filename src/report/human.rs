//! `--format human`: what failed, expected, observed, source and next step; then the counts and the coverage line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::AnsiColor;

use crate::check::{Finding, Judgement};
use crate::domain::{Expect, Provenance, Status, StatusWord};
use crate::run::{CaseRecord, CheckRecord, RunRecord};

/// Whether to colour. The console decides (NO_COLOR, pipes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequence at all.
    Plain,
    /// ANSI colours.
    Coloured,
}

/// Findings of one check that are written out; the rest are counted.
const SHOWN: usize = 4;

pub(super) fn render(record: &RunRecord, style: Style) -> String {
    let mut out = Page { text: String::new(), style };
    for case in record.cases.iter().filter(|case| needs_attention(&case.status)) {
        out.case(case);
    }
    out.doubts(record);
    out.counts(record);
    out.text
}

struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn paint(&self, color: AnsiColor, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Coloured => {
                let style = color.on_default().bold();
                format!("{style}{text}{style:#}")
            }
        }
    }

    fn case(&mut self, case: &CaseRecord) {
        let word = self.paint(color(&case.status), &case.status.word().name().to_uppercase());
        self.line(format!("{word}  {}", case.id));
        self.line(format!("    {}", case.title));
        if let Some(detail) = case.status.detail() {
            self.line(format!("    {detail}"));
        }
        for check in case.findings.iter().filter(|check| !check.as_expected) {
            self.check(check);
        }
        self.line(format!("    why       {} ({})", case.why, case.source));
        if let Some(evidence) = &case.evidence {
            self.line(format!("    evidence  {evidence}"));
        }
        self.line(format!("    again     validate run -E 'id({})'", case.id));
        self.line("");
    }

    fn check(&mut self, check: &CheckRecord) {
        match &check.expect {
            Expect::Met => {}
            Expect::Unmet { finding } | Expect::Doubtful { finding } => {
                self.line(format!("    {}: the scenario expects finding {finding}", check.check));
            }
            Expect::NotEvaluated { reason } => {
                self.line(format!("    {}: the scenario expects no evaluation ({reason})", check.check));
            }
        }
        let unmet: Vec<&Finding> = check.findings.iter().filter(|f| f.judgement() == Judgement::Unmet).collect();
        for finding in unmet.iter().take(SHOWN) {
            let mark = self.paint(AnsiColor::Red, "x");
            self.line(format!("    {mark} {} [{}] {}", check.check, finding.id(), finding.subject()));
            self.line(format!("        expected  {}", finding.expected()));
            self.line(format!("        observed  {}", finding.observed()));
        }
        if unmet.len() > SHOWN {
            self.line(format!("        … and {} more of this check, in run.json", unmet.len() - SHOWN));
        }
        if let Some(first) = unmet.first() {
            self.line(format!("        source    {}", first.source()));
            if let Some(next) = first.next() {
                self.line(format!("        next      {next}"));
            }
        }
        for gap in check.gaps.iter().take(SHOWN) {
            let mark = self.paint(AnsiColor::Yellow, "?");
            self.line(format!("    {mark} {} not evaluated: {}: {}", check.check, gap.subject, gap.reason));
        }
        if check.gaps.len() > SHOWN {
            self.line(format!("        … and {} more gaps of this check, in run.json", check.gaps.len() - SHOWN));
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
            let word = self.paint(AnsiColor::Yellow, "DOUBT");
            self.line(format!("{word}  {kind}, {times} times; {}", next.unwrap_or_default()));
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
        let mut line = format!("{} cases:", record.cases.len());
        for (at, (word, count)) in words.iter().enumerate() {
            let _ = write!(line, "{} {count} {word}", if at == 0 { "" } else { "," });
        }
        self.line(line);
        self.line(record.coverage.line());
        self.line(match record.provenance {
            Provenance::Hardware => "on hardware",
            Provenance::Simulated => "on simulated machines: this says nothing about any hardware",
            Provenance::Recorded => "on a recorded machine: this says nothing about what it is like now",
        });
        let code = record.exit.code;
        let color = if code == 0 { AnsiColor::Green } else { AnsiColor::Red };
        let exit = self.paint(color, &format!("exit {code}"));
        self.line(format!("{exit}: {}", record.exit.reason));
    }
}

/// What a person must look at.
fn needs_attention(status: &Status) -> bool {
    match status {
        Status::Pass | Status::ExpectedFailure | Status::ExpectedNotEvaluated | Status::Skip { .. } => false,
        Status::Fail
        | Status::Crash { .. }
        | Status::Hang
        | Status::MachineHang
        | Status::KernelFault
        | Status::NumericError
        | Status::CpuFallback
        | Status::Collateral
        | Status::Flaky
        | Status::UnexpectedPass
        | Status::NotEvaluated { .. }
        | Status::Missing
        | Status::Aborted
        | Status::Error { .. } => true,
    }
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
