//! The simulated machine: one description, two faces. [`Kernel`] holds what is true; [`View`] is what the kernel
//! would show at this moment; `render::sysfs` writes that as a tree and `render::amd_smi` answers from it as the tool would.

mod effects;
mod errno;
pub mod fault;
mod kernel;
mod machine;
mod modes;
pub mod preset;
mod reference;
pub mod render;
mod resources;
mod show;
mod show_faults;
mod state;
mod tuning;
mod view;

pub use crate::domain::Platform;
pub use effects::{Effects, Finish};
pub use errno::Errno;
pub use fault::{Fault, FaultError};
pub use kernel::Kernel;
pub use machine::{Caller, Hives, MAX_GPUS, Machine, MachineError, Model, Quirks};
pub use preset::{named as machine_named, names as machine_names};
pub use reference::is_reference_tree;
pub use show::{KERNEL_RELEASE, default_pages_limit};
pub use state::State;
pub use tuning::{ShownParameter, ShownTuning, Tuning};
pub use view::{
    Client, Device, DriverState, DrmDevice, FileAnswer, Gpu, GpuMetrics, KfdNode, PartitionFiles, Profile, Resource,
    ResourceKind, View,
};
