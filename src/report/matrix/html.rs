//! `--format html`: one page that needs nothing else. The data stand in it once, each text a single time, and a script lays
//! them out: thousands of cells stay small, and can be sorted and filtered.

use askama::Template;
use serde::Serialize;

use crate::domain::Provenance;
use crate::matrix::grid::{Grid, mark, text};
use crate::matrix::record::{CellRecord, CellRun};
use crate::report::{ReportError, tame};

use super::Shown;
use super::words::{MARKS, SIMULATED, Told, Verdict, beside, column, run_line};

#[derive(Template)]
#[template(path = "matrix/page.html")]
struct Page<'a> {
    simulated: Option<&'a str>,
    runs: Vec<String>,
    cells: usize,
    outcomes: Vec<Outcome>,
    counts: Option<String>,
    data: Data,
}

/// Cells that came out alike: what the first screen says, and the legend of the grid.
struct Outcome {
    mark: &'static str,
    means: &'static str,
    cells: usize,
    rank: u8,
}

/// What the script reads.
#[derive(Serialize)]
struct Data {
    rows: Vec<String>,
    columns: Vec<String>,
    /// Every text that a cell refers to by its place.
    texts: Vec<String>,
    cells: Vec<Cell>,
    reported: Vec<Told>,
    /// How a verdict is written, with its mark, by how the reports name it.
    verdicts: Vec<(Verdict, String)>,
}

/// A cell; texts by their place.
#[derive(Serialize)]
struct Cell {
    /// Row and column.
    at: (usize, usize),
    /// The word of its status.
    status: usize,
    /// What stands in it.
    text: usize,
    /// Worst first.
    rank: u8,
    /// What opens: lines of label and text, by pairs.
    more: Vec<usize>,
}

/// Texts, each once.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    places: std::collections::HashMap<String, usize>,
}

impl Texts {
    fn place(&mut self, text: impl Into<String>) -> usize {
        let text = text.into();
        if let Some(&place) = self.places.get(&text) {
            return place;
        }
        self.all.push(text.clone());
        self.places.insert(text, self.all.len() - 1);
        self.all.len() - 1
    }
}

pub(super) fn render(shown: Shown<'_>) -> Result<Vec<u8>, ReportError> {
    let grid = Grid::of(shown.runs);
    let mut texts = Texts::default();
    let mut cells = Vec::new();
    for (row, probe) in grid.rows.iter().enumerate() {
        for (at, column) in grid.columns.iter().enumerate() {
            if let Some(cell) = grid.at(*probe, column) {
                cells.push(of(cell, (row, at), &mut texts));
            }
        }
    }
    let columns = grid.columns.iter().map(|each| column(each, shown)).collect();
    let (reported, counts) = match shown.against_reported {
        true => {
            let (told, counted) = beside(shown);
            (told, Some(counted.sentence()))
        }
        false => (Vec::new(), None),
    };
    let shown_cells: Vec<&CellRecord> = shown.runs.iter().flat_map(|run| &run.cells).collect();
    let data = Data {
        rows: grid.rows.iter().map(ToString::to_string).collect(),
        columns,
        texts: texts.all,
        cells,
        reported,
        verdicts: Verdict::ALL
            .iter()
            .map(|verdict| (*verdict, format!("{} {}", verdict.mark(), verdict.name())))
            .collect(),
    };
    let page = Page {
        simulated: (shown.provenance() == Provenance::Simulated).then_some(SIMULATED),
        runs: shown.runs.iter().map(run_line).collect(),
        cells: shown_cells.len(),
        outcomes: outcomes(&shown_cells),
        counts,
        data,
    };
    Ok(tame::page(&page.render()?).into_bytes())
}

/// A cell in which nothing ran.
const NOT_RUN: &str = "not run";

/// What passed is the least interesting.
fn rank(mark: &str) -> u8 {
    match mark {
        "+" => 0,
        "~" => 2,
        "C" | "E" => 3,
        "≠" => 4,
        "X" => 5,
        "K" => 6,
        "H" => 7,
        _ => 1,
    }
}

/// How many came out how, in the order of the legend; what is not there is not told.
fn outcomes(cells: &[&CellRecord]) -> Vec<Outcome> {
    let marks: Vec<&str> = cells.iter().map(|cell| cell.status().as_ref().map_or("", mark)).collect();
    let of = |(mark, means)| Outcome {
        mark,
        means,
        cells: marks.iter().filter(|each| **each == mark).count(),
        rank: rank(mark),
    };
    MARKS.into_iter().chain([("", NOT_RUN)]).map(of).filter(|outcome| outcome.cells > 0).collect()
}

fn of(cell: &CellRecord, at: (usize, usize), texts: &mut Texts) -> Cell {
    let status = cell.status();
    let word = status.as_ref().map_or(NOT_RUN, |status| status.word().name());
    let rank = rank(status.as_ref().map_or("", mark));
    let mut more = Vec::new();
    let mut tell = |label: &str, text: String| {
        if !text.is_empty() {
            more.extend([texts.place(label), texts.place(text)]);
        }
    };
    let pairs = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    tell("setting", cell.setting.clone());
    tell("environment", pairs(&cell.env));
    tell("kernel", pairs(&cell.kernel));
    tell("in force", pairs(&cell.in_force));
    tell("worker", cell.worker.clone());
    tell("libraries", pairs(&cell.libraries));
    tell("machine", cell.machine.clone().or_else(|| cell.device.name.clone()).unwrap_or_default());
    let isa = [&cell.device.native_isa, &cell.device.effective_isa].into_iter().flatten().cloned();
    tell("ISA, native and effective", isa.collect::<Vec<_>>().join(", "));
    for (at, run) in cell.runs.iter().enumerate() {
        tell(&format!("process {}", at + 1), run_text(run));
        // Runs that came out alike have their evidence once.
        let before = cell.runs[..at].iter().any(|before| before.evidence == run.evidence);
        if !before {
            run.evidence.iter().for_each(|line| tell("evidence", line.clone()));
        }
    }
    tell("not run", cell.not_run.clone().unwrap_or_default());
    tell("again", cell.again.clone());
    Cell { at, status: texts.place(word), text: texts.place(text(cell)), rank, more }
}

fn run_text(run: &CellRun) -> String {
    let signature = run.signature.as_ref().map(|id| format!(", {id}")).unwrap_or_default();
    // Whole tenths: every digit more is a text of its own.
    format!("{} in {:.1} s{signature}", run.status, run.seconds)
}
