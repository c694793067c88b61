//! What a run is for: each scenario's simulated machine, a host folder, or this machine.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::domain::Reading;
use crate::facts;
use crate::host::{Asking, Host, HostError, simulated};
use crate::plan::{HostDescription, Target};
use crate::process::Cancel;
use crate::run::{Environment, Wanted, look};
use crate::sim::Caller;
use crate::topology::{Socket, sockets, whereabouts};
use crate::witness::amd_smi::{Format, Query};
use crate::witness::kernel::read_kernel;
use crate::witness::{Snapshot, kfd, sysfs};

use super::exit::Failure;

/// What a run is for, and why where that was not said outright.
pub struct Chosen {
    /// The given host; `None` for each scenario's own machine.
    pub host: Option<Host>,
    /// Why `--host auto` chose it.
    pub why: Option<String>,
}

/// `--host auto`: hardware where it can be queried, else simulation. A folder of that name is `./auto`.
fn is_auto(dir: &Path) -> bool {
    dir.as_os_str() == "auto"
}

/// The given host, by `--host` and `--hardware`.
///
/// # Errors
/// The folder is no host, or `--hardware` was asked for where there is none.
pub fn choose(dir: Option<&Path>, hardware: bool) -> Result<Chosen, Failure> {
    if dir.is_some_and(is_auto) {
        let can = super::doctor::diagnosis(&Host::Real, &Cancel::new())?.can;
        let (host, word) = if can.query.able { (Some(Host::Real), "can") } else { (None, "cannot") };
        let why = format!("this machine {word} be queried: {}", can.query.why);
        return Ok(Chosen { host, why: Some(why) });
    }
    Ok(Chosen { host: given(dir, hardware)?, why: None })
}

/// The given host; `None` for each scenario's own machine.
///
/// # Errors
/// As [`choose`].
pub fn open(dir: Option<&Path>, hardware: bool) -> Result<Option<Host>, Failure> {
    Ok(choose(dir, hardware)?.host)
}

/// What was named outright: this machine, a folder, or nothing.
fn given(dir: Option<&Path>, hardware: bool) -> Result<Option<Host>, Failure> {
    if hardware {
        let host = Host::Real;
        if sysfs::read_sysfs(&host.sysfs_root()).is_empty() && kfd::read_kfd(&host.sysfs_root()).is_none() {
            let problem = "no AMD GPU here: sysfs shows none, and there is no KFD topology; \
                           `validate shim DIR --machine mi300x` makes a simulated machine for --host, and \
                           `validate doctor` says what stands in the way";
            return Err(Failure::unavailable(anyhow!(problem)));
        }
        return Ok(Some(host));
    }
    dir.map(|dir| folder(dir).with_context(|| format!("open host {}", dir.display())).map_err(Failure::usage))
        .transpose()
}

/// A host folder, or this machine whether it has a GPU or not.
///
/// # Errors
/// The folder is no host.
pub fn any(dir: Option<&Path>) -> Result<Host, Failure> {
    let dir = dir.filter(|dir| !is_auto(dir));
    Ok(open(dir, false)?.unwrap_or(Host::Real))
}

/// Whether the caller may change modes: a simulated machine says whom it takes the caller for. Of a recording it is
/// asked what the machine could, so nobody is refused there.
///
/// # Errors
/// The simulated machine cannot be read.
pub fn privileged(host: &Host) -> Result<bool, Failure> {
    let root = rustix::process::geteuid().is_root();
    match host {
        Host::Real => Ok(root),
        Host::Recorded { .. } => Ok(true),
        Host::Simulated { dir, .. } => {
            let kernel = simulated::load(dir).map_err(Failure::usage)?;
            Ok(match kernel.machine().caller {
                Caller::Root => true,
                Caller::User => false,
                Caller::Actual => root,
            })
        }
    }
}

/// A host folder, whole: a machine that cannot be read is one error here, and not a failed call in every case.
fn folder(dir: &Path) -> Result<Host, HostError> {
    let host = Host::open(dir)?;
    match &host {
        Host::Simulated { dir, .. } => simulated::load(dir).map(drop)?,
        Host::Recorded { .. } | Host::Real => {}
    }
    Ok(host)
}

/// In words, for the run record.
pub fn description(host: Option<&Host>) -> String {
    match host {
        None => "each scenario's simulated machine".to_owned(),
        Some(host) => host.origin().to_owned(),
    }
}

/// What only computes, on the CPU of this machine.
pub fn plan_cpu() -> (Target, Option<Environment>) {
    (Target::Cpu, Some(Environment::cpu(&read_kernel(&Host::Real.proc_root()).release)))
}

/// What the plan is made for, and on what its cases run where that is one host.
pub fn plan_target(host: Option<&Host>, asking: &Asking) -> (Target, Option<Environment>) {
    let Some(host) = host else { return (Target::Simulated, None) };
    let wanted = Wanted { queries: [Query::Version].into(), tuning: true, ..Wanted::trees() };
    let look = look(host, &wanted, Format::Json, asking);
    let target = Target::Given { provenance: host.provenance(), host: describe(&look) };
    (target, Some(Environment::of(&look)))
}

/// What all GPUs of a host have in common.
fn describe(look: &Snapshot) -> HostDescription {
    let tool = look.version.as_ref().map_or(Reading::NotReported, |asked| asked.answer.value.as_ref());
    let (sockets, part) = (sockets(look), part(look));
    HostDescription {
        gfx: part.as_ref().map(|part| part.gfx.clone()),
        part: part.map(|part| part.id.clone()),
        compute: common(sockets.iter().map(Socket::compute_in_force)),
        memory: common(sockets.iter().map(Socket::memory_in_force)),
        tool: tool.and_then(|report| report.tool.clone()),
        platform: whereabouts(look).platform,
    }
}

fn part(look: &Snapshot) -> Reading<&'static facts::Part> {
    let by_sysfs = look.sysfs.iter().flatten().map(|gpu| gpu.device_id.clone());
    let ids = by_sysfs.chain(look.kfd.iter().flatten().map(|node| node.device_id.clone()));
    common(ids).and_then(|id| {
        let has = |part: &&facts::Part| part.pci_ids.contains(&id) || part.vf_pci_ids.contains(&id);
        match facts::parts().iter().find(has) {
            Some(part) => Reading::Value(part),
            None => Reading::malformed(format!("{id:04x}"), "no part with this PCI device id is known"),
        }
    })
}

/// The value that all readings share.
fn common<T: PartialEq + std::fmt::Debug>(readings: impl Iterator<Item = Reading<T>>) -> Reading<T> {
    let mut shared: Option<Reading<T>> = None;
    for reading in readings {
        match &shared {
            None => shared = Some(reading),
            Some(first) if *first == reading => {}
            Some(first) => return Reading::malformed(format!("{first:?}, {reading:?}"), "the GPUs differ"),
        }
    }
    shared.unwrap_or(Reading::NotReported)
}
