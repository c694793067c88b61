//! `HOST/bin/amd-smi`: the program by which other programs meet the simulated machine.
#![expect(clippy::disallowed_methods, reason = "host owns the files of a host folder")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::HostError;

use super::tree::unwritable;

/// Puts `program` (this executable) into `dir` as `bin/amd-smi`: a hard link, else a copy under a temporary name that
/// is then renamed. It finds its host by where it lies. Gives back its path.
///
/// # Errors
/// The folder cannot be written.
pub fn install_program(dir: &Path, program: &Path) -> Result<PathBuf, HostError> {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).map_err(|error| unwritable(&bin, error))?;
    let (place, fresh) = (bin.join("amd-smi"), bin.join("amd-smi.new"));
    // Left over from an interrupted call; a link cannot be made over it.
    if fs::symlink_metadata(&fresh).is_ok() {
        fs::remove_file(&fresh).map_err(|error| unwritable(&fresh, error))?;
    }
    if fs::hard_link(program, &fresh).is_err() {
        fs::copy(program, &fresh).map_err(|error| unwritable(&fresh, error))?;
    }
    fs::rename(&fresh, &place).map_err(|error| unwritable(&place, error))?;
    // Two names of one file: rename does nothing then, and the temporary name is still there.
    if fs::symlink_metadata(&fresh).is_ok() {
        fs::remove_file(&fresh).map_err(|error| unwritable(&fresh, error))?;
    }
    Ok(place)
}
