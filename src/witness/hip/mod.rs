//! Witness HIP: the devices that the runtime shows. The runtime may crash, hang or print, so it is loaded by a child only
//! ([`runtime`]), which writes one [`Document`]; what the child wrote is untrusted.

pub mod runtime;

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};

use crate::domain::{Bdf, Bytes, Ended, Reading};

use super::{Call, HipDevice};

/// The version of the document that is written and read.
pub const SCHEMA: u32 = 1;

/// Most devices of one document: eight partitions of far more GPUs than a machine has.
pub const MAX_DEVICES: usize = 1024;

/// What the child writes to its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What came of asking.
    pub outcome: Outcome,
}

/// What came of asking the runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// There is no library of that name.
    Absent,
    /// It cannot be loaded, or cannot even count the devices.
    Failed {
        /// In its words.
        problem: String,
    },
    /// It answered.
    Devices {
        /// By index.
        devices: Vec<Device>,
    },
}

/// One device, as far as the runtime answered. A call that failed has its words in the place of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// `hipDeviceGetPCIBusId`.
    pub pci: Answered<String>,
    /// `hipMemGetInfo`, after `hipSetDevice`.
    pub memory: Answered<Memory>,
}

/// Bytes, as `hipMemGetInfo` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// Of it, what can be had now.
    pub free: u64,
}

/// The answer to one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered<T> {
    /// It succeeded.
    Value(T),
    /// It did not: which call, and its code.
    Problem(String),
}

/// The devices that the child's answer names; `NotReported` where there is no runtime.
pub fn read_hip(call: &Call) -> Reading<Vec<HipDevice>> {
    match &call.ended {
        Ended::Exited { code: 0 } => {}
        Ended::NotStarted { .. } => return Reading::NotReported,
        ended @ (Ended::Exited { .. }
        | Ended::Signaled { .. }
        | Ended::TimedOut { .. }
        | Ended::Cancelled
        | Ended::Unreaped) => {
            let said = String::from_utf8_lossy(&call.stderr);
            return Reading::malformed(said.trim(), format!("the process that asked HIP ended badly: {ended}"));
        }
    }
    match serde_json::from_slice::<Document>(&call.stdout) {
        Err(error) => Reading::malformed(String::from_utf8_lossy(&call.stdout), format!("not an answer: {error}")),
        Ok(document) if document.schema != SCHEMA => {
            Reading::malformed(document.schema.to_string(), format!("not version {SCHEMA} of the answer"))
        }
        Ok(document) => read(document.outcome),
    }
}

fn read(outcome: Outcome) -> Reading<Vec<HipDevice>> {
    match outcome {
        Outcome::Absent => Reading::NotReported,
        Outcome::Failed { problem } => Reading::malformed(problem, "the HIP runtime does not work"),
        Outcome::Devices { devices } if devices.len() > MAX_DEVICES => {
            Reading::malformed(devices.len().to_string(), "more devices than any machine has")
        }
        Outcome::Devices { devices } => Reading::Value((0..).zip(devices).map(device).collect()),
    }
}

fn device((index, device): (u32, Device)) -> HipDevice {
    let memory = answer(device.memory);
    let bdf = answer(device.pci).and_then(|text| {
        Bdf::from_str(&text).map_or_else(|error| Reading::malformed(&text, error.to_string()), Reading::Value)
    });
    HipDevice {
        index,
        bdf,
        total: memory.as_ref().map(|memory| Bytes(memory.total)),
        free: memory.map(|memory| Bytes(memory.free)),
    }
}

fn answer<T>(answered: Answered<T>) -> Reading<T> {
    match answered {
        Answered::Value(value) => Reading::Value(value),
        Answered::Problem(problem) => Reading::malformed(problem, "HIP did not answer"),
    }
}

#[cfg(test)]
mod tests;
