//! What changes between calls. Kept as `HOST/state.json`, replaced whole under the host's lock.

use serde::{Deserialize, Serialize};

use crate::domain::{AllocMode, ComputeMode, MemoryMode};

use super::{Machine, MachineError};

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
    /// Policy of `compute_partition_mem_alloc_mode`, where the driver has that file.
    #[serde(default)]
    pub alloc_mode: AllocMode,
    /// Processes that hold a GPU open, by GPU index.
    pub clients: Vec<u32>,
    /// What `xcp_config` of each GPU holds since the tool wrote it; empty where nobody did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selected: Vec<Option<ComputeMode>>,
}

impl State {
    /// The format version written, and the only one read.
    pub const SCHEMA: u32 = 1;

    /// Most clients of one GPU that a state file may claim.
    pub const MAX_CLIENTS: u32 = 1024;

    /// A machine that was just started.
    pub fn initial(machine: &Machine) -> Self {
        let gpus = machine.gpus as usize;
        Self {
            schema: Self::SCHEMA,
            generation: 0,
            calls: 0,
            compute: vec![machine.compute; gpus],
            memory: machine.memory,
            memory_requested: None,
            alloc_mode: machine.alloc_mode.unwrap_or_default(),
            clients: vec![u32::from(machine.busy); gpus],
            selected: Vec::new(),
        }
    }

    /// Whether it differs from another by nothing but what queries leave behind.
    pub fn same_but_for_queries(&self, other: &Self) -> bool {
        let bare = |state: &Self| Self { selected: Vec::new(), generation: 0, calls: 0, ..state.clone() };
        bare(self) == bare(other)
    }

    /// Whether this state can be one of `machine`; a state file is untrusted.
    pub fn check(&self, machine: &Machine) -> Result<(), MachineError> {
        let invalid = |field, problem: String| Err(MachineError::Invalid { field, problem });
        if self.schema != Self::SCHEMA {
            return invalid("schema", format!("version {} is not {}", self.schema, Self::SCHEMA));
        }
        let gpus = machine.gpus as usize;
        for (field, length) in [("compute", self.compute.len()), ("clients", self.clients.len())] {
            if length != gpus {
                return invalid(field, format!("{length} entries for {gpus} GPUs"));
            }
        }
        let known = machine.model()?.compute_modes();
        if self.selected.len() > gpus || self.selected.iter().flatten().any(|mode| !known.contains(mode)) {
            return invalid("selected", "a profile that this machine has, for each GPU".to_owned());
        }
        if self.clients.iter().any(|&clients| clients > Self::MAX_CLIENTS) {
            return invalid("clients", format!("more than {}", Self::MAX_CLIENTS));
        }
        for &compute in &self.compute {
            Machine { compute, memory: self.memory, ..machine.clone() }.check()?;
        }
        Ok(())
    }
}
