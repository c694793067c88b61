//! What changes between calls. Kept as `HOST/state.json`, replaced whole under the host's lock.

use serde::{Deserialize, Serialize};

use crate::domain::{ComputeMode, MemoryMode};

/// The state of a simulated machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Format version of this file.
    pub schema: u32,
    /// Counts every change; the tree on disk carries the same number.
    pub generation: u64,
    /// Calls of amd-smi so far, for faults that begin after some.
    pub calls: u64,
    /// Compute mode of each physical GPU.
    pub compute: Vec<ComputeMode>,
    /// Memory mode in force (one for the hive).
    pub memory: MemoryMode,
    /// Memory mode asked for, in force after the next driver load.
    pub memory_requested: Option<MemoryMode>,
    /// Processes that hold a GPU open, by GPU index.
    pub clients: Vec<u32>,
}
