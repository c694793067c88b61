//! Where the tests of the corpus run their cases.

#![allow(clippy::expect_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rocvet::host::Asking;
use rocvet::process::Cancel;
use rocvet::run::{Bed, Lab, Stands};
use tempfile::TempDir;

/// A bed of simulated machines and the scratch folder that it lives in: in memory where the system has it, because
/// every case writes some hundred small files.
pub fn simulated() -> (TempDir, Arc<Bed>) {
    let scratch = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")))
        .expect("a scratch folder under target/");
    let bed = Bed {
        lab: Lab::Simulated {
            scratch: scratch.path().to_owned(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_validate")),
        },
        stands: Stands { validate: PathBuf::from(env!("CARGO_BIN_EXE_validate")), here: rocvet::run::Here::Nothing },
        asking: Asking { deadline: Duration::from_secs(60), cancel: Cancel::new() },
        folder: scratch.path().to_owned(),
        halt: std::sync::OnceLock::new(),
    };
    (scratch, Arc::new(bed))
}
