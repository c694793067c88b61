//! Writing the trees of a simulated host.
#![expect(clippy::disallowed_methods, reason = "host owns the files of a host folder")]

use std::collections::HashSet;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::host::HostError;
use crate::sim::Kernel;
use crate::sim::render::sysfs::{Entry, tree};

/// The trees of a host; those after `etc` are there only with something in them.
pub(super) const TREES: [&str; 8] = ["sys", "proc", "dev", "etc", "usr", "lib", "run", "opt"];

/// Renders every tree beside the old one and puts it in its place; readers see the one or the other.
pub(super) fn replace_trees(dir: &Path, kernel: &Kernel) -> Result<(), HostError> {
    let entries = tree(&kernel.view(), kernel.machine());
    TREES.iter().try_for_each(|name| replace(dir, name, &entries))
}

fn replace(dir: &Path, name: &str, entries: &[Entry]) -> Result<(), HostError> {
    let (place, fresh) = (dir.join(name), dir.join(format!("{name}.new")));
    remove(&fresh)?;
    let below = |entry: &Entry| entry.path().strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    if !entries.iter().any(below) {
        return remove(&place);
    }
    write(&fresh, name, entries)?;
    match renameat_with(CWD, &fresh, CWD, &place, RenameFlags::EXCHANGE) {
        // What was in the place now lies beside it.
        Ok(()) => remove(&fresh),
        // Nothing was there, or the file system cannot exchange: readers hold the shared lock.
        Err(_) => {
            remove(&place)?;
            fs::rename(&fresh, &place).map_err(|error| unwritable(&place, error))
        }
    }
}

/// Writes `content` whole or not at all.
pub(super) fn put(dir: &Path, name: &str, content: &[u8]) -> Result<(), HostError> {
    let (place, fresh) = (dir.join(name), dir.join(format!("{name}.new")));
    fs::write(&fresh, content).map_err(|error| unwritable(&fresh, error))?;
    fs::rename(&fresh, &place).map_err(|error| unwritable(&place, error))
}

pub(super) fn unwritable(path: &Path, error: std::io::Error) -> HostError {
    HostError::Unwritable { path: path.to_owned(), error }
}

fn write(root: &Path, name: &str, entries: &[Entry]) -> Result<(), HostError> {
    let mut made = HashSet::new();
    make_dir(root, &mut made)?;
    for entry in entries {
        let Some(below) = entry.path().strip_prefix(name).and_then(|path| path.strip_prefix('/')) else { continue };
        let path = root.join(below);
        let fail = |error| unwritable(&path, error);
        match entry {
            Entry::Dir { .. } => make_dir(&path, &mut made)?,
            Entry::File { content, mode, .. } => {
                make_parent(&path, &mut made)?;
                let mut file = OpenOptions::new().write(true).create_new(true).mode(*mode).open(&path).map_err(fail)?;
                file.write_all(content).map_err(fail)?;
                // The caller's umask has no say in what the kernel would show.
                file.set_permissions(Permissions::from_mode(*mode)).map_err(fail)?;
            }
            Entry::Link { target, .. } => {
                make_parent(&path, &mut made)?;
                symlink(target, &path).map_err(fail)?;
            }
        }
    }
    Ok(())
}

fn make_parent(path: &Path, made: &mut HashSet<PathBuf>) -> Result<(), HostError> {
    path.parent().map_or(Ok(()), |parent| make_dir(parent, made))
}

fn make_dir(path: &Path, made: &mut HashSet<PathBuf>) -> Result<(), HostError> {
    if made.contains(path) {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(|error| unwritable(path, error))?;
    made.insert(path.to_owned());
    Ok(())
}

/// Removes a file, if it is there.
pub(super) fn forget(path: &Path) -> Result<(), HostError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unwritable(path, error)),
    }
}

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), HostError> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unwritable(path, error)),
    }
}
