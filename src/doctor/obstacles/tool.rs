//! The tool: absent, silent, refusing, or with bugs that matter on this machine.

use crate::doctor::Caller;
use crate::doctor::diagnosis::Seen;
use crate::doctor::obstacle::{Obstacle, Weight, obstacle};
use crate::doctor::tool::Trouble;
use crate::domain::{Platform, Provenance, Reading, ToolVersion};
use crate::facts::{self, Bug};

pub(super) fn obstacles(seen: &Seen<'_>) -> Vec<Obstacle> {
    let mut found: Vec<Obstacle> =
        seen.tool.trouble.as_ref().and_then(|trouble| unable(seen, trouble)).into_iter().collect();
    let Some(&version) = seen.tool.version.value() else { return found };
    found.extend(unrecorded(version));
    if seen.sockets.is_empty() {
        return found;
    }
    found.extend(no_set_flags(seen, version));
    found.extend(profile_query(seen, version));
    found.extend(known_bugs(seen, version));
    found
}

fn unable(seen: &Seen<'_>, trouble: &Trouble) -> Option<Obstacle> {
    let lost = "checks that ask it are not evaluated";
    match trouble {
        Trouble::NotAsked => None,
        Trouble::Missing(_) if seen.environment.provenance == Provenance::Recorded => Some(obstacle(
            "tool-missing",
            Weight::Limits,
            format!("what amd-smi says of its version was not recorded: {lost}"),
            "record the machine with `validate record DIR`",
            "",
        )),
        Trouble::Missing(reason) => Some(obstacle(
            "tool-missing",
            Weight::Limits,
            format!("amd-smi cannot be started ({reason}): {lost}"),
            "install it (package amd-smi-lib of ROCm, amd-smi of Debian and Ubuntu) or put it into PATH (/opt/rocm/bin)",
            "facts/amd-smi.md section 6",
        )),
        Trouble::Silent(how) => Some(obstacle(
            "tool-silent",
            Weight::Limits,
            format!("amd-smi did not say its version ({how}): {lost}"),
            "look for a driver that hangs: sudo dmesg | grep amdgpu; meanwhile sysfs and KFD can be read",
            "facts/amd-smi.md 3.3 (the driver hangs while the tool starts)",
        )),
        Trouble::Died(how) => {
            let bug = facts::bug("ROCm#5632");
            Some(obstacle(
                "tool-died",
                Weight::Limits,
                format!("`amd-smi version` was {how} (as in ROCm#5632)"),
                bug.map_or_else(|| "use another build of the tool".to_owned(), |bug| bug.what_to_do.clone()),
                "ROCm/ROCm#5632",
            ))
        }
        Trouble::Refused(text) if text.contains("required groups") => Some(groups(text)),
        Trouble::Refused(text) => Some(obstacle(
            "tool-refuses",
            Weight::Limits,
            format!("amd-smi refuses: {}", first_line(text)),
            if seen.sockets.is_empty() {
                "remove what is named above first"
            } else {
                "run `amd-smi version` by hand; meanwhile sysfs and KFD can be read"
            },
            "facts/amd-smi.md 3.3",
        )),
    }
}

/// The group check of ROCm 7.0.
fn groups(text: &str) -> Obstacle {
    let next = facts::bug("amdsmi#125").map_or_else(String::new, |bug| bug.what_to_do.clone());
    obstacle(
        "tool-groups",
        Weight::Limits,
        format!(
            "amd-smi refuses a user outside its groups, even where the devices can be used (amdsmi#125): {}",
            first_line(text)
        ),
        format!("{next} sudo usermod -aG render,video $USER, then log in again"),
        "facts/amd-smi.md 3.3; ROCm/amdsmi#125, #184",
    )
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().chars().take(200).collect()
}

fn unrecorded(version: ToolVersion) -> Option<Obstacle> {
    facts::release(version).is_none().then(|| {
        obstacle(
            "tool-unrecorded",
            Weight::Note,
            format!("nobody recorded amd-smi {version} here: its output is read as that of its neighbours"),
            "record this machine (`validate record DIR`) and hand the recording on",
            "facts/amd-smi.md 1.1",
        )
    })
}

/// In a guest the tool has `set -C` and `set -M` only where it takes the guest for bare metal.
fn no_set_flags(seen: &Seen<'_>, version: ToolVersion) -> Option<Obstacle> {
    let passthrough = seen.whereabouts.platform == Reading::Value(Platform::Passthrough);
    let taken_for_metal = |id: u16| facts::sets_in_guest(version, id);
    if !passthrough || seen.sockets.iter().filter_map(|socket| socket.device_id()).any(taken_for_metal) {
        return None;
    }
    Some(obstacle(
        "tool-guest",
        Weight::Limits,
        format!(
            "this is a passthrough guest whose PCI ids are not on amd-smi's list, so amd-smi {version} may have neither \
             `set -C` nor `set -M` (\"Parameter '-C' is invalid\")"
        ),
        "set modes on the host, or through sysfs: /sys/bus/pci/devices/BDF/current_compute_partition",
        "facts/amd-smi.md section 0; ROCm/amdsmi#91",
    ))
}

/// `partition -a` is no query for root. It came with 24.7.
fn profile_query(seen: &Seen<'_>, version: ToolVersion) -> Option<Obstacle> {
    let partitions = seen.sockets.iter().any(|socket| !socket.unpartitionable());
    (seen.environment.caller == Caller::Root && partitions && version >= ToolVersion::new(24, 7, 0)).then(|| {
        obstacle(
            "profile-query-writes",
            Weight::Note,
            "`amd-smi partition` (and `-a`) is not read-only for root: it writes compute_partition_config/xcp_config",
            "run no two of them at once; `validate record` leaves it out unless `--profiles` is given",
            "facts/amd-smi.md 1.4",
        )
    })
}

/// Known bugs of this version that show on this machine; the others are a matter of `validate explain`.
fn known_bugs(seen: &Seen<'_>, version: ToolVersion) -> Vec<Obstacle> {
    let shown: Vec<&Bug> =
        facts::bugs().iter().filter(|bug| bug.may_affect(version) && matters(seen, &bug.id)).collect();
    shown
        .into_iter()
        .map(|bug| {
            obstacle(
                "known-bug",
                Weight::Note,
                format!("amd-smi {version}: {} ({})", bug.title, bug.id),
                bug.what_to_do.clone(),
                bug.source.cite.clone(),
            )
        })
        .collect()
}

/// Whether a bug shows on a machine like this one. Those that have an obstacle of their own are not told twice.
fn matters(seen: &Seen<'_>, bug: &str) -> bool {
    let partitioned = seen.gpus.iter().any(|gpu| gpu.devices > 1);
    let guest = seen.whereabouts.platform.value().is_some_and(|platform| *platform != Platform::BareMetal);
    let unpartitionable = seen.sockets.iter().any(|socket| socket.unpartitionable());
    let modes_unread =
        seen.sockets.iter().any(|socket| !socket.unpartitionable() && socket.compute().value().is_none());
    match bug {
        "amdsmi#100" | "ROCm#4750" | "shared-uuid" | "rocm-systems#4516" => partitioned,
        "partition-unbound-local" => modes_unread,
        "amdsmi#125" => seen.environment.caller == Caller::User,
        "elevation-for-root" => unpartitionable,
        "set-namespace-attribute" => guest,
        "set-choices-joined" => !unpartitionable,
        "index-order" => seen.sockets.len() > 1,
        "too-many-open-files" => seen.gpus.iter().map(|gpu| gpu.devices).sum::<usize>() >= 64,
        _ => false,
    }
}
