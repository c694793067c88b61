//! The command line.

pub mod record;

use std::process::ExitCode;

mod explain;

pub use explain::{ExplainArgs, ExplainFormat, UnknownId, explain};

/// A call by the name `amd-smi`.
pub struct AmdSmiCall;

impl AmdSmiCall {
    /// Answers it.
    pub fn answer(self) -> ExitCode {
        todo!()
    }
}

/// Whether this process was started as `amd-smi`.
pub fn called_as_amd_smi() -> Option<AmdSmiCall> {
    None
}

/// Everything else.
pub fn main() -> ExitCode {
    todo!()
}
