//! What a diagnosis needs beside the witnesses' readings.

use serde::Serialize;

use crate::domain::Provenance;
use crate::witness::pci::PciAdapter;

/// What surrounds a look at a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// What the host is, in words.
    pub host: String,
    /// What kind of host it is.
    pub provenance: Provenance,
    /// Who asks.
    pub caller: Caller,
    /// AMD's adapters on the PCI bus, with a driver or without one.
    pub adapters: Vec<PciAdapter>,
    /// ROCm as its files say, each installation once.
    pub rocm: Vec<RocmRelease>,
    /// What the caller's shell leaves of the devices; nothing but on the real machine.
    pub filters: DeviceFilters,
    /// Programs that run probes with torch, by path; looked for on the real machine only.
    pub workers: Vec<String>,
    /// Processes that could not be killed and are still there; looked for on the real machine only.
    pub unkillable: Vec<Unkillable>,
}

/// A process that could not be killed, as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unkillable {
    /// What it is and does, in words; or why that cannot be told.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

/// The variables by which ROCm's runtimes leave devices out, where they are set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceFilters {
    /// `ROCR_VISIBLE_DEVICES`.
    pub rocr: Option<String>,
    /// `HIP_VISIBLE_DEVICES`.
    pub hip: Option<String>,
    /// `CUDA_VISIBLE_DEVICES`.
    pub cuda: Option<String>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Effective user id 0.
    Root,
    /// Anybody else.
    User,
    /// Nobody: what was recorded answers whoever asks, and nothing can be changed.
    Replay,
}

/// One installation of ROCm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RocmRelease {
    /// What it says: `7.2.0-41`.
    pub version: String,
    /// The file that says so.
    pub path: String,
}
