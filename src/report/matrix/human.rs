//! `--format human`: the grid, then the reports that differ, then the counts.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell as Field, Color, ContentArrangement, Table};

use crate::domain::{Meaning, Provenance};
use crate::matrix::grid::{Grid, text};
use crate::matrix::record::CellRecord;
use crate::report::tame::one_line;
use crate::report::{Paper, Style};

use super::Shown;
use super::words::{MARKS, SIMULATED, Told, Verdict, beside, column, run_line};

pub(super) fn render(shown: Shown<'_>, paper: Paper) -> String {
    let mut out = String::new();
    for run in shown.runs {
        let _ = writeln!(out, "{}", one_line(&run_line(run)));
    }
    if shown.provenance() == Provenance::Simulated {
        let _ = writeln!(out, "{}", crate::report::wrap::hanging("", 0, SIMULATED, paper.width));
    }
    out.push('\n');
    if shown.against_reported {
        against(shown, paper, &mut out);
    } else {
        grid(shown, paper, &mut out);
    }
    out
}

fn table(paper: Paper) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    match paper.width.and_then(|width| u16::try_from(width).ok()) {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    match paper.style {
        Style::Plain => table.force_no_tty(),
        Style::Coloured => table.enforce_styling(),
    };
    table
}

fn grid(shown: Shown<'_>, paper: Paper, out: &mut String) {
    let grid = Grid::of(shown.runs);
    let mut table = table(paper);
    let titles = grid.columns.iter().map(|each| one_line(&column(each, shown)));
    table.set_header(std::iter::once("probe".to_owned()).chain(titles));
    for row in &grid.rows {
        let fields = grid.columns.iter().map(|column| grid.at(*row, column).map_or_else(|| Field::new(""), field));
        table.add_row(std::iter::once(Field::new(one_line(&row.to_string()))).chain(fields));
    }
    put(&table, out);
    let legend = MARKS.map(|(mark, means)| format!("{mark} {means}"));
    let _ = writeln!(out, "\n{}", legend.join("  "));
    not_run(shown, out);
}

fn field(cell: &CellRecord) -> Field {
    let field = Field::new(one_line(&text(cell)));
    match cell.status().map(|status| status.meaning()) {
        Some(Meaning::AsExpected) => field.fg(Color::Green),
        Some(Meaning::Failed | Meaning::Broken) => field.fg(Color::Red),
        Some(Meaning::Better | Meaning::NotEvaluated | Meaning::Incomplete | Meaning::Skipped) | None => {
            field.fg(Color::Yellow)
        }
    }
}

fn not_run(shown: Shown<'_>, out: &mut String) {
    for cell in shown.runs.iter().flat_map(|run| &run.cells) {
        if let Some(why) = &cell.not_run {
            let _ = writeln!(out, "not run to the end: {} ({})", one_line(&cell.id), one_line(why));
        }
    }
}

fn against(shown: Shown<'_>, paper: Paper, out: &mut String) {
    let (lines, counted) = beside(shown);
    let mut table = table(paper);
    table.set_header(["", "report", "chip", "operation", "reported", "seen"]);
    for line in &lines {
        let seen = if line.seen.is_empty() { line.why.clone() } else { line.seen.clone() };
        let mark = Field::new(line.verdict.mark()).fg(match line.verdict {
            Verdict::Agrees => Color::Green,
            Verdict::Disagrees => Color::Red,
            Verdict::NotRepresentable | Verdict::NotRun => Color::Yellow,
        });
        table.add_row([
            mark,
            Field::new(line.id),
            Field::new(&line.chip),
            Field::new(line.operation),
            Field::new(line.reported),
            Field::new(one_line(&seen)),
        ]);
    }
    put(&table, out);
    let differing: Vec<&Told> = lines.iter().filter(|line| line.verdict == Verdict::Disagrees).collect();
    if !differing.is_empty() {
        out.push_str("\nwhere they differ:\n");
    }
    for line in differing {
        let _ = writeln!(out, "  {}  {}\n        {} ({})", line.id, one_line(&line.why), line.source, line.confidence);
    }
    let _ = writeln!(out, "\n= agrees  ≠ disagrees  – not representable  · not run");
    let _ = writeln!(out, "{}", counted.sentence());
}

fn put(table: &Table, out: &mut String) {
    for line in table.lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
