//! A machine on which a process could not be killed: where that is written down, and that nothing is started on it.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::host::Host;
use crate::probe::stand::Stand;
use crate::quarantine::{Held, Quarantine};

use super::exit::{Exit, Failure};
use super::{partition, results};

/// Where what concerns everybody on a machine is kept until it is booted again; only root may write there.
const FOR_ALL: &str = "/run/rocvet";

/// What to do about a marker that is none.
pub const UNREADABLE: &str =
    "see with `ps -eo pid,stat,wchan,args` that no process of a probe is in state D, and remove that file";

/// What is known of this machine: by everybody where root wrote it, else by this user.
fn quarantine() -> Quarantine {
    let own = results::state_folder().map(|state| {
        let machine = partition::state::machine_name(&Host::Real);
        state.join("rocvet").join("held").join(machine)
    });
    let folders = [PathBuf::from(FOR_ALL)].into_iter().chain(own).collect();
    Quarantine::new(Host::Real.proc_root(), folders)
}

/// Every process of this machine that could not be killed and is still there, with the file that says so.
///
/// # Errors
/// A file cannot be read.
pub fn list() -> Result<Vec<(Held, PathBuf)>, Failure> {
    quarantine().held().map_err(Failure::unavailable)
}

/// Refuses to start anything on a machine that is held.
///
/// # Errors
/// It is, or that cannot be told.
pub fn refuse(host: &Host) -> Result<(), Failure> {
    match host {
        Host::Simulated { .. } | Host::Recorded { .. } => return Ok(()),
        Host::Real => {}
    }
    let listed = list().map_err(|failure| {
        let problem = format!("whether a GPU is held cannot be told: {}; {UNREADABLE}", failure.error);
        Failure { error: anyhow!(problem), ..failure }
    })?;
    let Some((held, file)) = listed.into_iter().next() else { return Ok(()) };
    let problem = format!("nothing is started on this machine: {held}; {}", way_out(&file.display().to_string()));
    Err(Failure { exit: Exit::Unsafe, error: anyhow!(problem) })
}

/// What to do about it.
pub fn way_out(file: &str) -> String {
    format!("reboot it; if that process is known to use no GPU any more, remove {file}")
}

/// A stand on this machine that writes down what it could not kill.
pub fn watched(stand: Stand) -> Stand {
    Stand { quarantine: Some(quarantine()), ..stand }
}
