//! A sweep on its way: every cell, journalled before it begins, in the order of what it may do to the machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::console;
use crate::cli::exit::Failure;
use crate::cli::results;
use crate::domain::{Ended, Reading, Signal, Status};
use crate::host::previous_boot;
use crate::journal::{Next, Progress};
use crate::matrix::campaign::{Campaign, Waiting};
use crate::matrix::cell::Cell;
use crate::matrix::record::{CellRecord, CellRun};
use crate::probe::classify::{Pids, Remains, classify};
use crate::probe::supervise::Limits;
use crate::process::Cancel;
use crate::run::{CellStand, MatrixFolder, RanCell, Stopwatch, answers_again, blank, run_cell};
use crate::tuning::InForce;

use super::place::{Place, Planned, Shared};
use super::plan::told;
use super::reported;

/// Lines of the log of a boot that ended with a cell.
const LAST: usize = 8;

/// How often a GPU that was reset is asked whether it answers, and how long each time is waited before.
const SETTLING: (u32, Duration) = (5, Duration::from_secs(5));

/// A sweep on its way.
pub(super) struct Sweeping {
    /// No further cell is begun after it.
    pub(super) budget: Option<Duration>,
    /// Processes for each cell.
    pub(super) repeat: u32,
    pub(super) limits: Limits,
    pub(super) cancel: Cancel,
    pub(super) boot: Boot,
    pub(super) watch: Stopwatch,
    /// Why nothing further is run on this machine.
    pub(super) stopped: Option<String>,
    /// What the next boot is for.
    pub(super) waiting: Option<Waiting>,
    /// Cells that were not begun, or were stopped, and can still be run.
    pub(super) left: usize,
}

/// The boot that this is.
pub(super) struct Boot {
    pub(super) id: Option<String>,
    pub(super) in_force: InForce,
    pub(super) campaign: Campaign,
}

impl Sweeping {
    /// Every cell: kept from earlier, run, or with why it was not.
    pub(super) fn cells(
        &mut self,
        shared: &Shared,
        folder: &mut MatrixFolder,
        earlier: &Progress<CellRecord>,
    ) -> Result<Vec<CellRecord>, Failure> {
        let boot_id = self.boot.id.clone();
        let boot_id = boot_id.as_deref();
        let scratch = results::scratch()?;
        let count = shared.planned.len();
        let mut records = Vec::new();
        for (at, planned) in shared.planned.iter().enumerate() {
            let id = planned.id();
            let record = match earlier.next(&id, boot_id) {
                Next::Keep(record) => record.clone(),
                Next::MachineWentDown { boot_id } => {
                    let log = shared.machine.as_ref().map(|host| previous_boot(host, boot_id));
                    let record = went_down(planned, log)?;
                    folder.ended(&record).map_err(Failure::unavailable)?;
                    record
                }
                Next::Run => match self.why_not(&planned.cell) {
                    Some(why) => {
                        self.left += 1;
                        CellRecord { not_run: Some(why), ..empty(planned)? }
                    }
                    None => {
                        folder.began(&id, boot_id).map_err(Failure::unavailable)?;
                        let record = self.one(planned, scratch.path())?;
                        if record.not_run.as_deref() == Some("interrupted") {
                            self.left += 1;
                            folder.withdrawn(&id).map_err(Failure::unavailable)?;
                        } else {
                            folder.ended(&record).map_err(Failure::unavailable)?;
                        }
                        console::note(&progress(&record, at + 1, count));
                        record
                    }
                },
            };
            records.push(record);
        }
        Ok(records)
    }

    /// Why no further cell is begun.
    fn why_not(&mut self, cell: &Cell) -> Option<String> {
        if let Some(waiting) = self.boot.campaign.waits_for(cell, &self.boot.in_force) {
            let why = format!("it waits for a boot with {waiting}: {}", waiting.instead.join("; "));
            self.waiting.get_or_insert(waiting);
            return Some(why);
        }
        if let Some(why) = &self.stopped {
            return Some(format!("nothing is run any more: {why}"));
        }
        if self.cancel.is_cancelled() {
            return Some("interrupted".to_owned());
        }
        let budget = self.budget.filter(|budget| self.watch.elapsed() >= *budget);
        budget.map(|budget| format!("the budget of {} was used up", told(budget)))
    }

    fn one(&mut self, planned: &Planned, scratch: &Path) -> Result<CellRecord, Failure> {
        let (stand, folder, times) = self.stand(planned, scratch)?;
        if let (Place::Reported(cell), Some(folder)) = (&planned.place, &folder)
            && cell.goes_down()
        {
            let runs = reported::apart(&planned.cell, folder.path(), &self.cancel)?;
            return Ok(CellRecord { runs, ..empty(planned)? });
        }
        let ran = run_cell(&planned.cell, &stand, times, &self.cancel);
        // A machine of its own is gone with its cell.
        if matches!(planned.place, Place::Given(_)) {
            self.stopped = self.trouble(&ran, &stand);
        }
        Ok(CellRecord { id: planned.id(), ..ran.record })
    }

    /// Why nothing further can be run after this cell.
    fn trouble(&self, ran: &RanCell, stand: &CellStand) -> Option<String> {
        if let Some(stopped) = &ran.stopped {
            return Some(format!("{}: {stopped}", ran.record.id));
        }
        let (tries, pause) = SETTLING;
        let pause = if ran.record.machine.is_some() { Duration::ZERO } else { pause };
        let lost =
            ran.disturbed && !self.cancel.is_cancelled() && !answers_again(&stand.stand, tries, pause, &self.cancel);
        lost.then(|| format!("the GPU does not answer after {}", ran.record.id))
    }

    /// Where a cell runs, the folder of its machine that goes when it is dropped, and how many processes.
    fn stand(&self, planned: &Planned, scratch: &Path) -> Result<(CellStand, Option<tempfile::TempDir>, u32), Failure> {
        match &planned.place {
            Place::Given(stand) => Ok((CellStand::clone(stand), None, self.repeat)),
            Place::Reported(cell) => {
                let folder = tempfile::Builder::new().prefix("cell-").tempdir_in(scratch);
                let folder = folder.context("make a folder for a machine").map_err(Failure::unavailable)?;
                let stand = cell.stand(folder.path(), &self.limits)?;
                Ok((stand, Some(folder), self.repeat.max(cell.runs())))
            }
        }
    }
}

/// The record of a cell that was not run.
fn empty(planned: &Planned) -> Result<CellRecord, Failure> {
    let record = match &planned.place {
        Place::Given(stand) => blank(&planned.cell, &stand.known),
        Place::Reported(cell) => blank(&planned.cell, &cell.known()?),
    };
    Ok(CellRecord { id: planned.id(), ..record })
}

/// The record of a cell that was in flight when the machine went down.
fn went_down(planned: &Planned, log: Option<Result<String, String>>) -> Result<CellRecord, Failure> {
    let log = log.unwrap_or_else(|| Err("nobody kept the log of the boot".to_owned())).unwrap_or_else(|why| why);
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.len().saturating_sub(LAST);
    // Nobody knows how the process ended; what the kernel said may still tell.
    let seen = classify(&Remains {
        ended: &Ended::Signaled { signal: Signal(signal_hook::consts::SIGKILL) },
        answered: false,
        stderr: &[],
        stdout: &[],
        kernel: Reading::Value(&log),
        pids: Pids::Incomparable,
    });
    let run = CellRun {
        status: Status::MachineHang,
        class: seen.signature.as_ref().and(seen.class),
        signature: seen.signature,
        signatures: seen.seen.into_iter().map(|seen| seen.signature).collect(),
        evidence: lines[last..].iter().map(|line| line.chars().take(300).collect()).collect(),
        seconds: 0.0,
    };
    // What is in force now need not have been in force then.
    Ok(CellRecord { runs: vec![run], in_force: BTreeMap::new(), ..empty(planned)? })
}

fn progress(record: &CellRecord, at: usize, count: usize) -> String {
    let status = record.status().map_or_else(|| "not run".to_owned(), |status| status.to_string());
    let passed = format!("{} of {} passed", record.passed(), record.runs.len());
    format!("{at}/{count}  {status:<16}  {passed}  {}", record.id)
}
