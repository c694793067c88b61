//! Reports of a comparison: what changed in, bytes out; one file per format.

mod html;
mod human;
mod junit;
mod markdown;

use std::collections::BTreeMap;

use crate::compare::{Amount, CaseChange, Class, Comparison, Drifted, MemoryChange, SideRun, TimingChange};
use crate::domain::Provenance;

use super::{Formats, Paper, ReportError};

/// A format of the report on a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiffKind {
    /// Text for a person.
    Human,
    /// Markdown, for a pull request.
    Markdown,
    /// The comparison itself; its schema is `validate schema diff`.
    Json,
    /// JUnit XML: what is worse is a failure.
    Junit,
    /// One page that needs nothing else.
    Html,
}

impl Formats for DiffKind {
    const ALL: &'static [Self] = &[Self::Human, Self::Markdown, Self::Json, Self::Junit, Self::Html];

    fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Html => "html",
        }
    }
}

/// Renders a comparison.
///
/// # Errors
/// A writer refused; none of them does for a comparison that this program made.
pub fn render_diff(kind: DiffKind, comparison: &Comparison, paper: Paper) -> Result<Vec<u8>, ReportError> {
    match kind {
        DiffKind::Human => Ok(human::render(comparison, paper).into_bytes()),
        DiffKind::Markdown => Ok(markdown::render(comparison).into_bytes()),
        DiffKind::Json => {
            let mut bytes = serde_json::to_vec_pretty(comparison)?;
            bytes.push(b'\n');
            Ok(bytes)
        }
        DiffKind::Junit => junit::render(comparison),
        DiffKind::Html => Ok(html::render(comparison)?.into_bytes()),
    }
}

/// `10 cases: 3 regressed, 7 unchanged`.
fn counts(comparison: &Comparison) -> String {
    let some = comparison.counts.iter().filter(|(_, count)| **count > 0);
    let words: Vec<_> = some.map(|(class, count)| format!("{count} {class}")).collect();
    let cases = comparison.cases.len();
    format!("{cases} case{}: {}", if cases == 1 { "" } else { "s" }, words.join(", "))
}

/// What may be said of what was compared.
fn about(comparison: &Comparison) -> &'static str {
    match comparison.provenance() {
        Provenance::Hardware if comparison.cpu_only() => "on the CPU: this says nothing about any GPU",
        Provenance::Hardware => "on hardware",
        Provenance::Simulated => "on simulated machines: this says nothing about any hardware",
        Provenance::Recorded => "on recorded machines: this says nothing about what they are like now",
    }
}

/// The runs of a side: those on the same machine and stack in one line.
fn side_runs(runs: &[SideRun]) -> Vec<String> {
    let mut alike: BTreeMap<(&str, &str, Option<&str>), Vec<&SideRun>> = BTreeMap::new();
    for run in runs {
        alike.entry((&run.host, &run.stack, run.cut_off.as_deref())).or_default().push(run);
    }
    let line = |((host, stack, cut_off), runs): (&(&str, &str, Option<&str>), &Vec<&SideRun>)| {
        let ids = match runs.as_slice() {
            [one] => one.id.clone(),
            [first, .., last] => format!("{} runs, {} to {}", runs.len(), first.id, last.id),
            [] => String::new(),
        };
        let cases: usize = runs.iter().map(|run| run.cases).sum();
        let plural = if cases == 1 { "" } else { "s" };
        let stack = if stack.is_empty() { String::new() } else { format!("; {stack}") };
        let cut_off = cut_off.map(|why| format!("; it came to no end: {why}")).unwrap_or_default();
        format!("{ids} on {host}, {cases} case{plural}{stack}{cut_off}")
    };
    alike.iter().map(line).collect()
}

/// Why a change of a class is called one, as a sentence for whoever reads the report for the first time.
const fn meaning(class: Class) -> &'static str {
    match class {
        Class::Regressed => "fails where it did not",
        Class::FailsOtherwise => "failed before, and now with something else: another problem",
        Class::NewlyFlaky => "never failed in the base, and does now and then",
        Class::Flaky => "fails now and then, and that something changed is not shown",
        Class::StillFailing => "fails as it did",
        Class::NotComparable => "a stated part of the environment differs",
        Class::NotEvaluated => "one side or both could not tell",
        Class::Missing => "one side does not have it",
        Class::Fixed => "failed, and does not any more",
        Class::Unchanged => "as it was",
    }
}

/// What to do about a class, where a finding does not say it.
const fn advice(class: Class) -> Option<&'static str> {
    match class {
        Class::Regressed | Class::FailsOtherwise => {
            Some("look at the evidence of both sides; stay on the base until it is explained")
        }
        Class::NewlyFlaky | Class::Flaky => {
            Some("run both sides with --repeat 20 or more: few tries tell little of what is rare")
        }
        Class::StillFailing => None,
        Class::NotComparable => {
            Some("bring the candidate into the base's state (validate partition apply) and run it again")
        }
        Class::NotEvaluated => Some("validate doctor says what stands in the way of reading"),
        Class::Missing => Some("run both sides with the same selection"),
        Class::Fixed => Some("take the candidate's run as the next base"),
        Class::Unchanged => None,
    }
}

/// Cases of a class, those for the same reason together where it is the environment's or the selection's.
fn grouped(comparison: &Comparison, class: Class) -> Vec<(String, Vec<&CaseChange>)> {
    let mut groups: BTreeMap<String, Vec<&CaseChange>> = BTreeMap::new();
    for case in comparison.cases.iter().filter(|case| case.class == class) {
        groups.entry(reason(case)).or_default().push(case);
    }
    groups.into_iter().collect()
}

fn reason(case: &CaseChange) -> String {
    match case.class {
        Class::NotComparable => {
            let part = |each: &crate::compare::FactChange| format!("{}: {} / {}", each.name, each.base, each.candidate);
            case.differs.iter().map(part).collect::<Vec<_>>().join("; ")
        }
        Class::Missing => if case.base.is_some() { "only in the base" } else { "only in the candidate" }.to_owned(),
        Class::NotEvaluated => case.gaps.first().cloned().unwrap_or_else(|| case.why.clone()),
        Class::Regressed
        | Class::FailsOtherwise
        | Class::NewlyFlaky
        | Class::Flaky
        | Class::StillFailing
        | Class::Fixed
        | Class::Unchanged => case.id.clone(),
    }
}

/// `1.20 s -> 2.40 s, 1.9 to 2.1 times (95 %, n=5 and 5)`.
fn timing(change: &TimingChange) -> String {
    let TimingChange { base, candidate, low, high, base_samples, candidate_samples, .. } = change;
    format!(
        "{base:.3} s -> {candidate:.3} s, {low:.2} to {high:.2} times (95 %, n={base_samples} and {candidate_samples})"
    )
}

/// `add/f32/64: memory that the drivers count for the process: 64 MiB -> 96 MiB, 1.50 to 1.50 times (95 %, n=5 and 5)`.
fn memory(change: &MemoryChange) -> String {
    let MemoryChange { probe, place, what, base, candidate, low, high, base_samples, candidate_samples, .. } = change;
    let place = if *place > 1 { format!(" (number {place})") } else { String::new() };
    format!(
        "{probe}{place}: memory that {}: {base} -> {candidate}, {low:.2} to {high:.2} times (95 %, n={base_samples} and \
         {candidate_samples})",
        what.name()
    )
}

/// A mark and a word; the mark alone says which way, the word too.
const fn amount(change: &MemoryChange) -> &'static str {
    match change.change {
        Amount::More => "▲ more memory",
        Amount::Less => "▼ less memory",
    }
}

/// Why no memory was compared, where the runs do not say.
fn no_memory(comparison: &Comparison) -> Option<&'static str> {
    let memory = &comparison.memory;
    (memory.compared == 0 && memory.notes.is_empty()).then_some("no case of both sides ran a probe on a GPU to its end")
}

/// `string -> number`.
fn retyped(change: &Drifted) -> String {
    match (change.base.as_str(), change.candidate.as_str()) {
        (was, "") => was.to_owned(),
        ("", is) => is.to_owned(),
        (was, is) => format!("{was} -> {is}"),
    }
}

/// A share in percent.
fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
