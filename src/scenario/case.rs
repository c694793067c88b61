//! What a scenario file means: its header, shared by the cases that its lists multiply into.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{AllocMode, CheckSpec, ComputeMode, Expect, MemoryMode, ToolVersion};
use crate::facts::{self, Part};
use crate::sim::{Caller, Fault, Hives, Machine, MachineError, Platform, Tuning, machine_named};
use crate::witness::amd_smi::{Format, Query, SetRequest};

use super::{Level, Pattern, ProbeStep, VersionReq};

/// The part of a scenario file that all its cases share.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Path of the file below its root, without `.toml`: `partition/mi300x/cpx-nps4-memory`.
    pub id: String,
    /// Where the file is.
    pub origin: Origin,
    /// The file's text, word for word.
    pub text: Arc<str>,
    /// One line: what is claimed.
    pub title: String,
    /// One line: why it is worth checking.
    pub why: String,
    /// Who says so.
    pub source: String,
    /// Words to select by.
    pub tags: Vec<String>,
    /// How far it goes.
    pub level: Level,
    /// Which given hosts it is for. `None`: the file has no `[applies]`, and it is for its simulated machine only.
    pub applies: Option<Applies>,
}

impl Scenario {
    /// The tag of scenarios that take minutes where a CPU computes what a GPU is asked for.
    pub const SLOW: &str = "slow";

    /// Whether it takes minutes to simulate.
    pub fn is_slow(&self) -> bool {
        self.tags.iter().any(|tag| tag == Self::SLOW)
    }
}

/// Where a scenario file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Inside the binary, at this path below `scenarios/`.
    Embedded(String),
    /// On disk.
    File(PathBuf),
}

impl fmt::Display for Origin {
    /// The name that messages show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(path) => write!(f, "scenarios/{path}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Which given hosts a scenario is for. An empty list, or `None`, admits all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Applies {
    /// Parts, by id or machine name.
    pub part: Vec<Pattern>,
    /// Native ISA.
    pub gfx: Vec<Pattern>,
    /// Compute mode in force.
    pub compute: Vec<ComputeMode>,
    /// Memory mode in force.
    pub memory: Vec<MemoryMode>,
    /// amd-smi tool version.
    pub amd_smi: Option<VersionReq>,
    /// Where the operating system runs.
    pub platform: Vec<Platform>,
}

/// One scenario under one variant: what is run, and what gets a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The scenario's id, and after `::` the axes that have more than one value, in the file's order:
    /// `partition/mi300x/cpx-nps4-memory::amd-smi=26.2.1,compute=CPX`.
    pub id: String,
    /// What all cases of the file share.
    pub scenario: Arc<Scenario>,
    /// The axes that have more than one value, with this case's value: the part of the id after `::`.
    pub variant: Vec<Axis>,
    /// What to simulate when no host is given.
    pub simulate: Simulate,
    /// Queries to ask besides those that the checks need.
    pub ask: Vec<Query>,
    /// Output format of every amd-smi call.
    pub format: Format,
    /// How long one call of amd-smi may take; the run's deadline when `None`.
    pub deadline: Option<Duration>,
    /// What is done, in order, before the last look at the machine.
    pub steps: Vec<Step>,
    /// What is judged; never empty.
    pub checks: Vec<Check>,
    /// Which of the workers of a run computes its probes, by its name; `None` where there is but one.
    pub worker: Option<String>,
}

/// One axis of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// Its key in the file: `amd-smi`.
    pub name: String,
    /// The value, as it stands in the case's id.
    pub value: String,
}

/// What to simulate. `None` means: as the machine has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulate {
    /// Which machine.
    pub machine: MachineRef,
    /// Physical GPUs, 1 to 8.
    pub gpus: Option<u32>,
    /// Where the operating system runs.
    pub platform: Option<Platform>,
    /// Compute mode at the start.
    pub compute: Option<ComputeMode>,
    /// Memory mode at the start.
    pub memory: Option<MemoryMode>,
    /// Who calls; root when the file does not say.
    pub caller: Caller,
    /// Tool version that the shim speaks.
    pub amd_smi: ToolVersion,
    /// A client holds every GPU from the start.
    pub busy: bool,
    /// How the GPUs are wired to each other.
    pub hives: Option<Hives>,
    /// Allocation policy at the start.
    pub alloc_mode: Option<AllocMode>,
    /// Pages that GPUs may take of the system's memory, for an APU.
    pub pages_limit: Option<u64>,
    /// What was set on it.
    pub tuning: Tuning,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Simulate {
    /// The machine with everything that the scenario says about it.
    ///
    /// # Errors
    /// No such machine can be; a case that was read from a file has one that can.
    pub fn resolve(&self) -> Result<Machine, MachineError> {
        let base = match &self.machine {
            MachineRef::Named(name) => machine_named(name)?,
            MachineRef::File { machine, .. } => Machine::clone(machine),
        };
        let faults = base.faults.iter().chain(&self.faults).cloned().collect();
        let machine = Machine {
            gpus: self.gpus.unwrap_or(base.gpus),
            platform: self.platform.unwrap_or(base.platform),
            compute: self.compute.unwrap_or(base.compute),
            memory: self.memory.unwrap_or(base.memory),
            amd_smi: self.amd_smi,
            caller: self.caller,
            busy: self.busy || base.busy,
            hives: self.hives.unwrap_or(base.hives),
            alloc_mode: self.alloc_mode.or(base.alloc_mode),
            pages_limit: self.pages_limit.or(base.pages_limit),
            tuning: if self.tuning.is_plain() { base.tuning.clone() } else { self.tuning.clone() },
            faults,
            ..base
        };
        machine.check()?;
        Ok(machine)
    }
}

/// Which simulated machine.
#[derive(Debug, Clone, PartialEq)]
pub enum MachineRef {
    /// One of the machines that the binary knows, by name.
    Named(String),
    /// A machine file below the scenario's folder.
    File {
        /// Its path there, as the scenario writes it.
        path: String,
        /// What it says.
        machine: Arc<Machine>,
    },
}

impl MachineRef {
    /// The name on the command line, or the path.
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::File { path, .. } => path,
        }
    }

    /// The part of this machine.
    pub fn part(&self) -> Option<&'static Part> {
        match self {
            Self::Named(name) => facts::part(name.strip_prefix("reference-").unwrap_or(name)),
            Self::File { machine, .. } => facts::part(&machine.part),
        }
    }
}

/// One thing that is done to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Asks amd-smi to change a mode.
    Set(SetRequest),
    /// Reloads the driver.
    Reload,
    /// A client opens the GPUs. Simulated machines only.
    Hold,
    /// That client closes them. Simulated machines only.
    Release,
    /// Calls amd-smi with these arguments and keeps what it said.
    Run(Vec<String>),
    /// Runs probes, each in processes that may die.
    Probe(ProbeStep),
}

/// One check and what the scenario expects of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The check and its parameters.
    pub spec: CheckSpec,
    /// What is expected of it on a simulated or recorded host; never changes a verdict about real hardware.
    pub expect: Expect,
}
