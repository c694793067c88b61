//! `memory.per-device`: each logical device has the memory that the formula gives it.

use crate::domain::{Bdf, Bytes, CheckId, ComputeMode, Confidence, MemoryMode, ToolVersion};
use crate::facts::{self, Part};
use crate::witness::amd_smi::{Query, VramRow};
use crate::witness::{Observations, Snapshot};

use super::about::{About, FindingAbout, Needs};
use super::amd_smi_memory::{Shown, Truth, tool};
use super::calls;
use super::evaluation::need;
use super::evaluation::{Collector, Evaluation, GapKind};
use super::join;
use crate::topology::{Socket, sockets};

pub(super) const ABOUT: About = About {
    id: CheckId::MemoryPerDevice,
    what: "KFD's memory of each device equals the formula, to a page within one GPU and to 16 MiB or 0.1 % of the nominal size; amd-smi agrees with it.",
    why: "48, 24 and 192 GB are all told of CPX on MI300X. Jobs are sized by this number, and amd-smi shows the whole GPU on partition 0.",
    source: "facts/partitions.md 3.1 to 3.6 (amdgpu_gmc_init_sw_mem_ranges, amdgpu_amdkfd_xcp_memory_size; captures in 3.3)",
    confidence: Confidence::Certain,
    needs: Needs {
        queries: &[Query::Version, Query::List, Query::MetricMemory],
        sysfs: true,
        kfd: true,
        ..Needs::NOTHING
    },
    findings: &[
        FindingAbout {
            id: "kfd-differs",
            what: "KFD's memory of a device is not what the formula gives for this part and these modes.",
            next: "check firmware and driver reservations; if every device is off by the same amount, record the machine",
        },
        FindingAbout {
            id: "split-differs",
            what: "The devices of one GPU do not share its memory as the kernel's rule says.",
            next: "compare mem_banks of all nodes of this GPU; a wrong divisor is a driver bug",
        },
        FindingAbout {
            id: "amd-smi-differs",
            what: "amd-smi shows another total than the formula (and KFD) for a device, in no known way.",
            next: "believe KFD mem_banks; record the machine and report it to amdsmi",
        },
        FindingAbout {
            id: "whole-gpu-on-partition-0",
            what: "amd-smi shows the whole GPU's memory on partition 0 (amdsmi#97, #132; 6.4.1 to 7.x): amd-smi's fault.",
            next: "believe KFD mem_banks or hipMemGetInfo; never size a job by amd-smi's partition 0",
        },
        FindingAbout {
            id: "whole-gpu-on-every-partition",
            what: "amd-smi shows the whole GPU's memory on every partition (ROCm/ROCm#4750; up to 6.4.0): amd-smi's fault.",
            next: "believe KFD mem_banks or hipMemGetInfo, or take amd-smi from ROCm 6.4.1 or later",
        },
        FindingAbout {
            id: "not-reported-by-amd-smi",
            what: "KFD shows a device's memory and amd-smi shows N/A.",
            next: "believe KFD mem_banks",
        },
    ],
};

/// One device with what it must have.
struct Expected {
    subject: String,
    bdf: Bdf,
    truth: Truth,
    kfd: bool,
}

pub(super) fn evaluate(mib: Option<&[u64]>, seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let sockets = sockets(look);
    let mut devices = Vec::new();
    let mut complete = true;
    for socket in &sockets {
        match socket_devices(&mut collector, socket, mib) {
            Some(expected) => devices.extend(expected),
            None => complete = false,
        }
    }
    if sockets.is_empty() {
        collector.gap(GapKind::NotReported, "the machine", "neither sysfs nor KFD shows a GPU");
    }
    if complete && !devices.is_empty() {
        amd_smi(&mut collector, look, &sockets, &devices);
    }
    collector.finish()
}

/// Judges the nodes of one GPU and says what amd-smi must show for its devices.
fn socket_devices(collector: &mut Collector, socket: &Socket<'_>, mib: Option<&[u64]>) -> Option<Vec<Expected>> {
    let compute = *need(collector, &socket.name(), "current_compute_partition", &socket.compute_in_force())?;
    let memory = *need(collector, &socket.name(), "current_memory_partition", &socket.memory_in_force())?;
    let mut banks = Vec::new();
    for node in &socket.nodes {
        let partition =
            usize::from(need(collector, &format!("node {}", node.node), "location_id", &node.bdf)?.function);
        let bytes = *need(collector, &format!("node {}", node.node), "mem_banks", &node.memory)?;
        banks.push((partition, bytes));
    }
    let formula = expectation(collector, socket, compute, memory, mib, &banks)?;
    for &(partition, bytes) in &banks {
        let subject = format!("{} partition {partition}", socket.name());
        match formula.get(partition) {
            Some(expected) => judge_bank(collector, &subject, *expected, bytes, mib.is_some()),
            None => collector.gap(GapKind::Unknown, subject, "the formula has no such device"),
        }
    }
    if banks.len() == formula.len() {
        judge_split(collector, socket, memory, &banks);
    }
    let whole = Bytes(formula.iter().map(|bytes| bytes.0).sum());
    let expected = formula.iter().zip(0_u8..).map(|(&own, number)| {
        let partition = usize::from(number);
        Expected {
            subject: format!("{} partition {partition}", socket.name()),
            bdf: Bdf { function: number, ..socket.bdf },
            truth: Truth { partition, own, whole, devices: formula.len() },
            kfd: banks.iter().any(|(present, _)| *present == partition),
        }
    });
    Some(expected.filter(|device| banks.is_empty() || device.kfd).collect())
}

/// What each device of this GPU must have: the scenario's list, the formula, or (where the facts give no total:
/// APUs and virtual functions) an equal share of the GPU's own sum.
fn expectation(
    collector: &mut Collector,
    socket: &Socket<'_>,
    compute: ComputeMode,
    memory: MemoryMode,
    mib: Option<&[u64]>,
    banks: &[(usize, Bytes)],
) -> Option<Vec<Bytes>> {
    if let Some(mib) = mib {
        return mib.iter().map(|&mib| Bytes::from_mib(mib)).collect();
    }
    let (parts, virtual_function) = socket.parts();
    let own_total = virtual_function || parts.iter().all(|part| part.driver_vram.is_none());
    if parts.is_empty() {
        collector.gap(GapKind::Unknown, socket.name(), "no facts about this part: no size to compare with");
        return None;
    }
    if own_total {
        let total = Bytes(banks.iter().map(|(_, bytes)| bytes.0).sum());
        if banks.is_empty() {
            collector.gap(GapKind::NotReported, socket.name(), "KFD shows no memory, and the part has no fixed size");
            return None;
        }
        return Some(facts::split_memory(total, banks.len(), memory.partitions()));
    }
    // Two cards may share a device id (RX 5600 XT and 5700 XT): the nearest size is the card's.
    let sizes = parts.iter().filter_map(|part: &&Part| facts::memory_per_device(part, compute, memory));
    let first = banks.first().map(|(_, bytes)| *bytes);
    let nearest =
        sizes.min_by_key(|sizes| first.map_or(0, |seen| sizes.first().map_or(u64::MAX, |size| size.abs_diff(seen).0)));
    if nearest.is_none() {
        let pair = format!("{compute}/{memory}");
        collector.gap(GapKind::Unknown, socket.name(), format!("the formula has no value for {pair} on this part"));
    }
    nearest
}

fn judge_bank(collector: &mut Collector, subject: &str, expected: Bytes, seen: Bytes, exact: bool) {
    let tolerance = if exact { Bytes::PAGE } else { facts::nominal_tolerance(expected) };
    let observed = format!("{seen} (KFD)");
    if seen.abs_diff(expected) <= tolerance {
        collector.met(subject, expected.to_string(), observed);
    } else {
        collector.unmet("kfd-differs", subject, format!("{expected} within {tolerance}"), observed);
    }
}

/// Structure: the sum of the GPU's own banks, split by the kernel's rule, gives each bank to a page.
fn judge_split(collector: &mut Collector, socket: &Socket<'_>, memory: MemoryMode, banks: &[(usize, Bytes)]) {
    let total = Bytes(banks.iter().map(|(_, bytes)| bytes.0).sum());
    let rule = facts::split_memory(total, banks.len(), memory.partitions());
    let mut sorted = banks.to_vec();
    sorted.sort_unstable();
    let off = sorted.iter().zip(&rule).find(|((_, seen), expected)| seen.abs_diff(**expected) > Bytes::PAGE);
    match off {
        None => collector.met(socket.name(), format!("{total} split by the kernel's rule"), "to a page (KFD)"),
        Some(((partition, seen), expected)) => {
            let subject = format!("{} partition {partition}", socket.name());
            collector.unmet("split-differs", subject, format!("{expected} of {total}"), format!("{seen} (KFD)"));
        }
    }
}

fn amd_smi(collector: &mut Collector, look: &Snapshot, sockets: &[Socket<'_>], devices: &[Expected]) {
    let Some(rows) = calls::rows(collector, Query::MetricMemory, look.memory_use.as_ref()) else { return };
    let tool = tool(look);
    let indexes: Vec<u32> = rows.iter().map(|row| row.gpu).collect();
    let known: Vec<Bdf> = devices.iter().map(|device| device.bdf).collect();
    for (row, bdf) in rows.iter().zip(join::devices(look, &indexes, sockets, &known)) {
        let Some(device) = devices.iter().find(|device| Some(device.bdf) == bdf) else {
            let subject = format!("GPU {} (amd-smi)", row.gpu);
            collector.gap(GapKind::NotReported, subject, "no device of the formula behind this index");
            continue;
        };
        judge_row(collector, row, device, tool);
    }
}

fn judge_row(collector: &mut Collector, row: &VramRow, device: &Expected, tool: Option<ToolVersion>) {
    let Some(total) = row.total.value() else {
        if device.kfd {
            let reason = row.total.absence().unwrap_or_default();
            collector.doubtful("not-reported-by-amd-smi", &device.subject, device.truth.own.to_string(), reason);
        } else {
            need(collector, &device.subject, "amd-smi", &row.total);
        }
        return;
    };
    let (expected, observed) = (device.truth.own.to_string(), format!("{total} (amd-smi)"));
    match device.truth.judge(*total, tool) {
        Shown::Right => collector.met(&device.subject, expected, observed),
        Shown::WholeGpuOnPartition0 => {
            collector.doubtful("whole-gpu-on-partition-0", &device.subject, expected, observed);
        }
        Shown::WholeGpuOnEveryPartition => {
            collector.doubtful("whole-gpu-on-every-partition", &device.subject, expected, observed);
        }
        Shown::Wrong => collector.unmet("amd-smi-differs", &device.subject, expected, observed),
    }
}
