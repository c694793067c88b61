//! The simulated kernel driver: what a read shows and what a write does. No I/O: the host folder is written by `host`.

use crate::domain::{ComputeMode, MemoryMode};

use super::{Errno, Machine, State, View};

/// A machine and its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    machine: Machine,
    state: State,
}

impl Kernel {
    /// The machine.
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The state, to be saved after a call.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What the kernel shows now.
    pub fn view(&self) -> View {
        todo!()
    }

    /// `write(current_compute_partition)` of one physical GPU. Takes effect at once, or answers an errno.
    pub fn write_compute(&mut self, _gpu: usize, _mode: ComputeMode) -> Result<(), Errno> {
        todo!()
    }

    /// `write(current_memory_partition)`: a request, in force after [`Kernel::reload_driver`].
    pub fn write_memory(&mut self, _gpu: usize, _mode: MemoryMode) -> Result<(), Errno> {
        todo!()
    }

    /// Unloads and loads the driver: requested memory modes come into force, compute modes fall back to AUTO.
    pub fn reload_driver(&mut self) -> Result<(), Errno> {
        todo!()
    }
}
