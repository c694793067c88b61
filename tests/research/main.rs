//! Tests against material that stands beside the repository and is not copied into it: real captures, a real host's
//! topology, the research that the facts come from. Where it is absent a test is ignored, and says what it lacks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod captures;
mod facts;
mod published;
mod trees;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Completion, Trial};

fn main() -> ExitCode {
    let trials = [captures::trials(), facts::trials(), published::trials(), trees::trials()];
    libtest_mimic::run(&Arguments::from_args(), trials.into_iter().flatten().collect()).exit_code()
}

/// A test of the material at this path below `../shared`.
fn trial(name: &str, material: &'static str, test: fn(&Path)) -> Trial {
    Trial::ignorable_test(name, move || match found(material) {
        Ok(path) => {
            test(&path);
            Ok(Completion::Completed)
        }
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

/// The same, where the material is a program of Python.
fn python_trial(name: &str, material: &'static str, test: fn(&Path)) -> Trial {
    Trial::ignorable_test(name, move || {
        let python = Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !python.is_ok_and(|status| status.success()) {
            return Ok(Completion::ignored_with("python3 is not there"));
        }
        match found(material) {
            Ok(path) => {
                test(&path);
                Ok(Completion::Completed)
            }
            Err(reason) => Ok(Completion::ignored_with(reason)),
        }
    })
}

fn found(material: &str) -> Result<PathBuf, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(material);
    if path.exists() { Ok(path) } else { Err(format!("../shared/{material} is not there")) }
}
