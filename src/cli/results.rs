//! Where results and reports are written.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
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

/// Writes a report whole; folders on the way are made. Under its name there is the whole of it or what was there before,
/// also where the disk is full; what is no file of its own (`/dev/stdout`) is written to as it is.
///
/// # Errors
/// The place cannot be written.
#[expect(clippy::disallowed_methods, reason = "the command line owns the files that the user names")]
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let permissions = match fs::symlink_metadata(path) {
            Ok(facts) if facts.is_file() => facts.permissions(),
            Ok(_) => return fs::write(path, bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Permissions::from_mode(0o666),
            Err(error) => return Err(error),
        };
        let mut made = tempfile::Builder::new().prefix(".rocvet-").permissions(permissions).tempfile_in(folder)?;
        made.write_all(bytes)?;
        made.as_file().sync_all()?;
        made.persist(path)?;
        Ok(())
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
