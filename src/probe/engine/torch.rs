//! The libtorch engine: a program of its own, `validate-probe-torch`, and the only one that links libtorch.

use std::path::Path;

use crate::probe::protocol::Kind;
use crate::probe::stand::{Engine, Stand};
use crate::probe::supervise::Worker;

/// Name of its program, which lies beside `validate` where both were built together.
pub const PROGRAM: &str = "validate-probe-torch";

impl Worker {
    /// The libtorch engine, by its program; an absolute path.
    pub fn torch(validate: &Path, program: &Path) -> Self {
        Self::of(validate, program, Vec::new())
    }
}

impl Stand {
    /// On this machine by the libtorch engine, a process for each probe.
    pub fn torch(validate: &Path, program: &Path, on: Kind) -> Self {
        Self::here(Engine::Torch, Worker::torch(validate, program), on)
    }
}
