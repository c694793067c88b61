//! `partition.profiles`: the profiles that `amd-smi partition` lists are those that the part has.

use crate::domain::{CheckId, ComputeMode, Confidence};
use crate::facts::{self, Part};
use crate::witness::Observations;
use crate::witness::amd_smi::{ProfileRow, Query};

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::need;
use super::evaluation::{Collector, Evaluation, GapKind};
use crate::topology::{Socket, sockets};

pub(super) const ABOUT: About = About {
    id: CheckId::PartitionProfiles,
    what: "Profile order, partitions per profile, resources and the starred profile that `partition` lists, against the part and sysfs.",
    why: "`set -C 1` means DPX on MI300X and TPX on MI300A: an index is a position in this list, and the list depends on the part.",
    source: "facts/amd-smi.md 1.3; facts/partitions.md 2.3 (capture amdsmi#132)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List, Query::Partition], sysfs: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "order-differs",
            what: "The compute modes stand at other indexes than the part has.",
            next: "set modes by name, not by index",
        },
        FindingAbout {
            id: "starred-differs",
            what: "The starred profile is not the mode that sysfs shows.",
            next: "believe current_compute_partition; an older tool stars what xcp_config holds",
        },
        FindingAbout {
            id: "resources-differ",
            what: "A profile shares out another number of XCCs than the part has.",
            next: "compare compute_partition_config/xcc/num_inst in sysfs; harvested parts have fewer",
        },
        FindingAbout {
            id: "partitions-differ",
            what: "A profile makes another number of partitions than its mode says.",
            next: "count KFD nodes instead",
        },
        FindingAbout {
            id: "partitions-zero",
            what: "NUM_PARTITIONS is 0 or 2^32-1: a bug of the tool (amdsmi#132, rocm-systems#4516).",
            next: "count KFD nodes instead; fixed from ROCm 7.13 on",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let sockets = sockets(look);
    let Some(report) = calls::rows(&mut collector, Query::Partition, look.partition.as_ref()) else {
        return collector.finish();
    };
    if !sockets.is_empty() && sockets.iter().all(Socket::unpartitionable) {
        collector.met("the machine", "no profiles on a part without partitions", "none expected");
        return collector.finish();
    }
    let Some(rows) = need(&mut collector, "amd-smi partition", "profiles", &report.profiles) else {
        return collector.finish();
    };
    let mut by_gpu: Vec<(u32, Vec<&ProfileRow>)> = Vec::new();
    for row in rows {
        match by_gpu.last_mut() {
            Some((gpu, rows)) if *gpu == row.gpu => rows.push(row),
            Some(_) | None => by_gpu.push((row.gpu, vec![row])),
        }
    }
    // Secondary partitions have no profiles: the kernel keeps them on the primary (amdsmi#100).
    let with_profiles = by_gpu.iter().filter(|(_, rows)| rows.iter().any(|row| row.mode.value().is_some()));
    let groups: Vec<_> = with_profiles.collect();
    if groups.is_empty() {
        collector.gap(
            GapKind::NotReported,
            "amd-smi partition",
            "no device shows a profile: N/A for all (without root, in a guest, and before tool 25)",
        );
    }
    for (at, (gpu, rows)) in groups.iter().enumerate() {
        let socket = if groups.len() == sockets.len() { sockets.get(at) } else { sockets.first() };
        let part = socket.and_then(|socket| socket.parts().0.first().copied());
        match part {
            Some(part) => judge(&mut collector, *gpu, rows, part, socket.and_then(|s| s.compute().value().copied())),
            None => collector.gap(GapKind::Unknown, format!("GPU {gpu}"), "no facts about this part"),
        }
    }
    collector.finish()
}

fn judge(collector: &mut Collector, gpu: u32, rows: &[&ProfileRow], part: &Part, current: Option<ComputeMode>) {
    let subject = format!("GPU {gpu} profiles");
    let listed: Vec<ComputeMode> = rows.iter().filter_map(|row| row.mode.value().copied()).collect();
    let names = |modes: &[ComputeMode]| modes.iter().map(|mode| mode.name()).collect::<Vec<_>>().join(" ");
    let expected = part.compute_modes();
    if listed == expected {
        collector.met(&subject, names(expected), names(&listed));
    } else {
        collector.unmet("order-differs", &subject, names(expected), names(&listed));
    }
    for row in rows {
        if let Some(&mode) = row.mode.value() {
            judge_profile(collector, gpu, row, mode, part);
        }
    }
    let starred: Vec<ComputeMode> =
        rows.iter().filter(|row| row.current).filter_map(|row| row.mode.value().copied()).collect();
    match (current, starred.as_slice()) {
        (Some(current), [one]) if current == *one => collector.met(subject, format!("{current} starred"), one.name()),
        (Some(current), other) => {
            let observed = if other.is_empty() { "no profile starred".to_owned() } else { names(other) };
            collector.unmet("starred-differs", subject, format!("{current} starred"), observed);
        }
        (None, _) => collector.gap(GapKind::NotReported, subject, "sysfs shows no current compute partition"),
    }
}

fn judge_profile(collector: &mut Collector, gpu: u32, row: &ProfileRow, mode: ComputeMode, part: &Part) {
    let subject = format!("GPU {gpu} profile {mode}");
    let devices = mode.devices(part.xccs);
    match row.partitions.value() {
        Some(&made) if made == devices => collector.met(&subject, format!("{devices} partitions"), made.to_string()),
        Some(&made) if made == 0 || made == u32::MAX => {
            collector.doubtful("partitions-zero", &subject, format!("{devices} partitions"), made.to_string());
        }
        Some(&made) => {
            collector.unmet("partitions-differ", &subject, format!("{devices} partitions"), made.to_string());
        }
        None => collector.gap(GapKind::NotReported, &subject, "number of partitions not reported"),
    }
    let xccs = row.resources.iter().find(|resource| resource.kind.value().is_some_and(|kind| kind == "XCC"));
    let expected = facts::xccs_per_device(part, mode);
    match xccs.and_then(|resource| resource.instances.value()) {
        Some(&found) if found == expected => collector.met(subject, format!("{expected} XCC"), found.to_string()),
        Some(&found) => collector.unmet("resources-differ", subject, format!("{expected} XCC"), found.to_string()),
        None => collector.gap(GapKind::NotReported, subject, "XCC count not reported"),
    }
}
