//! Reading and saving the machine and its state.

use std::path::Path;

use crate::host::{HostError, read_text};
use crate::sim::{Kernel, Machine, MachineError, State};
use crate::witness::tree::{Tree, TreeError, TreeProblem};

use super::tree::{put, replace_trees};
use super::{GENERATION_FILE, Lock, MACHINE_FILE, STATE_FILE, Sharing, lock};

/// Longest machine or state file that is read.
const LIMIT: usize = 64 << 10;

/// The machine of the simulated host `dir` as it is now.
///
/// # Errors
/// A file is missing, too large or malformed, or describes what cannot be: the error names file, line and key.
pub fn load(dir: &Path) -> Result<Kernel, HostError> {
    let lock = lock(dir, Sharing::Shared)?;
    read(dir, &lock)
}

/// Changes the machine and saves it: state first, then the tree that shows it. What `change` gives back is given back.
///
/// # Errors
/// As [`load`], or the folder cannot be written.
pub fn update<T>(dir: &Path, change: impl FnOnce(&mut Kernel) -> T) -> Result<T, HostError> {
    let lock = lock(dir, Sharing::Alone)?;
    let mut kernel = read(dir, &lock)?;
    let before = kernel.state().clone();
    let result = change(&mut kernel);
    if *kernel.state() != before {
        put(dir, STATE_FILE, &state_text(kernel.state())?)?;
    }
    show(dir, &kernel)?;
    Ok(result)
}

/// Reloads the driver of the simulated machine, as `modprobe -r amdgpu && modprobe amdgpu` would.
///
/// # Errors
/// As [`update`], or the driver refuses.
pub fn reload(dir: &Path) -> Result<(), HostError> {
    let done = update(dir, Kernel::reload_driver)?;
    done.map_err(|errno| HostError::Refused(format!("the driver was not reloaded: {errno} ({})", errno.text())))
}

/// Makes a client open every GPU of the simulated machine, or close it.
///
/// # Errors
/// As [`update`], or no client has a GPU open that should be closed.
pub fn hold(dir: &Path, open: bool) -> Result<(), HostError> {
    let done = update(dir, |kernel| {
        let mut after = kernel.clone();
        let gpus = 0..kernel.state().clients.len();
        for gpu in gpus {
            if open { after.open_client(gpu) } else { after.close_client(gpu) }?;
        }
        *kernel = after;
        Ok(())
    })?;
    let what = if open { "open" } else { "close" };
    done.map_err(|errno: crate::sim::Errno| HostError::Refused(format!("cannot {what} the GPUs: {}", errno.text())))
}

/// The text of `state.json`.
pub(super) fn state_text(state: &State) -> Result<Vec<u8>, HostError> {
    let mut text = serde_json::to_vec_pretty(state).map_err(|error| HostError::malformed(STATE_FILE, error))?;
    text.push(b'\n');
    Ok(text)
}

/// Renders the tree again when it shows another state than `kernel`'s: after a change, and after a change that was
/// interrupted before its tree was in place. A host without a tree is given none.
pub(super) fn show(dir: &Path, kernel: &Kernel) -> Result<(), HostError> {
    let shown = match Tree::open(dir)?.read(GENERATION_FILE, 64) {
        Ok(shown) => Some(shown),
        Err(TreeError { problem: TreeProblem::Missing, .. }) => return Ok(()),
        // Whatever it is now, a number takes its place.
        Err(_) => None,
    };
    let number = format!("{}\n", kernel.state().generation).into_bytes();
    if shown.as_ref() == Some(&number) {
        return Ok(());
    }
    replace_trees(dir, kernel)?;
    put(dir, GENERATION_FILE, &number)
}

fn read(dir: &Path, _lock: &Lock) -> Result<Kernel, HostError> {
    let tree = Tree::open(dir)?;
    let in_file = |file: &'static str| move |error: MachineError| HostError::malformed(file, error);
    let machine = Machine::parse(&read_text(&tree, MACHINE_FILE, LIMIT)?).map_err(in_file(MACHINE_FILE))?;
    let text = read_text(&tree, STATE_FILE, LIMIT)?;
    let state: State = serde_json::from_str(&text).map_err(|error| HostError::malformed(STATE_FILE, error))?;
    Kernel::resume(machine, state).map_err(in_file(STATE_FILE))
}
