//! Where probes run: an engine, the worker that is it, the device and the limits. Runs one probe there, once, and judges
//! what came of it. Commands, scenario steps and the crash matrix all run probes here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::capacity::capacity;
use super::engine::reference::NotComputed;
use super::memory::{self, Capacity};
use super::oracles::Oracles;
use super::protocol::{Kind, Outcome, Request};
use super::spec::Work;
use super::supervise::{Launcher, Limits, Supervised, Worker, watch};
use super::system_journal::{self, SystemJournal};
use super::verdict::status;
use super::watch::{Stop, Watch};
use super::{Judgement, Output, ProbeSpec, judge};
use crate::domain::Status;
use crate::process::Cancel;
use crate::quarantine::Quarantine;
use crate::witness::Snapshot;
use crate::witness::gpu_use::Trees;
use crate::witness::kernel_log::{self, KernelLog, Log};

/// What computes a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// `validate` itself, on the CPU; what the others are judged against.
    Reference,
    /// The same numbers, on the GPU of a simulated machine with the faults that it was given.
    Simulated,
    /// libtorch: `validate-probe-torch`.
    Torch,
    /// Any Python with PyTorch.
    Python,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 4] = [Self::Reference, Self::Simulated, Self::Torch, Self::Python];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Simulated => "simulated",
            Self::Torch => "torch",
            Self::Python => "python",
        }
    }
}

/// Where probes run.
#[derive(Debug, Clone)]
pub struct Stand {
    /// What computes.
    pub engine: Engine,
    /// How it is started.
    pub worker: Worker,
    /// Where it is asked to compute.
    pub on: Kind,
    /// When it is stopped.
    pub limits: Limits,
    /// The folder that shows its machine's `/proc` and `/sys`.
    pub root: PathBuf,
    /// The kernel's log of its machine.
    pub log: LogSource,
    /// Where its machine shows what its drivers count for a process.
    pub trees: Trees,
    /// What sysfs and KFD show of its machine, by which uses of memory are judged; `None` where nobody looked.
    pub look: Option<Snapshot>,
    /// What numbers are judged by, kept from one process to the next.
    pub oracles: Oracles,
    /// Where it is written down that a process could not be killed; `None` where nothing outlives the machine.
    pub quarantine: Option<Quarantine>,
}

/// Where the kernel's log of a machine is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSource {
    /// A file that grows like it.
    File(PathBuf),
    /// This machine's: the kernel's own device, or else the system's journal.
    Here,
}

/// What came of a probe that was run once.
#[derive(Debug, Clone)]
pub struct ProbeRun {
    /// All that is known.
    pub done: Supervised,
    /// Every result that was carried, judged: numbers against the oracle, memory against what the machine has.
    pub judged: Vec<Judgement>,
    /// What it amounts to.
    pub status: Status,
    /// Why no log of the kernel was watched: then nothing is known of resets and faults.
    pub unwatched: Option<String>,
    /// Why nothing more is to be run on this machine, where that is so.
    pub stop: Option<Stop>,
    /// The file that keeps the GPU alone from now on, where its process could not be killed; or why there is none.
    pub marked: Option<Result<PathBuf, String>>,
    /// The run before this one, which another process's reset took down.
    pub before: Option<Box<ProbeRun>>,
}

impl ProbeRun {
    /// Why nothing more is to be run on this machine and what to do, where that is so.
    pub fn stopped(&self) -> Option<String> {
        let stop = self.stop?;
        let marked = match &self.marked {
            Some(Ok(file)) => format!(" Until then it is left alone: {}.", file.display()),
            Some(Err(problem)) => {
                format!(" That could not be written down, and nothing else will stop you: {problem}.")
            }
            None => String::new(),
        };
        Some(format!("{stop}. {}{marked}", stop.advice()))
    }
}

impl LogSource {
    /// Opens it at its end.
    ///
    /// # Errors
    /// Nobody may read it. In words.
    pub fn open(&self) -> Result<Box<dyn Log>, String> {
        match self {
            Self::File(path) => Ok(Box::new(KernelLog::open(path)?)),
            Self::Here => match KernelLog::open(Path::new(kernel_log::DEVICE)) {
                Ok(log) => Ok(Box::new(log)),
                Err(denied) => match SystemJournal::open(Path::new(system_journal::PROGRAM)) {
                    Ok(journal) => Ok(Box::new(journal)),
                    Err(absent) => Err(format!("{denied}; {absent}")),
                },
            },
        }
    }
}

impl Worker {
    /// The reference engine: `validate` is its executable.
    pub fn reference(validate: &Path) -> Self {
        Self::of(validate, validate, vec!["probe-worker".into()])
    }

    /// The worker on the GPU of this simulated host, an absolute path.
    pub fn simulated(validate: &Path, host: &Path) -> Self {
        let args = vec!["probe-worker".into(), "--host".into(), host.into()];
        Self::of(validate, validate, args)
    }

    /// Any program that speaks the protocol, started by the trampoline of `validate`.
    pub fn of(validate: &Path, program: &Path, args: Vec<OsString>) -> Self {
        let launcher = Launcher { program: validate.to_owned(), args: vec!["probe-launch".into()], memory: None };
        Self { program: program.to_owned(), args, env: Vec::new(), launcher }
    }
}

impl Stand {
    /// On the GPU of a simulated host: its folder, absolute, and its kernel's log. A simulated kernel has logged all that
    /// it will by the time that a worker is dead.
    pub fn simulated(validate: &Path, host: &Path, log: PathBuf) -> Self {
        Self {
            engine: Engine::Simulated,
            worker: Worker::simulated(validate, host),
            on: Kind::Gpu,
            limits: Limits { settle: Duration::ZERO, ..Limits::default() },
            root: host.to_owned(),
            log: LogSource::File(log),
            trees: Trees { sys: host.join("sys"), proc: host.join("proc"), same_pids: true },
            look: None,
            oracles: Oracles::default(),
            quarantine: None,
        }
    }

    /// On this machine.
    pub fn here(engine: Engine, worker: Worker, on: Kind) -> Self {
        let trees = Trees { sys: "/sys".into(), proc: "/proc".into(), same_pids: kernel_log::knows_our_pids() };
        Self {
            engine,
            worker,
            on,
            limits: Limits::default(),
            root: "/".into(),
            log: LogSource::Here,
            trees,
            look: None,
            oracles: Oracles::default(),
            quarantine: None,
        }
    }

    /// Runs a probe. One that another process's reset took down says nothing of the probe: it is run once more, when the
    /// other is gone, and that counts.
    ///
    /// # Errors
    /// There is no oracle for the probe: nothing is known of the device.
    pub fn run(&self, request: &Request, cancel: &Cancel) -> Result<ProbeRun, NotComputed> {
        let first = self.run_once(request, cancel)?;
        if first.status != Status::Collateral || first.stop.is_some() || cancel.is_cancelled() {
            return Ok(first);
        }
        let again = self.run_once(request, cancel)?;
        Ok(ProbeRun { before: Some(Box::new(first)), ..again })
    }

    fn run_once(&self, request: &Request, cancel: &Cancel) -> Result<ProbeRun, NotComputed> {
        let (mut log, unwatched) = match self.log.open() {
            Ok(log) => (Some(log), None),
            Err(why) => (None, Some(why)),
        };
        let machine = Watch::begin(&self.root);
        let log = log.as_deref_mut().map(|log| log as &mut dyn Log);
        let done = watch(&self.worker, request, &self.limits, log, Some(&self.trees), cancel.clone());
        let marked = self.quarantine.as_ref().zip(done.left).and_then(|(quarantine, pid)| {
            let device = done.said.hello.as_ref().and_then(|hello| hello.device.as_ref());
            let gpu = device.and_then(|device| device.bdf.clone());
            quarantine.mark(pid, gpu.map(|gpu| gpu.to_string()), request.probe.id()).transpose()
        });
        let stop = done.stops_the_run().map(Stop::Seen).or_else(|| machine.end());
        let capacity = self.look.as_ref().map(|look| capacity(look, &self.worker.env)).unwrap_or_default();
        let judged = judged(&request.probe, &done, &capacity, &self.oracles)?;
        let status = match (status(&done, request.on, &judged), stop) {
            // It came out well on a machine that did not.
            (Status::Pass, Some(_)) => Status::KernelFault,
            (status, _) => status,
        };
        Ok(ProbeRun { done, judged, status, unwatched, stop, marked, before: None })
    }
}

/// Every result that was carried, judged.
fn judged(
    spec: &ProbeSpec,
    done: &Supervised,
    capacity: &Capacity,
    oracles: &Oracles,
) -> Result<Vec<Judgement>, NotComputed> {
    let answers = done.said.answers.iter();
    match &spec.work {
        Work::Memory { operation } => {
            let reports = answers.filter_map(|answer| match &answer.outcome {
                Outcome::Memory(report) => Some(report),
                Outcome::Numbers(_) | Outcome::Same { .. } | Outcome::Raised { .. } => None,
            });
            Ok(reports.map(|report| Judgement::Memory(memory::judge(operation, report, capacity))).collect())
        }
        Work::Compute { operation, dtype } => {
            let outputs: Vec<_> = answers
                .filter_map(|answer| match &answer.outcome {
                    Outcome::Numbers(output) => Some(output),
                    Outcome::Same { .. } | Outcome::Memory(_) | Outcome::Raised { .. } => None,
                })
                .collect();
            if outputs.is_empty() {
                return Ok(Vec::new());
            }
            let oracle = oracles.of(spec)?;
            let judged = |output: &Output| Judgement::Numbers(judge(operation, *dtype, output, &oracle));
            Ok(outputs.into_iter().map(judged).collect())
        }
    }
}
