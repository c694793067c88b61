//! What reads a host.

pub mod amd_smi;
