//! Faults: what goes wrong on a simulated machine, by the spelling of `--fault`.

mod named;
mod probe;
mod reported;
mod text;
mod when;

use std::time::Duration;

use crate::domain::{Bytes, Signal};

use super::Errno;

pub use named::{Layer, Named};
pub use probe::{MemoryFault, Misbehaviour, ProbeFault};
pub use text::{FaultError, MAX_NESTING, Spelling, spellings};
pub use when::{Situation, When};

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `compute=EBUSY`: writing `current_compute_partition` answers this errno.
    WriteCompute(Errno),
    /// `memory=EINVAL`: writing `current_memory_partition` answers this errno.
    WriteMemory(Errno),
    /// `read_current_compute_partition=EIO`: reading a partition file answers this errno.
    Read {
        /// Which file.
        file: PartitionFile,
        /// What it answers.
        errno: Errno,
    },
    /// A fault that needs nothing but its name.
    Named(Named),
    /// `missing_device=3`: the kernel dropped this logical device (counted over all GPUs, from 0).
    MissingDevice(u32),
    /// `wrong_memory=1024MiB`: every KFD node reports this size.
    WrongMemory(Bytes),
    /// `worker_memory=96MiB`: the worker of a probe has so much of the GPU's memory for itself.
    WorkerMemory(Bytes),
    /// `delay=500ms`: the tool waits before it answers.
    Delay(Duration),
    /// `truncate=100`: standard output ends after this many bytes.
    Truncate(u32),
    /// `flood=1GB`: the tool prints this many bytes before it answers.
    Flood(Bytes),
    /// `signal=SIGSEGV`: the tool dies by this signal after it printed its answer.
    Signal(Signal),
    /// `exit=3`: the tool exits with this code, whatever happened.
    Exit(u8),
    /// `probe=hang`, `probe=hang@op=conv2d,height>=44`: what goes wrong in the worker of a probe, and when.
    Probe {
        /// What.
        fault: ProbeFault,
        /// When.
        when: When,
    },
    /// `after=2:hang`: another fault, from the call after this many on.
    After {
        /// Calls that go well.
        calls: u32,
        /// What happens then.
        fault: Box<Fault>,
    },
}

/// A partition file whose read can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartitionFile {
    /// `current_compute_partition`.
    CurrentCompute,
    /// `available_compute_partition`.
    AvailableCompute,
    /// `current_memory_partition`.
    CurrentMemory,
    /// `available_memory_partition`.
    AvailableMemory,
}

impl PartitionFile {
    /// Every file.
    pub const ALL: [Self; 4] =
        [Self::CurrentCompute, Self::AvailableCompute, Self::CurrentMemory, Self::AvailableMemory];

    /// Its name in sysfs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CurrentCompute => "current_compute_partition",
            Self::AvailableCompute => "available_compute_partition",
            Self::CurrentMemory => "current_memory_partition",
            Self::AvailableMemory => "available_memory_partition",
        }
    }
}

impl Fault {
    /// What is in force at the call with this number (0 is the first), if anything.
    pub fn active(&self, call: u64) -> Option<&Self> {
        match self {
            Self::After { calls, fault } if call >= u64::from(*calls) => fault.active(call),
            Self::After { .. } => None,
            Self::WriteCompute(_)
            | Self::WriteMemory(_)
            | Self::Read { .. }
            | Self::Named(_)
            | Self::MissingDevice(_)
            | Self::WrongMemory(_)
            | Self::WorkerMemory(_)
            | Self::Delay(_)
            | Self::Truncate(_)
            | Self::Flood(_)
            | Self::Signal(_)
            | Self::Exit(_)
            | Self::Probe { .. } => Some(self),
        }
    }
}
