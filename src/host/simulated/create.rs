//! Making a simulated host.
#![expect(clippy::disallowed_methods, reason = "host owns the files of a host folder")]

use std::fs::{self, OpenOptions};
use std::path::Path;

use crate::host::{HOST_FILE, HostError, HostFile, HostKind};
use crate::sim::fault::Named;
use crate::sim::render::sysfs::kmsg;
use crate::sim::{Kernel, Machine};
use crate::witness::tree::Tree;

use super::store::state_text;
use super::tree::{TREES, forget, put, remove, replace_trees, unwritable};
use super::{GENERATION_FILE, KMSG_FILE, LOCK_FILE, MACHINE_FILE, REMEMBERED, STATE_FILE, Sharing, lock};

/// The faces that a simulated machine shows. Its tree is hundreds of files: making and removing them takes longer than
/// asking the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faces {
    /// The tool, and the trees that its kernel would show.
    Both,
    /// The tool only, where it is known that nobody reads a tree.
    Tool,
}

/// Writes a simulated host into `dir`, which is made when it is not there. A simulated host that stands there already
/// starts anew as this machine.
///
/// # Errors
/// The machine cannot be, the folder holds something else than a simulated host, or it cannot be written.
pub fn create(dir: &Path, machine: &Machine, faces: Faces) -> Result<(), HostError> {
    let malformed = |error| HostError::malformed(MACHINE_FILE, error);
    let kernel = Kernel::new(machine.clone()).map_err(malformed)?;
    let described = machine.to_toml().map_err(malformed)?;
    fs::create_dir_all(dir).map_err(|error| unwritable(dir, error))?;
    refuse_foreign(dir)?;
    let path = dir.join(LOCK_FILE);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| unwritable(&path, error))?;
    let _lock = lock(dir, Sharing::Alone)?;
    // It was remembered of another machine.
    remove(&dir.join(REMEMBERED))?;
    put(dir, MACHINE_FILE, described.as_bytes())?;
    put(dir, STATE_FILE, &state_text(kernel.state())?)?;
    match faces {
        Faces::Both => show_trees(dir, &kernel)?,
        Faces::Tool => hide_trees(dir)?,
    }
    // Last: a folder is a host only when all of it is there.
    let plural = if machine.gpus == 1 { "" } else { "s" };
    let origin = format!("simulated {} ({} GPU{plural})", machine.name, machine.gpus);
    put(dir, HOST_FILE, HostFile::new(HostKind::Simulated, origin, Some(machine.amd_smi)).to_toml()?.as_bytes())
}

fn show_trees(dir: &Path, kernel: &Kernel) -> Result<(), HostError> {
    replace_trees(dir, kernel)?;
    put(dir, GENERATION_FILE, format!("{}\n", kernel.state().generation).as_bytes())?;
    if kernel.has_fault(Named::KernelLogDenied) {
        return forget(&dir.join(KMSG_FILE));
    }
    put(dir, KMSG_FILE, kmsg(&kernel.view()).as_bytes())
}

/// Removes what a host that stood here before may have shown.
fn hide_trees(dir: &Path) -> Result<(), HostError> {
    // First: what is left of a tree when this is interrupted must not be taken for one that is kept up.
    forget(&dir.join(GENERATION_FILE))?;
    forget(&dir.join(KMSG_FILE))?;
    TREES.iter().try_for_each(|name| remove(&dir.join(name)))
}

/// An empty folder is welcome, and so is a simulated host; anything else may be somebody's work.
fn refuse_foreign(dir: &Path) -> Result<(), HostError> {
    let tree = Tree::open(dir)?;
    let names = tree.names("")?;
    if names.is_empty() {
        return Ok(());
    }
    let refused = |why: &str| Err(HostError::Refused(format!("{}: {why}; give an empty folder", dir.display())));
    if !names.iter().any(|name| name == HOST_FILE) {
        return refused("holds files and is not a host");
    }
    match HostFile::read(&tree)?.kind {
        HostKind::Simulated => Ok(()),
        HostKind::Recorded => refused("holds a recording"),
    }
}
