//! `--dry-run`: what would run, in which order, for how long, what was reported of cells like it, and what each setting does
//! here.

use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::cli::list::Screen;
use crate::matrix::cell::Cell;
use crate::matrix::risk::{Expected, Risk};

use super::here::SettingHere;

/// Seconds that a process takes where nothing goes wrong: libraries load and the first kernels compile. A guess, which is
/// said.
const USUAL: u64 = 10;

/// How a sweep is run.
pub(super) struct Plan {
    /// In this order.
    pub(super) cells: Vec<(Cell, Expected)>,
    /// Every setting that was asked for, also those that make no cells.
    pub(super) settings: Vec<SettingHere>,
    /// The GPU and the kernel that settings are judged on.
    pub(super) ground: String,
    /// Processes for each.
    pub(super) repeat: u32,
    /// Longest time of one process.
    pub(super) longest: Duration,
    /// No further cell is begun after it.
    pub(super) budget: Option<Duration>,
}

impl Plan {
    /// The cells, the settings, and what it amounts to.
    pub(super) fn text(&self, screen: Screen) -> String {
        let mut table = table(screen);
        table.set_header(["probe", "setting", "worker", "reported of such cells"]);
        for (cell, expected) in &self.cells {
            let reported = match expected.report {
                Some(report) if expected.same => format!("{} ({})", expected.risk, report.id),
                Some(report) => format!("{} (like {})", expected.risk, report.id),
                None => expected.risk.to_string(),
            };
            let setting = if cell.setting.kernel.is_empty() {
                cell.setting.name.clone()
            } else {
                format!("{} (kernel)", cell.setting.name)
            };
            table.add_row([cell.probe.id(), setting, cell.worker.clone(), reported]);
        }
        [lines(&table), self.settings(screen), "\n".to_owned(), self.sum()].concat()
    }

    /// What each setting does here, one line for each of its parameters and variables.
    fn settings(&self, screen: Screen) -> String {
        let mut table = table(screen);
        table.set_header(["setting", "sets", "here", "why"]);
        let mut for_nothing = String::new();
        for setting in &self.settings {
            for (at, proposal) in setting.proposals.iter().enumerate() {
                let name = if at == 0 { setting.name.as_str() } else { "" };
                table.add_row([name, &proposal.shown, proposal.comes.word(), &proposal.why]);
            }
            for_nothing.extend(setting.told().map(|told| told + "\n"));
        }
        if table.row_iter().next().is_none() {
            return String::new();
        }
        format!("\non {}:\n{}{for_nothing}", self.ground, lines(&table))
    }

    /// In one paragraph.
    fn sum(&self) -> String {
        let cells = self.cells.len();
        let processes = cells as u64 * u64::from(self.repeat);
        let risky = self.cells.iter().filter(|(_, expected)| expected.risk >= Risk::ResetsGpu).count();
        let hang = self.cells.iter().filter(|(_, expected)| expected.risk >= Risk::Hangs).count();
        let usual = Duration::from_secs(processes * USUAL);
        let worst = self.longest.saturating_mul(u32::try_from(processes).unwrap_or(u32::MAX));
        let budget = match self.budget {
            Some(budget) => format!("; no cell is begun after {}", told(budget)),
            None => String::new(),
        };
        format!(
            "{cells} cells, {processes} processes: about {} at {USUAL} s each (a guess), at most {}{budget}\n{hang} are like \
             cells that were reported to hang or worse, {risky} of them to reset the GPU or take the machine down; they run \
             last\nnothing was run\n",
            told(usual),
            told(worst),
        )
    }
}

fn table(screen: Screen) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    match screen.width {
        Some(width) => table.set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table
}

fn lines(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A duration for people: `90 s`, `25 min`, `3.5 h`.
pub(super) fn told(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}
