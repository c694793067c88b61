//! Witnesses: what each of them says about a host, as readings. None of them judges.

pub mod amd_smi;
mod observations;

pub use observations::{Asked, Call, KfdNode, Observations, SetDone, Snapshot, SysfsGpu};
