//! Probes that use memory instead of computing: only an engine with a device can do them.

use serde::{Deserialize, Serialize};

use crate::domain::Bytes;

use super::SpecError;

/// A way to use a device's memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Memory {
    /// Allocates in growing steps up to a share of the memory and checks a pattern in all of it.
    Ladder {
        /// Share of the device's total memory, from 1 to 100.
        percent: u8,
    },
    /// Allocates and frees the same size again and again.
    Churn {
        /// Of each allocation.
        bytes: Bytes,
        /// How often.
        times: u32,
    },
    /// Asks for more than there is: it must raise, not abort.
    OutOfMemory,
    /// Fills a device and checks that what was written to its neighbour, the next device that the worker sees, is
    /// still there.
    Isolation {
        /// Share of the device's total memory that is filled, from 1 to 100.
        percent: u8,
    },
    /// Allocates until the device refuses, past what it says it has where it lets it, and checks what was written to
    /// its neighbour, where there is one.
    PastLimit,
    /// Copies a pattern and checks it.
    Copy {
        /// Of one copy.
        bytes: Bytes,
        /// From where to where.
        path: CopyPath,
    },
}

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyPath {
    /// Into the device's memory.
    HostToDevice,
    /// Out of it.
    DeviceToHost,
    /// Within it.
    DeviceToDevice,
}

impl CopyPath {
    /// All three.
    pub const ALL: [Self; 3] = [Self::HostToDevice, Self::DeviceToHost, Self::DeviceToDevice];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostToDevice => "host-to-device",
            Self::DeviceToHost => "device-to-host",
            Self::DeviceToDevice => "device-to-device",
        }
    }
}

impl Memory {
    /// Largest size of one allocation: more than any device has.
    const LARGEST: Bytes = Bytes(1 << 40);

    /// # Errors
    /// A number is out of bounds.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let sized = |bytes: &Bytes| match (1..=Self::LARGEST.0).contains(&bytes.0) {
            true => Ok(()),
            false => Err(SpecError::value("bytes", format!("from 1 to {}", Self::LARGEST.0))),
        };
        match self {
            Self::Ladder { percent: 1..=100 }
            | Self::Isolation { percent: 1..=100 }
            | Self::OutOfMemory
            | Self::PastLimit => Ok(()),
            Self::Ladder { .. } | Self::Isolation { .. } => Err(SpecError::value("percent", "from 1 to 100")),
            Self::Churn { times: 0, .. } => Err(SpecError::value("times", "at least 1")),
            Self::Churn { bytes, .. } | Self::Copy { bytes, .. } => sized(bytes),
        }
    }
}
