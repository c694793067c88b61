//! Witnesses: what each of them says about a host, as readings. None of them judges.

pub mod amd_smi;
mod files;
pub mod kfd;
mod observations;
pub mod sysfs;
pub mod tree;

pub use observations::{
    Access, Asked, Call, DeviceAccess, DriverFacts, HipDevice, KernelFacts, KfdNode, KfdProcess, ModuleState,
    Observations, Reload, RenderNode, RenderParent, SetDone, Snapshot, SysfsGpu,
};

#[cfg(test)]
mod tests;
