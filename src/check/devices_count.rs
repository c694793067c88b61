//! `devices.count`: as many logical devices as GPUs and modes make.

use crate::domain::{CheckId, Confidence};
use crate::facts::Part;
use crate::witness::Observations;
use crate::witness::amd_smi::Query;

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::need;
use super::evaluation::{Collector, Evaluation, GapKind};
use crate::topology::{Socket, sockets};

pub(super) const ABOUT: About = About {
    id: CheckId::DevicesCount,
    what: "KFD has as many GPU nodes as the modes make (SPX 1, DPX 2, TPX 3, QPX 4, CPX one per XCC), and amd-smi lists as many.",
    why: "63 of 64 devices is a working node with a hole; jobs that count on 64 fail, and every index after the hole is shifted.",
    source: "facts/partitions.md section 4; amdsmi#99, ROCm/ROCm#4750, #4759",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List], sysfs: true, kfd: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "one-short",
            what: "One logical device is missing: typically a BMC video card took a DRM minor and the kernel dropped a partition.",
            next: "unload the BMC video driver (ast) or give it the last minor, then reload amdgpu; kernel log: `Skip xcp node`",
        },
        FindingAbout {
            id: "count-differs",
            what: "KFD has another number of GPU nodes than the mode makes.",
            next: "reload the driver; if it stays so, compare num_xcc and simd_count of the nodes with the mode",
        },
        FindingAbout {
            id: "amd-smi-differs",
            what: "amd-smi lists another number of devices than KFD has.",
            next: "believe KFD; a container, a cgroup or a stale index in amd-smi hides devices",
        },
    ],
};

pub(super) fn evaluate(per_gpu: Option<u32>, seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let sockets = sockets(look);
    let kfd = look.kfd.as_ref().map(|nodes| nodes.len());
    // Every GPU is judged, also after one that could not be.
    let shown = Shown { kfd: kfd.is_some(), hidden: look.kfd_hidden.len() };
    let by_socket: Vec<Option<usize>> =
        sockets.iter().map(|socket| judge_socket(&mut collector, socket, per_gpu, &shown)).collect();
    let by_modes = by_socket.into_iter().sum::<Option<usize>>().filter(|_| !sockets.is_empty());
    let expected = by_modes.or(kfd.filter(|_| shown.hidden == 0));

    let Some(rows) = calls::rows(&mut collector, Query::List, look.list.as_ref()) else { return collector.finish() };
    let observed = format!("{} (amd-smi list)", rows.len());
    match expected {
        None => {
            collector.gap(GapKind::NotReported, "amd-smi list", "neither sysfs nor KFD says how many devices to expect")
        }
        Some(expected) if expected == rows.len() => collector.met("the machine", devices(expected), observed),
        Some(expected) if expected == rows.len() + 1 && kfd.is_none_or(|nodes| nodes == rows.len()) => {
            collector.unmet("one-short", "the machine", devices(expected), observed);
        }
        Some(expected) if kfd == Some(rows.len()) => {
            collector.unmet("count-differs", "the machine", devices(expected), observed);
        }
        Some(expected) => collector.unmet("amd-smi-differs", "the machine", devices(expected), observed),
    }
    collector.finish()
}

/// What KFD shows.
struct Shown {
    /// Whether there is a topology.
    kfd: bool,
    /// Nodes that cannot be read.
    hidden: usize,
}

/// Judges one GPU's nodes; returns how many devices it should have.
fn judge_socket(collector: &mut Collector, socket: &Socket<'_>, per_gpu: Option<u32>, shown: &Shown) -> Option<usize> {
    let (parts, virtual_function) = socket.parts();
    if virtual_function && per_gpu.is_none() {
        // A guest sees its own slice: what KFD has is what there is (facts/partitions.md section 6).
        return shown.kfd.then_some(socket.nodes.len());
    }
    let (expected, why) = match per_gpu {
        Some(count) => (count, "as the scenario says".to_owned()),
        None => by_mode(collector, socket, parts.first().copied())?,
    };
    let expected = usize::try_from(expected).ok()?;
    if shown.kfd {
        let found = socket.nodes.len();
        let expected_text = format!("{} {why}", devices(expected));
        if found < expected && shown.hidden > 0 {
            let nodes = if shown.hidden == 1 { "1 KFD node".to_owned() } else { format!("{} KFD nodes", shown.hidden) };
            let reason = format!("{found} of {expected_text}, and {nodes} cannot be read: a container hides them");
            collector.gap(GapKind::NotReported, socket.name(), reason);
            return None;
        }
        if found == expected {
            collector.met(socket.name(), expected_text, format!("{found} (KFD)"));
        } else if found + 1 == expected {
            let observed = format!("{found} (KFD){}", holes(socket, expected));
            collector.unmet("one-short", socket.name(), expected_text, observed);
        } else {
            collector.unmet("count-differs", socket.name(), expected_text, format!("{found} (KFD)"));
        }
    }
    Some(expected)
}

/// Devices that the mode in force makes of this part.
fn by_mode(collector: &mut Collector, socket: &Socket<'_>, part: Option<&Part>) -> Option<(u32, String)> {
    let Some(part) = part else {
        let id = socket.device_id().map_or_else(|| "unreadable".to_owned(), |id| format!("{id:04x}"));
        collector.gap(GapKind::Unknown, socket.name(), format!("no facts about a part with PCI device id {id}"));
        return None;
    };
    let mode = *need(collector, &socket.name(), "current_compute_partition", &socket.compute_in_force())?;
    Some((mode.devices(part.xccs), format!("in {mode}")))
}

fn holes(socket: &Socket<'_>, expected: usize) -> String {
    let present: Vec<usize> =
        socket.nodes.iter().filter_map(|node| node.bdf.value().map(|bdf| usize::from(bdf.function))).collect();
    let missing: Vec<String> =
        (0..expected).filter(|partition| !present.contains(partition)).map(|partition| partition.to_string()).collect();
    if missing.is_empty() { String::new() } else { format!("; partition {} is missing", missing.join(", ")) }
}

fn devices(count: usize) -> String {
    if count == 1 { "1 device".to_owned() } else { format!("{count} devices") }
}
