//! The two faces of a simulated machine.

pub mod amd_smi;
pub mod sysfs;
pub mod worker;
