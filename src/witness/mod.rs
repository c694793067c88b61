//! Witnesses: what each of them says about a host, as readings. None of them judges.

pub mod access;
pub mod amd_smi;
pub mod driver;
pub mod drm;
mod files;
pub mod gpu_use;
pub mod hip;
pub mod kernel;
pub mod kernel_log;
pub mod kfd;
pub mod lingering;
mod observations;
pub mod pci;
mod probed;
pub mod processes;
pub mod sysfs;
pub mod taint;
pub mod tree;
pub mod tuning;

pub use observations::{
    Access, Asked, Call, DeviceAccess, DriverFacts, HipDevice, KernelFacts, KfdNode, KfdProcess, ModuleState,
    Observations, Reload, RenderNode, RenderParent, SetDone, Snapshot, SysfsGpu,
};
pub use tuning::TuningFacts;

pub use probed::{
    ProbeCame, ProbeDone, ProbeEnd, ProbeMemory, ProbeNumbers, ProbePlace, ProbeProcess, ProbeRaised, WhyCpu,
    WrongMemory, WrongNumbers,
};

#[cfg(test)]
mod tests;
