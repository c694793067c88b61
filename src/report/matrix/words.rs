//! What is said of a report beside what was seen, the same in every format.

use serde::Serialize;

use crate::domain::Provenance;
use crate::matrix::comparison::{Compared, Counts, Line, compare, counts};
use crate::matrix::grid;
use crate::matrix::record::{CellRecord, MatrixRecord};

use super::Shown;

/// What simulated runs show, and what not.
pub(super) const SIMULATED: &str = "SIMULATED: no GPU took part. It shows that the harness would see each of these failures, \
                                    and no more: nothing about any chip";

/// What the marks of the grid mean, in the order in which they are told.
pub(super) const MARKS: [(&str, &str); 9] = [
    ("+", "passed"),
    ("~", "flaky"),
    ("X", "crashed"),
    ("H", "hung"),
    ("≠", "wrong numbers"),
    ("E", "error"),
    ("K", "kernel fault"),
    ("C", "on the CPU"),
    ("?", "not evaluated"),
];

/// One report beside what was seen.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Told {
    pub(super) id: &'static str,
    pub(super) chip: String,
    pub(super) stack: String,
    pub(super) operation: &'static str,
    pub(super) reported: &'static str,
    pub(super) seen: String,
    pub(super) verdict: Verdict,
    /// How they differ, or why nothing was seen.
    pub(super) why: String,
    pub(super) source: &'static str,
    /// Where the source is, if it can be told.
    pub(super) link: Option<String>,
    pub(super) confidence: &'static str,
}

/// How a report came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Agrees,
    Disagrees,
    NotRepresentable,
    NotRun,
}

impl Verdict {
    pub(super) const ALL: [Self; 4] = [Self::Agrees, Self::Disagrees, Self::NotRepresentable, Self::NotRun];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Disagrees => "disagrees",
            Self::NotRepresentable => "not representable",
            Self::NotRun => "not run",
        }
    }

    /// Tells without colour.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Agrees => "=",
            Self::Disagrees => "≠",
            Self::NotRepresentable => "–",
            Self::NotRun => "·",
        }
    }
}

/// Every report beside what was seen, and how many came out how.
pub(super) fn beside(shown: Shown<'_>) -> (Vec<Told>, Counted) {
    let lines = compare(shown.runs.iter().flat_map(|run| &run.cells));
    (lines.iter().map(Told::of).collect(), Counted::of(counts(&lines)))
}

/// How many came out how.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Counted {
    pub(super) agreeing: usize,
    pub(super) disagreeing: usize,
    pub(super) not_representable: usize,
    pub(super) not_run: usize,
}

impl Counted {
    fn of(counts: Counts) -> Self {
        let Counts { agreeing, disagreeing, not_representable, not_run } = counts;
        Self { agreeing, disagreeing, not_representable, not_run }
    }

    pub(super) fn sentence(&self) -> String {
        let Self { agreeing, disagreeing, not_representable, not_run } = self;
        format!(
            "of {} reports {agreeing} agree, {disagreeing} disagree, {not_representable} are not representable, {not_run} were \
             not run",
            agreeing + disagreeing + not_representable + not_run
        )
    }
}

impl Told {
    fn of(line: &Line<'_>) -> Self {
        let report = line.reported;
        let (verdict, seen, why) = match &line.compared {
            Compared::Agrees(cells) => (Verdict::Agrees, texts(cells), String::new()),
            Compared::Disagrees { cells, why } => (Verdict::Disagrees, texts(cells), why.clone()),
            Compared::NotRepresentable { reason } => (Verdict::NotRepresentable, String::new(), (*reason).to_owned()),
            Compared::NotRun { reason } => (Verdict::NotRun, String::new(), reason.clone()),
        };
        let chip = if report.isa_native {
            report.arch.clone()
        } else {
            format!("{} as {}", report.arch, report.effective_isa)
        };
        let stack = match (&report.torch, &report.rocm) {
            (Some(torch), _) => format!("torch {torch}"),
            (None, Some(rocm)) => format!("ROCm {rocm}"),
            (None, None) => String::new(),
        };
        Self {
            id: &report.id,
            chip,
            stack,
            operation: &report.operation,
            reported: report.outcome.what(),
            seen,
            verdict,
            why,
            source: &report.source,
            link: link(&report.source),
            confidence: &report.confidence,
        }
    }

    pub(super) fn document(&self) -> serde_json::Value {
        // Strings and an enum: it cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// What stands in some cells, each text once.
fn texts(cells: &[&CellRecord]) -> String {
    let mut texts: Vec<String> = cells.iter().map(|cell| grid::text(cell)).collect();
    texts.dedup();
    texts.join("; ")
}

/// Where a source like `ROCm/ROCm#2527 comment 7` is: the first issue that it names.
fn link(source: &str) -> Option<String> {
    let (repository, rest) = source.split_once('#')?;
    let repository = repository.rsplit([' ', ';', ',', '(']).next()?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let whole = repository.matches('/').count() == 1 && repository.chars().all(plain) && !number.is_empty();
    whole.then(|| format!("https://github.com/{repository}/issues/{number}"))
}

/// A run in a line.
pub(super) fn run_line(run: &MatrixRecord) -> String {
    let word = match run.provenance {
        Provenance::Hardware => "hardware",
        Provenance::Simulated => "simulated",
        Provenance::Recorded => "recorded",
    };
    format!("run {} on {} ({word}), rocvet {}", run.id, run.host, run.rocvet)
}

/// Title of a column: setting, and the worker where there are several.
pub(super) fn column(column: &grid::Column, shown: Shown<'_>) -> String {
    let several = |of: &dyn Fn(&CellRecord) -> String| {
        let mut all: Vec<String> = shown.runs.iter().flat_map(|run| run.cells.iter().map(of)).collect();
        all.sort();
        all.dedup();
        all.len() > 1
    };
    let mut title = column.setting.clone();
    let run = shown.runs.get(column.run);
    if run.is_some_and(|run| run.settings.iter().any(|each| each.name == column.setting && each.same_as_none)) {
        title += " (same as none here)";
    }
    if let Some(isa) = run.and_then(|run| passes_for(run, column)) {
        title = format!("{title} (as {isa})");
    }
    if several(&|cell| cell.worker.clone()) {
        title = format!("{title} @{}", column.worker);
    }
    if shown.runs.len() > 1 {
        title = format!("{title} #{}", column.run + 1);
    }
    title
}

/// The ISA for which the GPU passes in every cell of a column, where it is not its own.
fn passes_for(run: &MatrixRecord, column: &grid::Column) -> Option<String> {
    let of_column = |cell: &&CellRecord| cell.setting == column.setting && cell.worker == column.worker;
    let cells = run.cells.iter().filter(of_column).filter(|cell| !cell.runs.is_empty());
    let isas = cells.map(|cell| {
        let effective = cell.device.effective_isa.as_deref()?.split(':').next()?;
        (cell.device.native_isa.as_deref() != Some(effective)).then(|| effective.to_owned())
    });
    let isas: std::collections::BTreeSet<Option<String>> = isas.collect();
    if isas.len() == 1 { isas.into_iter().next().flatten() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_issue_of_a_source_is_linked_where_there_is_one() {
        for (source, expected) in [
            ("ROCm/ROCm#2527 comments 24-25", Some("https://github.com/ROCm/ROCm/issues/2527")),
            ("ROCm/ROCm#2527 comment 11; lllyasviel/Fooocus#3883", Some("https://github.com/ROCm/ROCm/issues/2527")),
            ("hkevin01/rocm-patch README / SUMMARY", None),
            ("see #7", None),
            ("a/b/c#7", None),
            ("<x>/y#7", None),
        ] {
            assert_eq!(link(source).as_deref(), expected, "{source}");
        }
    }
}
