//! `--format markdown`: for a comment or a page.

use std::fmt::Write as _;

use crate::domain::Provenance;
use crate::matrix::grid::{Grid, text};

use crate::report::tame::one_line;

use super::Shown;
use super::words::{SIMULATED, beside, column, run_line};

pub(super) fn render(shown: Shown<'_>) -> String {
    let mut out = "# Crash matrix\n\n".to_owned();
    if shown.provenance() == Provenance::Simulated {
        let _ = writeln!(out, "> **{SIMULATED}.**\n");
    }
    for run in shown.runs {
        let _ = writeln!(out, "- {}", escaped(&run_line(run)));
    }
    out.push('\n');
    let grid = Grid::of(shown.runs);
    let titles: Vec<String> = grid.columns.iter().map(|each| column(each, shown)).collect();
    row(&mut out, std::iter::once("probe".to_owned()).chain(titles.iter().cloned()));
    row(&mut out, std::iter::repeat_n("---".to_owned(), titles.len() + 1));
    for probe in &grid.rows {
        let fields = grid.columns.iter().map(|column| grid.at(*probe, column).map(text).unwrap_or_default());
        row(&mut out, std::iter::once(probe.to_string()).chain(fields));
    }
    if shown.against_reported {
        let (lines, counted) = beside(shown);
        let _ = writeln!(out, "\n## Beside what was reported\n\n{}.\n", counted.sentence());
        row(
            &mut out,
            ["", "report", "chip", "operation", "reported", "seen", "source", "confidence"].map(str::to_owned),
        );
        row(&mut out, std::iter::repeat_n("---".to_owned(), 8));
        for line in lines {
            let seen =
                if line.why.is_empty() { line.seen } else { format!("{} {}", line.seen, line.why).trim().to_owned() };
            let source = match line.link {
                Some(link) => format!("[{}]({link})", escaped(line.source)),
                None => escaped(line.source),
            };
            let fields = [line.verdict.name(), line.id, &line.chip, line.operation, line.reported, &seen].map(escaped);
            raw(&mut out, fields.into_iter().chain([source, escaped(line.confidence)]));
        }
    }
    out
}

fn row(out: &mut String, fields: impl IntoIterator<Item = String>) {
    raw(out, fields.into_iter().map(|field| escaped(&field)));
}

fn raw(out: &mut String, fields: impl IntoIterator<Item = String>) {
    out.push('|');
    for field in fields {
        let _ = write!(out, " {field} |");
    }
    out.push('\n');
}

/// Text that Markdown leaves as it is, in a table.
fn escaped(text: &str) -> String {
    let special = |c: char| "\\`*_[]<>|~#".contains(c);
    let mut out = String::new();
    for c in one_line(text).chars() {
        match c {
            c if special(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
