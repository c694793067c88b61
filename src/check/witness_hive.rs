//! `witness.hive`: the GPUs of an XGMI hive belong together, by every witness and in their memory mode.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{CheckId, Confidence, MemoryMode, Reading};
use crate::topology::{Socket, own_sockets};
use crate::witness::Observations;

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind, need};

pub(super) const ABOUT: About = About {
    id: CheckId::WitnessHive,
    what: "The hive id of each GPU by sysfs and by KFD; one memory mode in a hive; all GPUs of a part in one hive.",
    why: "A memory mode is asked of the hive and not of a GPU; a GPU outside of it talks to the others over PCIe.",
    source: "facts/partitions.md section 5 (Hive) and section 9 step 6",
    confidence: Confidence::Certain,
    needs: Needs { sysfs: true, kfd: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "ids-differ",
            what: "sysfs and KFD give a GPU different hive ids.",
            next: "believe sysfs: xgmi_hive_info is the live hive, KFD's is a copy from when the node was made; reload the driver",
        },
        FindingAbout {
            id: "mixed-memory-modes",
            what: "GPUs of one hive show different memory modes: the request is the hive's, and one of them did not take it.",
            next: "believe sysfs of each GPU; ask for the memory mode again and reload the driver; AMD's tools refuse such a node",
        },
        FindingAbout {
            id: "outside-of-the-hive",
            what: "Some GPUs of a part are in a hive, and one is in none.",
            next: "believe it: the XGMI links of that GPU did not train; see the kernel log, then reseat or replace it",
        },
        FindingAbout {
            id: "several-hives",
            what: "The GPUs of one part are in more than one hive. Boards with bridges are built so; a platform of eight is not.",
            next: "believe it: keep each job in one hive; a memory mode is set for each hive by itself",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let sockets = own_sockets(&seen.after);
    if sockets.is_empty() {
        collector.gap(GapKind::NotReported, "the machine", "neither sysfs nor KFD shows a GPU");
    }
    let mut placed: Vec<(&Socket<'_>, u64)> = Vec::new();
    for socket in &sockets {
        if let Some(hive) = hive(&mut collector, socket) {
            placed.push((socket, hive));
        }
    }
    modes(&mut collector, &placed);
    hives(&mut collector, &placed);
    collector.finish()
}

/// The hive of a GPU, 0 for none; nothing where a witness is missing or they differ.
fn hive(collector: &mut Collector, socket: &Socket<'_>) -> Option<u64> {
    let subject = format!("{} hive", socket.name());
    let Some(sysfs) = socket.sysfs else {
        collector.gap(GapKind::NotReported, subject, "only KFD says anything: two witnesses are needed");
        return None;
    };
    // The folder is there where there is a hive.
    let by_sysfs = match &sysfs.hive_id {
        Reading::NotReported => 0,
        reading @ (Reading::Value(_) | Reading::NotApplicable | Reading::Malformed { .. }) => {
            *need(collector, &subject, "xgmi_hive_id", reading)?
        }
    };
    if socket.nodes.is_empty() {
        collector.gap(GapKind::NotReported, subject, "only sysfs says anything: two witnesses are needed");
        return None;
    }
    let mut by_kfd = BTreeSet::new();
    for node in &socket.nodes {
        by_kfd.insert(*need(collector, &format!("node {}", node.node), "hive_id", &node.hive_id)?);
    }
    if by_kfd.iter().all(|id| *id == by_sysfs) {
        collector.met(subject, shown(by_sysfs), "the same (sysfs, KFD)");
        return Some(by_sysfs);
    }
    let ids: Vec<_> = by_kfd.iter().map(|id| shown(*id)).collect();
    collector.unmet(
        "ids-differ",
        subject,
        format!("{} (sysfs, believed)", shown(by_sysfs)),
        format!("{} (KFD)", ids.join(", ")),
    );
    None
}

/// One memory mode in each hive.
fn modes(collector: &mut Collector, placed: &[(&Socket<'_>, u64)]) {
    let mut hives: BTreeMap<u64, Vec<(&Socket<'_>, MemoryMode)>> = BTreeMap::new();
    for (socket, hive) in placed.iter().filter(|(socket, hive)| *hive != 0 && !socket.unpartitionable()) {
        let reading = socket.memory();
        let Some(mode) = need(collector, &socket.name(), "current_memory_partition", &reading) else { continue };
        hives.entry(*hive).or_default().push((socket, *mode));
    }
    for members in hives.into_values() {
        // By a member: the hive's own number names the machine.
        let Some((first, _)) = members.first() else { continue };
        let subject = format!("hive of {}", first.name());
        let modes: BTreeSet<MemoryMode> = members.iter().map(|(_, mode)| *mode).collect();
        if let (Some(mode), 1) = (modes.first(), modes.len()) {
            collector.met(subject, "one memory mode", format!("{mode} on {} GPUs (sysfs)", members.len()));
            continue;
        }
        let of_mode = |mode: &MemoryMode| {
            let gpus: Vec<_> =
                members.iter().filter(|(_, own)| own == mode).map(|(gpu, _)| gpu.bdf.to_string()).collect();
            format!("{mode} on {}", gpus.join(", "))
        };
        let observed = modes.iter().map(of_mode).collect::<Vec<_>>().join("; ");
        collector.unmet("mixed-memory-modes", subject, "one memory mode", format!("{observed} (sysfs)"));
    }
}

/// All GPUs of a part in one hive, or none of them in any.
fn hives(collector: &mut Collector, placed: &[(&Socket<'_>, u64)]) {
    let mut parts: BTreeMap<Option<u16>, BTreeMap<u64, Vec<String>>> = BTreeMap::new();
    for (socket, hive) in placed {
        parts.entry(socket.device_id()).or_default().entry(*hive).or_default().push(socket.bdf.to_string());
    }
    for hives in parts.values() {
        let inside: Vec<_> = hives.iter().filter(|(hive, _)| **hive != 0).collect();
        let outside = hives.get(&0);
        match (inside.as_slice(), outside) {
            ([], _) => {}
            (_, Some(gpus)) => {
                let observed = format!("{} in no hive (sysfs, KFD)", gpus.join(", "));
                collector.unmet("outside-of-the-hive", "the machine", "all GPUs of a part in a hive", observed);
            }
            ([(hive, gpus)], None) => {
                collector.met("the machine", "one hive", format!("{} GPUs in {}", gpus.len(), shown(**hive)));
            }
            (several, None) => {
                let each: Vec<_> =
                    several.iter().map(|(hive, gpus)| format!("{} GPUs in {}", gpus.len(), shown(**hive))).collect();
                collector.doubtful(
                    "several-hives",
                    "the machine",
                    "one hive",
                    format!("{} (sysfs, KFD)", each.join(", ")),
                );
            }
        }
    }
}

fn shown(hive: u64) -> String {
    if hive == 0 { "no hive".to_owned() } else { format!("{hive:016x}") }
}
