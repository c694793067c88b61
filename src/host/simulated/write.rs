//! Writes to the partition files of a simulated machine. Its tree is a picture: the simulated driver answers a write, as
//! the real one does behind its files.

use std::path::Path;

use crate::domain::{Bdf, ComputeMode, MemoryMode};
use crate::host::HostError;
use crate::sim::Errno;

use super::update;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// To `current_compute_partition`.
    Compute(ComputeMode),
    /// To `current_memory_partition`.
    Memory(MemoryMode),
}

/// Writes to a partition file of one GPU; `root` is who writes. Gives back what the write answers.
///
/// # Errors
/// As [`update`].
pub fn write(dir: &Path, gpu: Bdf, root: bool, written: Write) -> Result<Result<(), Errno>, HostError> {
    update(dir, |kernel| {
        if !root {
            return Err(Errno::EACCES);
        }
        let place = kernel.view().gpus.iter().position(|each| each.bdf == gpu).ok_or(Errno::ENOENT)?;
        match written {
            Write::Compute(mode) => kernel.write_compute(place, mode),
            Write::Memory(mode) => kernel.write_memory(place, mode),
        }
    })
}
