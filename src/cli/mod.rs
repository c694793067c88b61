//! The command line.

mod amd_smi;
pub mod list;
pub mod schema;
pub mod selection;
pub mod shim;

use std::process::ExitCode;

pub use amd_smi::{AmdSmiCall, called_as_amd_smi};

/// Everything else.
pub fn main() -> ExitCode {
    todo!()
}
