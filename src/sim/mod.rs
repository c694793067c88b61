//! The simulated machine: one description, two faces. [`Kernel`] holds what is true; [`View`] is what the kernel
//! would show at this moment; `render::sysfs` writes that as a tree and `render::amd_smi` answers from it as the tool would.

mod errno;
mod fault;
mod kernel;
mod machine;
pub mod render;
mod state;
mod view;

pub use errno::Errno;
pub use fault::{Fault, FaultError};
pub use kernel::Kernel;
pub use machine::{Caller, Machine, MachineError, Model, Platform, Quirks};
pub use state::State;
pub use view::{
    Device, DriverState, FileAnswer, Gpu, GpuMetrics, KfdNode, PartitionFiles, Profile, Resource, ResourceKind, View,
};
