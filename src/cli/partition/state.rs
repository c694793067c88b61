//! Where journals and the ledger are kept, and the lock of the journals.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::anyhow;

use crate::change::{Kind, Lock, Store};
use crate::cli::console;
use crate::cli::exit::{Exit, Failure};
use crate::cli::results;
use crate::host::{Host, simulated};
use crate::witness::tree::Tree;

/// The folder of what is remembered of a machine, its journals and its ledger: the one named; inside of a simulated host;
/// else in this user's state folder, one for each machine, since home folders are shared between machines.
///
/// # Errors
/// This user has no state folder, or the host is a recording.
pub fn folder(named: Option<&Path>, host: &Host) -> Result<PathBuf, Failure> {
    let dir = match (named, host) {
        (Some(named), _) => named.to_owned(),
        (None, Host::Simulated { dir, .. }) => dir.join(simulated::REMEMBERED),
        (None, Host::Recorded { .. }) => {
            let problem =
                "a recording cannot be changed, and nothing is written into it; --state DIR names another folder";
            return Err(Failure::usage(anyhow!(problem)));
        }
        (None, Host::Real) => {
            let state = results::state_folder().ok_or_else(|| {
                Failure::unavailable(anyhow!("neither XDG_STATE_HOME nor HOME is set: give --state DIR"))
            })?;
            state.join("rocvet").join("partition").join(machine_name(host))
        }
    };
    // Programs that are started with the lock may stand elsewhere.
    std::path::absolute(&dir).map_err(|error| Failure::usage(anyhow!("{}: {error}", dir.display())))
}

/// The journals of a machine, in its [`folder`].
///
/// # Errors
/// As [`folder`].
pub fn store(named: Option<&Path>, host: &Host) -> Result<Store, Failure> {
    folder(named, host).map(Store::new)
}

/// The machine's name, as a file name.
pub fn machine_name(host: &Host) -> PathBuf {
    let name = Tree::open(&host.proc_root()).and_then(|proc| proc.read("sys/kernel/hostname", 1024));
    let name = name.map(|name| String::from_utf8_lossy(&name).into_owned()).unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    let name: String = name.chars().filter(plain).take(64).collect();
    PathBuf::from(if name.is_empty() { "this-machine".to_owned() } else { name })
}

/// Takes the lock. Waits for another change at most `patience`, and says so when it begins to.
///
/// # Errors
/// Another change is under way, or the folder cannot be written.
pub fn lock(store: &Store, patience: Duration, stop: &dyn Fn() -> bool) -> Result<Lock, Failure> {
    const PAUSE: Duration = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(lock) = store.lock().map_err(Failure::unavailable)? {
            return Ok(lock);
        }
        if waited >= patience || stop() {
            let dir = store.dir().display();
            let problem = format!(
                "another change of this machine's modes is under way, or a program that it started still runs \
                 (`fuser {dir}/lock` names it); nothing was changed"
            );
            return Err(Failure { exit: Exit::Run(1), error: anyhow!(problem) });
        }
        if waited.is_zero() {
            console::note("waiting for another change of this machine's modes to end");
        }
        sleep(PAUSE);
        waited += PAUSE;
    }
}

/// A change that did not end left a machine that nobody has judged: it is restored first.
///
/// # Errors
/// There is one, or a journal cannot be read.
pub fn refuse_unfinished(store: &Store) -> Result<(), Failure> {
    let left = |kind| store.read(kind).map(|journal| journal.is_some_and(|journal| !journal.settled));
    let unfinished = left(Kind::Apply).and_then(|apply| Ok(apply || left(Kind::Run)?)).map_err(Failure::unavailable)?;
    if unfinished {
        let problem = "an earlier change of this machine's modes did not end; nothing was changed: \
                       `validate partition restore` goes back to the modes found";
        return Err(Failure { exit: Exit::Run(1), error: anyhow!(problem) });
    }
    Ok(())
}
