//! Where a command's probes are computed: on the GPU of a simulated machine, or by an engine on this one. It is the same
//! whichever command asks, so that a probe is judged the same.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::host::simulated::KMSG_FILE;
use crate::host::{Asking, Host};
use crate::probe::protocol::Kind;
use crate::probe::stand::{Engine, Stand};
use crate::process::Cancel;
use crate::run::{Wanted, look};
use crate::witness::Snapshot;
use crate::witness::amd_smi::Format;

use super::exit::Failure;
use super::held;
use super::target;
use super::workers::WorkerArgs;

/// The GPU of the simulated machine in this folder.
///
/// # Errors
/// It is none.
pub fn in_folder(dir: &Path) -> Result<Stand, Failure> {
    match target::open(Some(dir), false)? {
        Some(host) => simulated(&host),
        None => Err(no_machine("this machine is none")),
    }
}

/// The GPU of this simulated machine.
///
/// # Errors
/// It is none, or cannot be found.
pub fn simulated(host: &Host) -> Result<Stand, Failure> {
    let dir = match host {
        Host::Simulated { dir, .. } => dir,
        Host::Recorded { .. } => return Err(no_machine("a recording has no GPU that could compute")),
        Host::Real => return Err(no_machine("this machine is none")),
    };
    let dir = std::path::absolute(dir).with_context(|| format!("find {}", dir.display()));
    let dir = dir.map_err(Failure::unavailable)?;
    let validate = std::env::current_exe().context("find this executable").map_err(Failure::unavailable)?;
    let stand = Stand::simulated(&validate, &dir, dir.join(KMSG_FILE));
    Ok(Stand { look: Some(look_at_memory(host)), ..stand })
}

/// An engine on this machine.
///
/// # Errors
/// It is not there, or computes on no such machine; or a process that could not be killed holds a GPU.
pub fn here(workers: &WorkerArgs, engine: Engine, on: Kind) -> Result<Stand, Failure> {
    let stand = workers.stand(engine, on)?;
    Ok(machine(on)?(stand))
}

/// Every worker that was named on this machine, else its torch worker, by name.
///
/// # Errors
/// As [`here`].
pub fn each(workers: &WorkerArgs, on: Kind) -> Result<Vec<(String, Stand)>, Failure> {
    let stands = workers.each(on)?;
    let on_it = machine(on)?;
    Ok(stands.into_iter().map(|(name, stand)| (name, on_it(stand))).collect())
}

/// Puts stands on this machine, which is looked at once, however many there are.
fn machine(on: Kind) -> Result<impl Fn(Stand) -> Stand, Failure> {
    let look = match on {
        // What the machine says of its GPUs is nothing to judge the host's memory by.
        Kind::Cpu => None,
        Kind::Gpu => {
            held::refuse(&Host::Real)?;
            Some(look_at_memory(&Host::Real))
        }
    };
    Ok(move |stand| match &look {
        None => stand,
        Some(look) => Stand { look: Some(look.clone()), ..held::watched(stand) },
    })
}

fn no_machine(why: &str) -> Failure {
    Failure::usage(anyhow!(
        "--host is a simulated machine, and {why}: `validate shim DIR --machine rx6800xt` makes one"
    ))
}

/// What the machine says of its devices' memory. No program is asked.
fn look_at_memory(host: &Host) -> Snapshot {
    let asking = Asking { deadline: Duration::ZERO, cancel: Cancel::new() };
    look(host, &Wanted::memory(), Format::Json, &asking)
}
