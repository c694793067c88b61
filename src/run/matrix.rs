//! One cell of the crash matrix, in as many processes as asked, and whether the GPU answers again afterwards.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use crate::facts::Class;
use crate::matrix::cell::Cell;
use crate::matrix::record::{CellDevice, CellRecord, CellRun};
use crate::probe::ProbeSpec;
use crate::probe::loaded::libraries;
use crate::probe::protocol::{Outcome, Request};
use crate::probe::spec::{Dtype, Elementwise, Operation};
use crate::probe::stand::{ProbeRun, Stand};
use crate::process::Cancel;
use crate::witness::tuning::WorkerEnvironment;

/// Lines of evidence that a record keeps of one process.
const LINES: usize = 4;

/// Longest of them, in characters.
const LINE: usize = 300;

/// Where a cell runs, and what is known of it before.
#[derive(Debug, Clone)]
pub struct CellStand {
    /// The worker, with the setting's variables.
    pub stand: Stand,
    /// What is known.
    pub known: CellKnown,
}

/// What is known of a cell before it runs.
#[derive(Debug, Clone)]
pub struct CellKnown {
    /// The ISA of the chip, as the kernel says.
    pub native_isa: Option<String>,
    /// The simulated machine, by name.
    pub machine: Option<String>,
    /// What is in force of each parameter that somebody asked for.
    pub in_force: BTreeMap<String, String>,
    /// The reported cell that is played.
    pub reported: Option<String>,
    /// The command that runs it again.
    pub again: String,
}

/// What came of a cell.
#[derive(Debug)]
pub struct RanCell {
    /// Its record.
    pub record: CellRecord,
    /// Why nothing on this machine can be trusted any more, and what to do, where something was seen that says so.
    pub stopped: Option<String>,
    /// The GPU was reset, or hung.
    pub disturbed: bool,
}

/// Runs a cell in `times` processes, one after the other; a sign that the machine is not to be trusted, or a signal, ends
/// it early.
pub fn run_cell(cell: &Cell, on: &CellStand, times: u32, cancel: &Cancel) -> RanCell {
    let mut ran = RanCell { record: blank(cell, &on.known), stopped: None, disturbed: false };
    let request = Request::new(cell.probe.clone(), on.stand.on);
    for _ in 0..times {
        match on.stand.run(&request, cancel) {
            Ok(_) if cancel.is_cancelled() => {
                ran.record.not_run = Some("interrupted".to_owned());
                break;
            }
            Ok(run) => {
                ran.stopped = run.stopped();
                ran.disturbed |= disturbs(&run);
                let lost = run.done.environment.value().and_then(WorkerEnvironment::lost);
                if lost.is_none() {
                    ran.record.add(&run);
                }
                if let Some(stop) = run.stop {
                    ran.record.not_run = Some(format!("stopped, since nothing can be trusted now: {stop}"));
                    break;
                }
                if lost.is_some() {
                    // What came of it came of another setting.
                    ran.record.not_run = lost;
                    break;
                }
            }
            Err(problem) => {
                ran.record.not_run = Some(problem.to_string());
                break;
            }
        }
    }
    ran
}

/// Waits until a GPU that was reset answers again: an addition of few numbers passes. `tries` times, with `pause` before
/// each.
pub fn answers_again(stand: &Stand, tries: u32, pause: Duration, cancel: &Cancel) -> bool {
    let shape = vec![64, 64];
    let probe = ProbeSpec::compute(Operation::Elementwise { function: Elementwise::Add, shape }, Dtype::F32);
    let request = Request::new(probe, stand.on);
    (0..tries).any(|_| {
        if cancel.is_cancelled() {
            return false;
        }
        sleep(pause);
        stand.run(&request, cancel).is_ok_and(|run| run.status == crate::domain::Status::Pass)
    })
}

fn disturbs(run: &ProbeRun) -> bool {
    let class = run.done.classified.class;
    matches!(class, Some(Class::GpuReset | Class::GpuHang | Class::HwsHang | Class::RingTimeout | Class::GpuLost))
}

/// The record of a cell of which no process was run.
pub fn blank(cell: &Cell, known: &CellKnown) -> CellRecord {
    CellRecord {
        id: cell.id(),
        probe: cell.probe.id(),
        class: cell.class.clone(),
        setting: cell.setting.name.clone(),
        env: cell.setting.env.clone(),
        kernel: cell.setting.kernel.clone(),
        in_force: known.in_force.clone(),
        worker: cell.worker.clone(),
        reported: known.reported.clone(),
        machine: known.machine.clone(),
        device: CellDevice { native_isa: known.native_isa.clone(), ..CellDevice::default() },
        libraries: BTreeMap::new(),
        runs: Vec::new(),
        not_run: None,
        again: known.again.clone(),
    }
}

impl CellRecord {
    fn add(&mut self, run: &ProbeRun) {
        if let Some(hello) = &run.done.said.hello {
            self.libraries = libraries(hello);
            if let Some(device) = &hello.device {
                self.device.name = Some(device.name.clone());
                self.device.effective_isa.clone_from(&device.isa);
            }
        }
        let classified = &run.done.classified;
        self.runs.push(CellRun {
            status: run.status.clone(),
            class: classified.class,
            signature: Some(classified.id.clone()).filter(|id| !id.is_empty()),
            signatures: classified.seen.iter().map(|seen| seen.signature.clone()).collect(),
            evidence: evidence(run),
            seconds: run.done.took.as_secs_f64(),
        });
    }
}

/// What a reader wants to see first: the lines that decided, what the engine raised, what is wrong with the numbers, or
/// the last words.
fn evidence(run: &ProbeRun) -> Vec<String> {
    let classified = &run.done.classified;
    let lines = classified.seen.iter().map(|seen| seen.line.clone());
    let raised = run.done.said.answers.iter().filter_map(|answer| match &answer.outcome {
        Outcome::Raised { text, .. } => Some(text.clone()),
        Outcome::Numbers(_) | Outcome::Same { .. } | Outcome::Memory(_) => None,
    });
    let wrong = run.judged.iter().filter(|judged| judged.failing().is_some()).map(ToString::to_string);
    let words: Vec<&str> = classified.last_words.lines().collect();
    let words = words[words.len().saturating_sub(LINES)..].iter().map(|&line| line.to_owned());
    lines.chain(raised).chain(wrong).chain(words).take(LINES).map(|line| line.chars().take(LINE).collect()).collect()
}
