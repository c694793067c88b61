//! The command line.

mod amd_smi;
mod explain;
pub mod list;
pub mod schema;
pub mod selection;
pub mod shim;

use std::process::ExitCode;

pub use amd_smi::{AmdSmiCall, called_as_amd_smi};
pub use explain::{ExplainArgs, ExplainFormat, UnknownId, explain};

/// Everything else.
pub fn main() -> ExitCode {
    todo!()
}
