//! What came of the probes of a case, as data: what each process said and left behind, and what was judged of it where it
//! was run. Checks read this.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{DeviceKind, Ended, MemoryReport, Reading};
use crate::facts::Class;

use super::gpu_use::GpuUse;
use super::tuning::WorkerEnvironment;

/// One probe of a step, run as often as the step asks.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeDone {
    /// Its name: operation, format and sizes.
    pub probe: String,
    /// Whether it computes numbers; a probe of memory does not.
    pub computes: bool,
    /// The specification, as the worker read it: one JSON document.
    pub spec: String,
    /// Where it was to run.
    pub on: DeviceKind,
    /// What computes: `simulated`, `torch`. `None` where there is nothing that could.
    pub engine: Option<&'static str>,
    /// Variables that the step gave it.
    pub env: BTreeMap<String, String>,
    /// The command that repeats it by hand.
    pub again: String,
    /// What came of it.
    pub came: ProbeCame,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeCame {
    /// It was run in these processes, one after the other; at least one.
    Ran(Vec<ProbeProcess>),
    /// It was not.
    NotRun {
        /// Why, and what would help.
        why: String,
    },
}

impl ProbeDone {
    /// Why nothing more is to be run on this machine, where one of its processes showed that.
    pub fn stop(&self) -> Option<&str> {
        match &self.came {
            ProbeCame::Ran(processes) => processes.iter().find_map(|process| process.stop.as_deref()),
            ProbeCame::NotRun { .. } => None,
        }
    }
}

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeProcess {
    /// How it ended.
    pub end: ProbeEnd,
    /// What it died of, or what the kernel logged although it lived.
    pub class: Option<Class>,
    /// The name of that, the same whenever it happens again; empty where nothing did.
    pub signature: String,
    /// The process whose doing took this one down, where the kernel names another.
    pub collateral: Option<u32>,
    /// Something was seen after which nothing on this machine can be trusted: in words.
    pub stop: Option<String>,
    /// The process before this one, which another's reset took down: this one is its second try.
    pub before: Option<Box<ProbeProcess>>,
    /// Why the kernel's log could not be read: then nothing is known of resets and faults.
    pub kernel_unread: Option<String>,
    /// What the engine raised, where it did.
    pub raised: Option<ProbeRaised>,
    /// Where the operation ran; `None` where there is no answer that could say it.
    pub place: Option<ProbePlace>,
    /// What the drivers counted for it while it lived; `None` where nobody could read it.
    pub counted: Option<GpuUse>,
    /// Every result that was carried, judged.
    pub numbers: Vec<ProbeNumbers>,
    /// Every use of memory, judged.
    pub memory: Vec<ProbeMemory>,
    /// What the worker is made of, by name: what it says, and what the names of the files that it mapped say.
    pub libraries: BTreeMap<String, String>,
    /// Paths of the files that it mapped to drive a GPU, by its own word; the first ones.
    pub mapped: Vec<String>,
    /// Its environment as its process had it once it had said hello.
    pub environment: Reading<WorkerEnvironment>,
    /// The GPU, by name and address.
    pub device: Option<String>,
    /// From its start to its end, loading and compiling included.
    pub took: Duration,
    /// Time on the GPU's own queue, of all repeats; `None` where nothing measured it.
    pub device_time: Option<Duration>,
    /// What it printed on standard error, bounded.
    pub stderr: Vec<u8>,
    /// What the kernel logged meanwhile; `None` where nobody could read it.
    pub kernel: Option<String>,
}

/// How a process ended, against what it was to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeEnd {
    /// It said everything, and good bye.
    Reported,
    /// It did not exit with 0.
    Died(Ended),
    /// It exited with 0 and did not keep to the protocol, which says nothing of the GPU.
    BrokeProtocol(String),
}

/// What an engine raised, in its words, while its process lived on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeRaised {
    /// There was not enough memory.
    OutOfMemory(String),
    /// It has no such operation.
    Unsupported(String),
    /// Anything else.
    Other(String),
}

/// Where an operation ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbePlace {
    /// On the GPU, and something shows it that only a GPU could have made.
    Gpu,
    /// On the GPU, as it says itself.
    UnprovenGpu,
    /// On the GPU, as it says itself, where the driver never saw it.
    ClaimedGpu,
    /// On the CPU.
    Cpu(WhyCpu),
}

/// What of a worker explains that it computed on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyCpu {
    /// It has nothing that drives a GPU.
    NoBackend,
    /// It has, and found no GPU.
    NoDevice,
    /// It found one, and the operation ran elsewhere.
    Elsewhere,
}

/// A result, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeNumbers {
    /// As it must be; says how near.
    Right(String),
    /// Not so.
    Wrong {
        /// What is wrong first of all.
        how: WrongNumbers,
        /// All that is.
        text: String,
    },
}

/// A use of memory, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeMemory {
    /// What the worker found.
    pub report: MemoryReport,
    /// What is wrong with it; nothing where it went as it must.
    pub wrong: Vec<WrongMemory>,
    /// The judgement in words.
    pub text: String,
}

/// One way of a use of memory to be wrong; each explains those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WrongMemory {
    /// The report contradicts itself: nothing is known of the device.
    Impossible,
    /// Memory does not hold what was written to it.
    PatternBroken,
    /// The data of the device beside it was changed.
    NeighbourChanged,
    /// The runtime reports another size than the machine gives the device.
    OtherTotal,
    /// The device gave out more than it is held to.
    PastLimit,
    /// More than there is was granted.
    NotRefused,
    /// Less was allocated than the share that was asked for.
    FellShort,
    /// An allocation was refused long before the device's memory was used up.
    RefusedEarly,
    /// The data of the device beside it was to be looked at, and was not.
    NeighbourUnchecked,
    /// Less was read back than was to be.
    CheckedLess,
}

/// What is wrong with a result first of all: each but the last explains the ones after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WrongNumbers {
    /// Elements still hold what was there before.
    NotWritten,
    /// Elements are infinite or not a number.
    NotFinite,
    /// Every element is zero.
    AllZero,
    /// Another shape, an incomplete answer, or numbers that are too far off.
    Off,
}
