//! What amd-smi's total of a device is worth: right, wrong in a way that is known, or wrong.

use crate::domain::{Bytes, ToolVersion};
use crate::facts;
use crate::witness::Snapshot;

/// From this tool version (ROCm 6.4.1) on secondary partitions show their own memory. Source: facts/amd-smi.md section 4 row 6.
const SECONDARIES_RIGHT: ToolVersion = ToolVersion::new(25, 4, 0);

/// One device as it must be shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Truth {
    /// Partition number.
    pub partition: usize,
    /// Its own memory.
    pub own: Bytes,
    /// Memory of its GPU.
    pub whole: Bytes,
    /// Devices of its GPU.
    pub devices: usize,
}

/// How a total compares with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is the device's own.
    Right,
    /// The whole GPU, on partition 0 (amdsmi#97, #132).
    WholeGpuOnPartition0,
    /// The whole GPU, on a partition of a tool that shows it on all of them (ROCm/ROCm#4750).
    WholeGpuOnEveryPartition,
    /// Something else.
    Wrong,
}

impl Truth {
    /// Compares what the tool of this version shows. `None`: its version is not known.
    pub(super) fn judge(&self, total: Bytes, tool: Option<ToolVersion>) -> Shown {
        let near = |size: Bytes| total.abs_diff(size) <= facts::nominal_tolerance(size);
        let whole = self.devices > 1 && near(self.whole);
        if near(self.own) {
            Shown::Right
        } else if whole && self.partition == 0 {
            Shown::WholeGpuOnPartition0
        } else if whole && tool.is_some_and(|tool| tool < SECONDARIES_RIGHT) {
            Shown::WholeGpuOnEveryPartition
        } else {
            Shown::Wrong
        }
    }
}

/// The tool's version, where it was asked for.
pub(super) fn tool(look: &Snapshot) -> Option<ToolVersion> {
    look.version.as_ref().and_then(|asked| asked.answer.value.value()?.tool.value().copied())
}
