//! `witness.memory`: every witness shows the same memory of each device.

use crate::domain::{Bdf, Bytes, CheckId, Confidence, Reading, ToolVersion};
use crate::topology::{Socket, logical_devices, own_sockets};
use crate::witness::amd_smi::{Query, VramRow};
use crate::witness::{KfdNode, Observations, Snapshot};

use super::about::{About, FindingAbout, Needs};
use super::amd_smi_memory::{Shown, Truth, tool};
use super::calls;
use super::evaluation::{Collector, Evaluation, GapKind, need};
use super::join;
use super::voices::Voices;

pub(super) const ABOUT: About = About {
    id: CheckId::WitnessMemory,
    what: "KFD's memory of each device against amd-smi's and HIP's total; the sum of a GPU's devices against sysfs (an APU's against the kernel's TTM limit); at idle 95 % of it is free.",
    why: "Jobs are sized by one of these numbers, and amd-smi's is the whole GPU's on partition 0; memory that nobody holds and that is not free is lost until a reset.",
    source: "facts/partitions.md 3.4 to 3.6; facts/amd-smi.md section 4 row 6 (amdsmi#97, #132, ROCm/ROCm#4750)",
    confidence: Confidence::Certain,
    needs: Needs {
        queries: &[Query::Version, Query::List, Query::MetricMemory],
        sysfs: true,
        kfd: true,
        system: true,
        hip: true,
        ..Needs::NOTHING
    },
    findings: &[
        FindingAbout {
            id: "sum-differs",
            what: "The memory of a GPU's KFD nodes does not add up to what sysfs shows of the GPU.",
            next: "believe neither: mem_banks and mem_info_vram_total are one driver's two sums; reload it, then record the machine",
        },
        FindingAbout {
            id: "ttm-differs",
            what: "An APU's devices do not share what the kernel lets GPUs take (pages_limit of ttm or amdttm).",
            next: "believe KFD: the limit was changed after the driver had split it; reload the driver",
        },
        FindingAbout {
            id: "amd-smi-differs",
            what: "amd-smi shows another total than KFD for a device, in no known way.",
            next: "believe KFD mem_banks: jobs are limited by it; record the machine and report it to amdsmi",
        },
        FindingAbout {
            id: "whole-gpu-on-partition-0",
            what: "amd-smi shows the whole GPU's memory on partition 0 (amdsmi#97, #132; 6.4.1 to 7.x): amd-smi's fault.",
            next: "believe KFD mem_banks or hipMemGetInfo (amdsmi#97, #132); never size a job by amd-smi's partition 0",
        },
        FindingAbout {
            id: "whole-gpu-on-every-partition",
            what: "amd-smi shows the whole GPU's memory on every partition (ROCm/ROCm#4750; up to 6.4.0): amd-smi's fault.",
            next: "believe KFD mem_banks or hipMemGetInfo (ROCm#4750), or take amd-smi from ROCm 6.4.1 or later",
        },
        FindingAbout {
            id: "hip-differs",
            what: "HIP shows another total than KFD for a device.",
            next: "believe KFD mem_banks; GPU_MAX_HEAP_SIZE below 100 takes a share of HIP's",
        },
        FindingAbout {
            id: "not-free",
            what: "No process holds the GPU, and more than a twentieth of its memory is not free.",
            next: "believe the counter: memory of a dead process was not given back; reset the GPU or reload the driver",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let sockets = own_sockets(look);
    let rows = calls::rows(&mut collector, Query::MetricMemory, look.memory_use.as_ref());
    let rows: &[VramRow] = rows.map(Vec::as_slice).unwrap_or_default();
    let indexes: Vec<u32> = rows.iter().map(|row| row.gpu).collect();
    let witnesses = Others {
        look,
        rows,
        devices: join::devices(look, &indexes, &sockets, &join::kfd_devices(&sockets)),
        tool: tool(look),
    };
    if sockets.iter().all(|socket| socket.nodes.is_empty()) {
        collector.gap(GapKind::NotReported, "the machine", "KFD shows no device to compare others with");
    }
    for socket in &sockets {
        whole(&mut collector, socket, look);
        for node in &socket.nodes {
            device(&mut collector, socket, node, &witnesses);
        }
    }
    free(&mut collector, &sockets, look);
    collector.finish()
}

/// Everybody but KFD.
struct Others<'a> {
    look: &'a Snapshot,
    rows: &'a [VramRow],
    devices: Vec<Option<Bdf>>,
    tool: Option<ToolVersion>,
}

/// The devices of one GPU together.
fn whole(collector: &mut Collector, socket: &Socket<'_>, look: &Snapshot) {
    let Some((sum, pages)) = sum(collector, socket) else { return };
    let (parts, virtual_function) = socket.parts();
    let observed = format!("{sum} (KFD, {} devices)", socket.nodes.len());
    if parts.iter().any(|part| part.apu) && !virtual_function {
        ttm(collector, socket, look, sum, pages, observed);
        return;
    }
    let total = socket.sysfs.map_or(Reading::NotReported, |gpu| gpu.vram_total.clone());
    let Some(total) = need(collector, &socket.name(), "mem_info_vram_total", &total) else { return };
    let expected = format!("{total} (sysfs)");
    if sum.abs_diff(*total) <= pages {
        collector.met(socket.name(), expected, observed);
    } else {
        collector.unmet("sum-differs", socket.name(), expected, observed);
    }
}

/// An APU's memory is what the kernel lets GPUs take, shared by NUMA nodes and then by devices (facts/partitions.md 3.4).
fn ttm(collector: &mut Collector, socket: &Socket<'_>, look: &Snapshot, sum: Bytes, pages: Bytes, observed: String) {
    let Some(driver) = &look.driver else {
        collector.gap(GapKind::NotReported, socket.name(), "nobody asked for the kernel's TTM limit");
        return;
    };
    let Some(limit) = need(collector, &socket.name(), "pages_limit", &driver.pages_limit) else { return };
    let Some(nodes) = need(collector, &socket.name(), "NUMA nodes online", &driver.numa_nodes) else { return };
    let share = Bytes(limit.saturating_mul(Bytes::PAGE.0) / u64::from(*nodes).max(1));
    let expected = format!("{share} (TTM limit of {limit} pages for {nodes} NUMA nodes)");
    if sum.abs_diff(share) <= pages {
        collector.met(socket.name(), expected, observed);
    } else {
        collector.unmet("ttm-differs", socket.name(), expected, observed);
    }
}

/// What the nodes of a GPU have together, and by how many pages rounding may make it differ from the whole. A GPU with a
/// node missing has no sum.
fn sum(collector: &mut Collector, socket: &Socket<'_>) -> Option<(Bytes, Bytes)> {
    let count = socket.nodes.len();
    let (parts, virtual_function) = socket.parts();
    let made =
        parts.first().filter(|_| !virtual_function).and_then(|part| Some(socket.compute().value()?.devices(part.xccs)));
    if count == 0 || made.is_some_and(|made| usize::try_from(made) != Ok(count)) {
        let reason = format!("{count} nodes are not all of its devices: their memory has no sum");
        collector.gap(GapKind::NotReported, socket.name(), reason);
        return None;
    }
    let mut sum = 0_u64;
    for node in &socket.nodes {
        sum = sum.saturating_add(need(collector, &format!("node {}", node.node), "mem_banks", &node.memory)?.0);
    }
    Some((Bytes(sum), Bytes(Bytes::PAGE.0.saturating_mul(count as u64))))
}

/// One device, by everybody.
fn device(collector: &mut Collector, socket: &Socket<'_>, node: &KfdNode, others: &Others<'_>) {
    let Some(bdf) = node.bdf.value() else { return };
    let subject = format!("{} partition {}", socket.name(), bdf.function);
    let row = others.rows.iter().zip(&others.devices).find(|(_, device)| **device == Some(*bdf)).map(|(row, _)| row);
    let amd_smi = row.map_or(Reading::NotReported, |row| row.total.clone());
    let hip = hip(others.look, node);
    let mut voices = Voices::default();
    voices.hear("KFD", &node.memory);
    voices.hear("amd-smi", &amd_smi);
    match &hip {
        Some(total) => voices.hear("HIP", total),
        None => voices.miss("HIP", "not asked"),
    }
    if voices.too_few(collector, &subject) {
        return;
    }
    let Some(own) = need(collector, &subject, "mem_banks", &node.memory).copied() else { return };
    let mut agreed = true;
    if let Some(total) = amd_smi.value() {
        let truth = truth(socket, bdf.function, own);
        let observed = format!("{total} (amd-smi)");
        let expected = format!("{own} (KFD, believed)");
        match truth.judge(*total, others.tool) {
            Shown::Right => {}
            Shown::WholeGpuOnPartition0 => {
                agreed = false;
                collector.doubtful("whole-gpu-on-partition-0", &subject, expected, observed);
            }
            Shown::WholeGpuOnEveryPartition => {
                agreed = false;
                collector.doubtful("whole-gpu-on-every-partition", &subject, expected, observed);
            }
            Shown::Wrong => {
                agreed = false;
                collector.unmet("amd-smi-differs", &subject, expected, observed);
            }
        }
    }
    if let Some(total) = hip.as_ref().and_then(Reading::value).filter(|total| total.abs_diff(own) > Bytes::PAGE) {
        agreed = false;
        collector.unmet("hip-differs", &subject, format!("{own} (KFD, believed)"), format!("{total} (HIP)"));
    }
    if agreed {
        collector.met(subject, format!("{own} (KFD)"), voices.text());
    }
}

/// A device as KFD shows it. amd-smi's "whole GPU" is the driver's counter; where that cannot be read, the sum.
fn truth(socket: &Socket<'_>, function: u8, own: Bytes) -> Truth {
    let sum =
        socket.nodes.iter().filter_map(|node| node.memory.value()).fold(0_u64, |sum, each| sum.saturating_add(each.0));
    let whole = socket.sysfs.and_then(|gpu| gpu.vram_total.value().copied()).unwrap_or(Bytes(sum));
    Truth { partition: usize::from(function), own, whole, devices: socket.nodes.len() }
}

/// HIP's total of a node. `None`: not asked.
fn hip(look: &Snapshot, node: &KfdNode) -> Option<Reading<Bytes>> {
    let devices = look.hip.as_ref()?;
    let index = logical_devices(look).iter().find(|device| device.node.node == node.node)?.hip_index;
    Some(devices.as_ref().and_then(|devices| {
        let found = devices.iter().find(|device| device.index == index);
        found.map_or(Reading::NotReported, |device| device.total.clone())
    }))
}

/// Free memory, where nobody holds any: sysfs of each GPU that has no display to feed, HIP of each device.
fn free(collector: &mut Collector, sockets: &[Socket<'_>], look: &Snapshot) {
    let of_gpus = sockets.iter().filter(|socket| !socket.unpartitionable()).filter_map(|socket| {
        let gpu = socket.sysfs?;
        let (total, used) = (gpu.vram_total.value()?, gpu.vram_used.value()?);
        Some((socket.name(), *total, Bytes(total.0.saturating_sub(used.0)), "sysfs"))
    });
    let of_devices = look.hip.iter().filter_map(Reading::value).flatten().filter_map(|device| {
        Some((format!("HIP device {}", device.index), *device.total.value()?, *device.free.value()?, "HIP"))
    });
    let all: Vec<_> = of_gpus.chain(of_devices).collect();
    if all.is_empty() {
        return;
    }
    let subject = "free memory";
    let Some(processes) = &look.processes else {
        collector.gap(GapKind::NotReported, subject, "nobody asked who holds the GPUs: it is judged at idle only");
        return;
    };
    let Some(processes) = need(collector, subject, "processes that hold /dev/kfd", processes) else { return };
    if !processes.is_empty() {
        let reason = format!("{} processes hold the GPUs: it is judged at idle only", processes.len());
        collector.gap(GapKind::NotApplicable, subject, reason);
        return;
    }
    for (subject, total, free, who) in all {
        // At least 95 % (facts/partitions.md 3.6).
        let least = Bytes(total.0 / 100 * 95);
        let (expected, observed) =
            (format!("at least {least} of {total} free at idle"), format!("{free} free ({who})"));
        if free >= least {
            collector.met(subject, expected, observed);
        } else {
            collector.unmet("not-free", subject, expected, observed);
        }
    }
}
