//! What a run is for: each scenario's simulated machine, a host folder, or this machine.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::domain::Reading;
use crate::facts;
use crate::host::{Asking, Host, HostError, simulated};
use crate::plan::{HostDescription, Target};
use crate::witness::amd_smi::{Format, Query, parse};
use crate::witness::{KfdNode, SysfsGpu, kfd, sysfs};

use super::exit::Failure;

/// The given host; `None` for each scenario's own machine.
///
/// # Errors
/// The folder is no host, or `--hardware` was asked for where there is none.
pub fn open(dir: Option<&Path>, hardware: bool) -> Result<Option<Host>, Failure> {
    if hardware {
        let host = Host::Real;
        if sysfs::read_sysfs(&host.sysfs_root()).is_empty() && kfd::read_kfd(&host.sysfs_root()).is_none() {
            let problem = "no AMD GPU here: sysfs shows none, and there is no KFD topology; \
                           `validate shim DIR --machine mi300x` makes a simulated machine for --host";
            return Err(Failure::unavailable(anyhow!(problem)));
        }
        return Ok(Some(host));
    }
    dir.map(|dir| folder(dir).with_context(|| format!("open host {}", dir.display())).map_err(Failure::usage))
        .transpose()
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

/// What the plan is made for.
pub fn plan_target(host: Option<&Host>, asking: &Asking) -> Target {
    match host {
        None => Target::Simulated,
        Some(host) => Target::Given { provenance: host.provenance(), host: describe(host, asking) },
    }
}

/// What all GPUs of a host have in common.
fn describe(host: &Host, asking: &Asking) -> HostDescription {
    let gpus = sysfs::read_sysfs(&host.sysfs_root());
    let nodes = kfd::read_kfd(&host.sysfs_root()).unwrap_or_default();
    let call = host.call_amd_smi(&Query::Version.args(Format::Json), "", asking);
    let tool = parse::version(&call, Format::Json).value.and_then(|report| report.tool);
    let part = part(&gpus, &nodes);
    HostDescription {
        gfx: part.as_ref().map(|part| part.gfx.clone()),
        part: part.map(|part| part.id.clone()),
        compute: common(gpus.iter().map(|gpu| gpu.compute.clone())),
        memory: common(gpus.iter().map(|gpu| gpu.memory.clone())),
        tool,
        // Telling a passthrough guest from bare metal needs more witnesses than these two.
        platform: Reading::NotReported,
    }
}

fn part(gpus: &[SysfsGpu], nodes: &[KfdNode]) -> Reading<&'static facts::Part> {
    let ids = gpus.iter().map(|gpu| gpu.device_id.clone()).chain(nodes.iter().map(|node| node.device_id.clone()));
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
