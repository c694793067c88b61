//! What a probe asks of a device, and what came of using its memory.

use serde::{Deserialize, Serialize};

use super::Bytes;

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The processor of the host.
    Cpu,
    /// A GPU.
    Gpu,
}

impl DeviceKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Gpu];

    /// As it stands in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}

/// What a worker found when it used memory. It counts; whether that is well, the judge says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryReport {
    /// All of the device's memory, as the runtime says.
    pub total: Bytes,
    /// What of it was free before anything was done, as the runtime says; `None` where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<Bytes>,
    /// Most that was allocated at once.
    pub allocated: Bytes,
    /// What was written, read back and compared.
    pub checked: Bytes,
    /// Bytes that came back otherwise.
    pub mismatches: u64,
    /// What the runtime said when it refused an allocation that was to be refused, or ended a growth; `None` where it
    /// refused nothing.
    pub refused: Option<String>,
    /// The data of the device beside it, where it was written before and read afterwards.
    pub neighbour: Option<Neighbour>,
    /// Time of the copies alone, in nanoseconds; 0 where nothing was timed.
    pub copying: u64,
}

impl MemoryReport {
    /// Of a device with so much memory, before anything was done.
    pub const fn begun(total: Bytes) -> Self {
        Self {
            total,
            free: None,
            allocated: Bytes(0),
            checked: Bytes(0),
            mismatches: 0,
            refused: None,
            neighbour: None,
            copying: 0,
        }
    }
}

/// Data of a device that another one's use must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// What was written before and read afterwards.
    pub checked: Bytes,
    /// Bytes that came back otherwise.
    pub mismatches: u64,
}
