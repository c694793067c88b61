//! Where results and reports are written.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::exit::Failure;

/// The results folder: the one named; `./results` in a checkout of rocvet; else this user's state folder.
pub fn folder(named: Option<&Path>) -> PathBuf {
    if let Some(named) = named {
        return named.to_owned();
    }
    let here = PathBuf::from("results");
    if here.join("README.md").is_file() && Path::new("scenarios").is_dir() {
        return here;
    }
    state_folder().map_or(here, |state| state.join("rocvet").join("results"))
}

/// Writes a report whole; folders on the way are made.
///
/// # Errors
/// The place cannot be written.
#[expect(clippy::disallowed_methods, reason = "the command line owns the files that the user names")]
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, bytes)
    };
    write().with_context(|| format!("write {}", path.display())).map_err(Failure::unavailable)
}

/// A scratch folder for simulated hosts, removed at the end of the run.
///
/// A host has hundreds of small files, so it goes to memory where the system has a file system there: on a slow disk
/// making them is most of a run. `TMPDIR` overrides.
///
/// # Errors
/// No place can be written.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub fn scratch() -> Result<tempfile::TempDir, Failure> {
    let make = tempfile::Builder::new().prefix("rocvet-").to_owned();
    if std::env::var_os("TMPDIR").is_none()
        && let Ok(folder) = make.tempdir_in("/dev/shm")
    {
        return Ok(folder);
    }
    make.tempdir().context("make a scratch folder; TMPDIR names another place").map_err(Failure::unavailable)
}

/// By the XDG base directory specification.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub fn state_folder() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).and_then(absolute);
    state.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")).and_then(absolute))
}
