//! Looks at simulated machines, for the tests of this module.

use crate::domain::{ComputeMode, MemoryMode};
use crate::host::simulated::{Faces, create};
use crate::sim::{Machine, machine_named};
use crate::witness::{Snapshot, kfd, sysfs};

/// What sysfs and KFD show of a simulated machine, and nothing else.
pub fn look(machine: &str, gpus: u32, compute: ComputeMode, memory: MemoryMode) -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine { gpus, compute, memory, ..machine_named(machine).unwrap() };
    create(folder.path(), &machine, Faces::Both).unwrap();
    let root = folder.path().join("sys");
    Snapshot { sysfs: Some(sysfs::read_sysfs(&root)), kfd: kfd::read_kfd(&root), ..Snapshot::default() }
}

/// MI300X in CPX/NPS4.
pub fn cpx_nps4(gpus: u32) -> Snapshot {
    look("mi300x", gpus, ComputeMode::Cpx, MemoryMode::Nps4)
}
