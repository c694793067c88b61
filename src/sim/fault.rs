//! Faults: what goes wrong on a simulated machine, by the spelling of `--fault`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Errno;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `compute=EBUSY`: writing `current_compute_partition` answers this errno.
    WriteCompute(Errno),
    /// `memory=EINVAL`: writing `current_memory_partition` answers this errno.
    WriteMemory(Errno),
    /// `read_current_compute_partition=EIO`: reading a partition file answers this errno.
    Read {
        /// File name.
        file: String,
        /// What it answers.
        errno: Errno,
    },
    // a later change completes the list
}

/// The text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FaultError(pub String);

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(_text: &str) -> Result<Self, FaultError> {
        todo!()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
