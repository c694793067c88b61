//! What to run where: whether a model fits a logical device, in which modes, which model goes on which device, and what
//! to use there. Exact in bytes, and pure.

mod allocate;
mod book;
mod config;
mod device;
mod dtype;
mod modes;
mod need;
mod plan;
mod recipe;
mod shape;
mod share;
mod usage;
mod wish;

pub use allocate::{Allocation, Placed, Refused, Slot, allocate};
pub use book::{BOOK_SCHEMA, Book, BookError, Held, NotHeld, NotPlaced, Present, Terms};
pub use config::{ConfigError, from_config};
pub use device::{Device, Devices, Used, alloc_mode, devices, modes};
pub use dtype::{Dtype, KvDtype, UnknownDtype};
pub use modes::{ModeFit, Room, Sizes, measured_slots, mode_fits};
pub use need::{BLOCK_TOKENS, Need, RESERVE};
pub use plan::{
    Alike, Closest, FIRST_PORT, Instance, Lacking, Mode, ModelPlan, Outcome, Wanted, devices_of, plan_models,
};
pub use recipe::{EnvPrefix, NoUuid, Recipe, Selector, Style, Variable};
pub use shape::{Known, Numbers, Shape, ShapeError};
pub use share::{Share, ShareError};
pub use usage::{Holder, Row, Usage, usage};
pub use wish::{ModelSpec, ModelSpecError, Wish, instances, tokens};

#[cfg(test)]
mod samples {
    //! Looks at simulated machines, for the tests of this module.

    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use crate::domain::{ComputeMode, MemoryMode};
    use crate::host::simulated::{Faces, create};
    use crate::sim::{Machine, machine_named};
    use crate::witness::{Snapshot, kfd, sysfs};

    type Kind = (String, u32, ComputeMode, MemoryMode);

    /// What sysfs and KFD show of a simulated machine, and nothing else. Made once: its tree is hundreds of files.
    pub fn look(machine: &str, gpus: u32, compute: ComputeMode, memory: MemoryMode) -> Snapshot {
        static MADE: Mutex<BTreeMap<Kind, Snapshot>> = Mutex::new(BTreeMap::new());
        let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kind = (machine.to_owned(), gpus, compute, memory);
        made.entry(kind).or_insert_with(|| make(machine, gpus, compute, memory)).clone()
    }

    fn make(machine: &str, gpus: u32, compute: ComputeMode, memory: MemoryMode) -> Snapshot {
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
}
