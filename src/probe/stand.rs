//! Where probes run: an engine, the worker that is it, the device and the limits. Runs one probe there, once, and judges
//! what came of it. Commands, scenario steps and the crash matrix all run probes here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::engine::reference::{self, NotComputed};
use super::protocol::{Kind, Outcome, Request};
use super::spec::Work;
use super::supervise::{Launcher, Limits, Supervised, Worker, supervise};
use super::verdict::status;
use super::{Numbers, ProbeSpec, judge};
use crate::domain::Status;
use crate::process::Cancel;
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
}

/// What came of a probe that was run once.
#[derive(Debug, Clone)]
pub struct ProbeRun {
    /// All that is known.
    pub done: Supervised,
    /// The numbers of every result that was carried, against the oracle.
    pub numbers: Vec<Numbers>,
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
        }
    }

    /// On this machine, with its kernel's log where this process may read it.
    pub fn here(engine: Engine, worker: Worker, on: Kind) -> Self {
        let log = KernelLog::open(Path::new(kernel_log::DEVICE)).ok().map(|_| kernel_log::DEVICE.into());
        Self { engine, worker, on, limits: Limits::default(), log }
    }

    /// Runs a probe once.
    ///
    /// # Errors
    /// The kernel's log cannot be read, or there is no oracle for the probe.
    pub fn run(&self, request: &Request, cancel: &Cancel) -> Result<ProbeRun, NotRun> {
        let mut log = self.log.as_deref().map(KernelLog::open).transpose().map_err(NotRun::Log)?;
        let done = supervise(&self.worker, request, &self.limits, log.as_mut(), cancel.clone());
        let numbers = judged(&request.probe, &done)?;
        let status = status(&done, request.on, &numbers);
        Ok(ProbeRun { done, numbers, status })
    }
}

/// The numbers of every result that was carried, against the oracle.
fn judged(spec: &ProbeSpec, done: &Supervised) -> Result<Vec<Numbers>, NotComputed> {
    let Work::Compute { operation, dtype } = &spec.work else { return Ok(Vec::new()) };
    let outputs = done.said.answers.iter().filter_map(|answer| match &answer.outcome {
        Outcome::Numbers(output) => Some(output),
        Outcome::Same { .. } | Outcome::Memory(_) | Outcome::Raised { .. } => None,
    });
    let outputs: Vec<_> = outputs.collect();
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let oracle = reference::oracle(spec)?;
    Ok(outputs.into_iter().map(|output| judge(operation, *dtype, output, &oracle)).collect())
}
