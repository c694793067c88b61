//! What the supervisor and a worker say to each other, whatever the engine and the language it is written in.
//!
//! The supervisor writes one [`Request`] to the worker's standard input and closes it. The worker writes one JSON object
//! per line to its standard output: `hello` once and first, `progress` as often as it likes, one `result` per repeat,
//! `bye` once and last. Standard error is free text. A worker that ends well says `bye` and exits with 0; one that exits
//! with 0 before that has broken the protocol.

mod reader;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Output, ProbeSpec};
use crate::domain::Bytes;

pub use crate::domain::{DeviceKind as Kind, MemoryReport, Neighbour};
pub use reader::{Conversation, News, Problem, Reader};

/// Version of the protocol; another one is refused.
pub const PROTOCOL: u32 = 1;

/// Longest line that is read: a result that is carried whole, and the sums of its blocks, in base64.
pub const MAX_LINE: usize = 4 << 20;

/// What is asked of a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// What to compute.
    pub probe: ProbeSpec,
    /// Where.
    pub on: Kind,
    /// Seconds after which no further repeat is begun, for a soak; at least one is done all the same. Without it every
    /// repeat is. A worker may end its soak sooner, after any result: the supervisor knows what time is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u32>,
}

impl Request {
    /// Every repeat of this probe.
    pub const fn new(probe: ProbeSpec, on: Kind) -> Self {
        Self { protocol: PROTOCOL, probe, on, budget: None }
    }
}

/// One line of a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Message {
    /// Who it is.
    Hello(Hello),
    /// It is still at it.
    Progress(Progress),
    /// One repeat is done.
    Result(Answer),
    /// Everything was said.
    Bye {},
}

/// Who a worker is and what it works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// `reference`, `simulated`, `torch`, `python`.
    pub engine: String,
    /// Its number, as it sees it itself.
    pub pid: u32,
    /// What it is made of, by name: versions as the loaded libraries say them.
    pub libraries: BTreeMap<String, String>,
    /// Whether it has what drives a GPU (for libtorch: `libtorch_hip` or `libtorch_cuda` is loaded).
    pub gpu_backend: bool,
    /// GPUs that it can use.
    pub gpus: u32,
    /// The first of them, which is the one that is probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Paths of the mapped files that drive a GPU, from the worker's own `/proc/self/maps`: that a library was named when
    /// it was linked does not show that it is there (tch-rs#1015).
    #[serde(default)]
    pub mapped: Vec<String>,
}

/// A GPU as the runtime that drives it describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// The effective ISA, `gfx1030` with or without features after it: what code objects are looked for, which an
    /// override changes. `None` where the runtime is not ROCm's.
    pub isa: Option<String>,
    /// Its PCI address as the runtime writes it.
    pub bdf: Option<String>,
    /// All of its memory.
    pub memory: Bytes,
}

/// How far a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// What it does now.
    pub phase: Phase,
    /// Repeats, or steps of one, that are done.
    pub done: u32,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Computes for the first time, which compiles kernels: it may be silent for minutes.
    First,
    /// Computes again.
    Run,
}

/// What came of one repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Which, from 0.
    pub repeat: u32,
    /// What.
    pub outcome: Outcome,
    /// Where the operation ran, as far as the worker can tell.
    pub on: Kind,
    /// What shows that it ran there.
    pub evidence: Vec<Evidence>,
}

/// What came of a computation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// Numbers.
    Numbers(Output),
    /// Numbers, bit for bit those of the repeat before, in this repeat and those after it: a soak would say it a
    /// million times.
    Same {
        /// How many repeats, at least 1.
        times: u32,
    },
    /// What came of a use of memory.
    Memory(MemoryReport),
    /// The engine raised, and the worker lives.
    Raised {
        /// What about.
        kind: Raised,
        /// In its words.
        text: String,
    },
}

impl Outcome {
    /// Repeats that it tells of.
    pub const fn repeats(&self) -> u32 {
        match self {
            Self::Same { times } => *times,
            Self::Numbers(_) | Self::Memory(_) | Self::Raised { .. } => 1,
        }
    }
}

/// What an engine raised about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Raised {
    /// There was not enough memory.
    OutOfMemory,
    /// It has no such operation.
    Unsupported,
    /// Anything else.
    Other,
}

/// Something that shows where an operation ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Evidence {
    /// The device that the result's tensor names. A claim of the library, and no proof.
    Tensor(String),
    /// Nanoseconds between two events on the device's own queue.
    EventTime(u64),
    /// Bytes of device memory that the driver counts for this process (KFD, fdinfo).
    DeviceMemory(u64),
}

#[cfg(test)]
mod tests;
