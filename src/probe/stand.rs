//! Where probes run: an engine, the worker that is it, the device and the limits. Runs one probe there, once, and judges
//! what came of it. Commands, scenario steps and the crash matrix all run probes here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::capacity::capacity;
use super::engine::reference::{self, NotComputed};
use super::memory::{self, Capacity};
use super::protocol::{Kind, Outcome, Request};
use super::spec::Work;
use super::supervise::{Launcher, Limits, Supervised, Worker, watch};
use super::verdict::status;
use super::{Judgement, Output, ProbeSpec, judge};
use crate::domain::Status;
use crate::process::Cancel;
use crate::witness::Snapshot;
use crate::witness::gpu_use::Trees;
use crate::witness::kernel_log::{self, KernelLog};

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
    /// The kernel's log of its machine; `None` where nobody gave one.
    pub log: Option<PathBuf>,
    /// Where its machine shows what its drivers count for a process.
    pub trees: Trees,
    /// What sysfs and KFD show of its machine, by which uses of memory are judged; `None` where nobody looked.
    pub look: Option<Snapshot>,
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
}

/// A probe could not be run, or not judged; nothing is known of the device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRun {
    /// The kernel's log cannot be read.
    #[error("{0}")]
    Log(String),
    /// There is no oracle for it.
    #[error(transparent)]
    NotComputed(#[from] NotComputed),
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
            log: Some(log),
            trees: Trees { sys: host.join("sys"), proc: host.join("proc"), same_pids: true },
            look: None,
        }
    }

    /// On this machine, with its kernel's log where this process may read it.
    pub fn here(engine: Engine, worker: Worker, on: Kind) -> Self {
        let log = KernelLog::open(Path::new(kernel_log::DEVICE)).ok().map(|_| kernel_log::DEVICE.into());
        let trees = Trees { sys: "/sys".into(), proc: "/proc".into(), same_pids: kernel_log::knows_our_pids() };
        Self { engine, worker, on, limits: Limits::default(), log, trees, look: None }
    }

    /// Runs a probe once.
    ///
    /// # Errors
    /// The kernel's log cannot be read, or there is no oracle for the probe.
    pub fn run(&self, request: &Request, cancel: &Cancel) -> Result<ProbeRun, NotRun> {
        let mut log = self.log.as_deref().map(KernelLog::open).transpose().map_err(NotRun::Log)?;
        let done = watch(&self.worker, request, &self.limits, log.as_mut(), Some(&self.trees), cancel.clone());
        let capacity = self.look.as_ref().map(|look| capacity(look, &self.worker.env)).unwrap_or_default();
        let judged = judged(&request.probe, &done, &capacity)?;
        let status = status(&done, request.on, &judged);
        Ok(ProbeRun { done, judged, status })
    }
}

/// Every result that was carried, judged.
fn judged(spec: &ProbeSpec, done: &Supervised, capacity: &Capacity) -> Result<Vec<Judgement>, NotComputed> {
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
            let oracle = reference::oracle(spec)?;
            let judged = |output: &Output| Judgement::Numbers(judge(operation, *dtype, output, &oracle));
            Ok(outputs.into_iter().map(judged).collect())
        }
    }
}
