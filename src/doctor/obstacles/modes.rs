//! Modes that cannot be read, do not fit together, or mean something else than they seem to.

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::diagnosis::Seen;
use crate::doctor::obstacle::{Obstacle, Weight, obstacle};
use crate::domain::{AllocMode, Platform};

use super::listed;

pub(super) fn obstacles(seen: &Seen<'_>) -> Vec<Obstacle> {
    let mut found = Vec::new();
    found.extend(unknown_part(seen));
    found.extend(virtual_function(seen));
    found.extend(unreadable(seen));
    found.extend(mixed_hive(seen));
    found.extend(all_memory(seen));
    found
}

fn unknown_part(seen: &Seen<'_>) -> Option<Obstacle> {
    let unknown = seen.gpus.iter().filter(|gpu| gpu.parts.is_empty());
    let names: Vec<String> = unknown
        .map(|gpu| match gpu.device_id.value() {
            Some(id) => format!("{} (1002:{id:04x})", gpu.bdf),
            None => format!("{} (no PCI id)", gpu.bdf),
        })
        .collect();
    (!names.is_empty()).then(|| {
        obstacle(
            "part-unknown",
            Weight::Limits,
            format!("no part with this PCI id is known: {}; its modes and sizes cannot be judged", listed(&names)),
            "record the machine (`validate record DIR`) and hand the recording on",
            "facts/partitions.md section 1",
        )
    })
}

fn virtual_function(seen: &Seen<'_>) -> Option<Obstacle> {
    (seen.whereabouts.platform.value() == Some(&Platform::VirtualFunction)).then(|| {
        obstacle(
            "virtual-function",
            Weight::Limits,
            "the GPU is a virtual function: its modes are its host's to set, and its memory is not the part's",
            "change modes on the host; judge memory against the guest's own total",
            "facts/partitions.md section 6",
        )
    })
}

fn unreadable(seen: &Seen<'_>) -> Option<Obstacle> {
    let absent = seen.sockets.iter().filter(|socket| !socket.parts().0.is_empty()).filter_map(|socket| {
        let problem = socket.compute_in_force().absence().or_else(|| socket.memory_in_force().absence())?;
        Some(format!("{} ({problem})", socket.bdf))
    });
    let names: Vec<String> = absent.collect();
    (!names.is_empty()).then(|| {
        obstacle(
            "modes-unreadable",
            Weight::Limits,
            format!("the partition files cannot be read: GPU {}", listed(&names)),
            "see whether the GPU is in reset or the driver failed: sudo dmesg | grep amdgpu",
            "facts/amd-smi.md 3.3 (EPERM in reset, UNKNOWN, empty file)",
        )
    })
}

/// One memory mode for each XGMI hive.
fn mixed_hive(seen: &Seen<'_>) -> Option<Obstacle> {
    let mut hives: BTreeMap<u64, BTreeSet<&'static str>> = BTreeMap::new();
    for gpu in seen.sockets.iter().filter_map(|socket| socket.sysfs) {
        if let (Some(&hive), Some(memory)) = (gpu.hive_id.value().filter(|hive| **hive != 0), gpu.memory.value()) {
            hives.entry(hive).or_default().insert(memory.name());
        }
    }
    let modes = hives.into_values().find(|modes| modes.len() > 1)?;
    Some(obstacle(
        "hive-mixed",
        Weight::Limits,
        format!(
            "GPUs of one XGMI hive differ in their memory mode: {}",
            modes.into_iter().collect::<Vec<_>>().join(", ")
        ),
        "set one memory mode for all GPUs and reload the driver",
        "facts/partitions.md section 5",
    ))
}

fn all_memory(seen: &Seen<'_>) -> Option<Obstacle> {
    let gpus = seen.gpus.iter().filter(|gpu| gpu.alloc_mode.value() == Some(&AllocMode::All));
    let names: Vec<String> = gpus.map(|gpu| gpu.bdf.to_string()).collect();
    (!names.is_empty()).then(|| {
        obstacle(
            "alloc-mode-all",
            Weight::Note,
            format!(
                "compute_partition_mem_alloc_mode is ALL on {}: a device may take its neighbours' memory, and the size \
                 that it reports stays the same",
                listed(&names)
            ),
            "size jobs by what is free, or set CAPPING (`amd-smi set --compute-partition-mem-alloc-mode CAPPING`)",
            "facts/partitions.md 3.5",
        )
    })
}
