//! Devices that are missing, hidden, held by somebody, or not to be used by this caller.

use std::collections::BTreeSet;

use crate::doctor::Caller;
use crate::doctor::diagnosis::Seen;
use crate::doctor::obstacle::{Obstacle, Weight, obstacle};
use crate::domain::Provenance;
use crate::facts;
use crate::witness::{Access, DeviceAccess};

use super::listed;

pub(super) fn obstacles(seen: &Seen<'_>) -> Vec<Obstacle> {
    let mut found = Vec::new();
    found.extend(no_kfd(seen));
    found.extend(missing(seen));
    found.extend(render_nodes(seen));
    found.extend(denied(seen));
    found.extend(unprivileged(seen));
    found.extend(held(seen));
    found
}

/// Also where the GPU is not shown any more.
pub(super) fn unkillable<'a>(seen: &'a Seen<'_>) -> impl Iterator<Item = Obstacle> + use<'a> {
    seen.environment.unkillable.iter().map(|each| {
        let what = format!("a process could not be killed, and nothing is started on this machine: {}", each.what);
        obstacle("unkillable", Weight::Limits, what, each.next.clone(), "")
    })
}

fn no_kfd(seen: &Seen<'_>) -> Option<Obstacle> {
    seen.look.kfd.is_none().then(|| {
        obstacle(
            "kfd-missing",
            Weight::Limits,
            "there is no KFD topology (/sys/class/kfd): the number and memory of the devices cannot be checked, \
             and amd-smi takes the driver for not loaded",
            "use a kernel whose amdgpu has compute support (CONFIG_HSA_AMD), or amdgpu-dkms",
            "facts/amd-smi.md 3.3",
        )
    })
}

/// Fewer or more devices than the modes make.
fn missing(seen: &Seen<'_>) -> Option<Obstacle> {
    seen.look.kfd.as_ref()?;
    let judged: Vec<_> = seen.gpus.iter().filter_map(|gpu| Some((gpu, gpu.expected_devices?))).collect();
    let expected: usize = judged.iter().map(|(_, expected)| expected).sum();
    let shown: usize = judged.iter().map(|(gpu, _)| gpu.devices).sum();
    let odd: Vec<String> =
        judged.iter().filter(|(gpu, expected)| gpu.devices != *expected).map(|(gpu, _)| gpu.bdf.to_string()).collect();
    if odd.is_empty() {
        return None;
    }
    let what = format!("KFD shows {shown} devices where the modes make {expected} (GPU {})", listed(&odd));
    let bug = facts::bug("amdsmi#99").filter(|_| shown + 1 == expected);
    Some(match bug {
        Some(bug) => obstacle(
            "device-missing",
            Weight::Limits,
            format!("{what}: as where the BMC's video card takes a DRM minor ({}, {})", bug.id, bug.also.join(", ")),
            bug.what_to_do.clone(),
            bug.source.cite.clone(),
        ),
        None => obstacle(
            "devices-differ",
            Weight::Limits,
            what,
            "in a container: see whether devices are hidden from it; else compare with `validate partition show`",
            "facts/partitions.md sections 4 and 9",
        ),
    })
}

/// KFD names a render node that DRM does not have.
fn render_nodes(seen: &Seen<'_>) -> Option<Obstacle> {
    let there: BTreeSet<u32> = seen.look.render.as_ref()?.iter().map(|node| node.minor).collect();
    let named = seen.look.kfd.iter().flatten().filter_map(|node| node.render_minor.value());
    let lost: Vec<String> =
        named.filter(|minor| !there.contains(minor)).map(|minor| format!("renderD{minor}")).collect();
    (!lost.is_empty()).then(|| {
        obstacle(
            "render-node-missing",
            Weight::Limits,
            format!("KFD names render nodes that are not there: {}", listed(&lost)),
            "look for `Skip xcp node` in the kernel log; free DRM minors (BMC video driver) and reload amdgpu",
            "facts/partitions.md section 4",
        )
    })
}

fn denied(seen: &Seen<'_>) -> Option<Obstacle> {
    let refused = |device: &&DeviceAccess| matches!(device.access, Access::Denied { .. });
    let devices: Vec<&DeviceAccess> = seen.look.access.iter().flatten().filter(refused).collect();
    let names: Vec<String> = devices.iter().map(|device| device.path.clone()).collect();
    let Access::Denied { mode, uid, gid } = devices.first()?.access else { return None };
    Some(obstacle(
        "device-denied",
        Weight::Limits,
        format!(
            "this user may not use {}: {} belongs to user {uid} and group {gid}, mode {:04o}",
            listed(&names),
            names.first().map_or("it", String::as_str),
            mode & 0o7777
        ),
        "sudo usermod -aG render,video $USER, then log in again; in a container: --device=/dev/kfd --device=/dev/dri",
        "facts/amd-smi.md 3.3; facts/partitions.md section 4",
    ))
}

fn unprivileged(seen: &Seen<'_>) -> Option<Obstacle> {
    let partitions = seen.sockets.iter().any(|socket| !socket.unpartitionable());
    let changes = seen.environment.provenance != Provenance::Recorded && partitions;
    (seen.environment.caller == Caller::User && changes).then(|| {
        obstacle(
            "not-root",
            Weight::Limits,
            "modes can be read and not changed: setting them, and reading profiles (`amd-smi partition -a`), needs root",
            "use sudo for what changes modes",
            "facts/amd-smi.md 1.4",
        )
    })
}

fn held(seen: &Seen<'_>) -> Option<Obstacle> {
    let holders = seen.holders.value().filter(|holders| !holders.is_empty())?;
    let names: Vec<String> = holders.iter().map(|holder| holder.told()).collect();
    let units: BTreeSet<&str> = holders
        .iter()
        .filter_map(|holder| holder.unit.value())
        .filter(|unit| unit.ends_with(".service"))
        .map(String::as_str)
        .collect();
    let next = if units.is_empty() {
        "stop them before a mode is changed: the driver answers EBUSY while a process holds a GPU".to_owned()
    } else {
        format!("before a mode is changed: sudo systemctl stop {}", units.into_iter().collect::<Vec<_>>().join(" "))
    };
    Some(obstacle(
        "held",
        Weight::Limits,
        format!("GPUs are in use: {}", listed(&names)),
        next,
        "facts/partitions.md section 5",
    ))
}
