//! `witness.order`: amd-smi's indexes, HIP's and the PCI addresses name devices in one order.

use std::collections::BTreeSet;

use crate::domain::{Bdf, CheckId, Confidence, Reading};
use crate::topology::{LogicalDevice, logical_devices, sockets};
use crate::witness::amd_smi::Query;
use crate::witness::{Observations, Snapshot};

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::{Collector, Evaluation, GapKind, need};
use super::join;
use super::voices::few;

pub(super) const ABOUT: About = About {
    id: CheckId::WitnessOrder,
    what: "The order of amd-smi's indexes, of HIP's (KFD's GPU nodes counted from the lowest) and of the PCI addresses.",
    why: "GPU 0 of amd-smi and device 0 of HIP can be two devices: whoever watches the one and runs on the other sees nothing.",
    source: "facts/partitions.md section 4 (HIP index); facts/amd-smi.md section 4 row 19 (MI325X, MI355X captures)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List], kfd: true, hip: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "amd-smi-order",
            what: "amd-smi counts the devices in another order than HIP: its index is the order in which it found them.",
            next: "believe HIP's order for ROCR_VISIBLE_DEVICES; join amd-smi by address, or by hip_id of `amd-smi list -e` (facts/amd-smi.md section 4 row 19)",
        },
        FindingAbout {
            id: "pci-order",
            what: "KFD, and with it HIP, counts the GPUs in another order than their PCI addresses.",
            next: "believe KFD's node numbers for HIP; an index taken from sorted addresses (lspci) names another GPU",
        },
        FindingAbout {
            id: "hip-order",
            what: "HIP's device is not the GPU that KFD's node order says.",
            next: "believe HIP's own address: another library, or a filter in its configuration, changed the order",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let devices = logical_devices(look);
    let Some(order) = addresses(&mut collector, &devices) else { return collector.finish() };
    pci(&mut collector, &order);
    amd_smi(&mut collector, look, &order);
    hip(&mut collector, look, &devices);
    collector.finish()
}

/// Addresses in the order in which HIP counts.
fn addresses(collector: &mut Collector, devices: &[LogicalDevice<'_>]) -> Option<Vec<Bdf>> {
    if devices.is_empty() {
        collector.gap(GapKind::NotReported, "the machine", "KFD shows no device: there is no order to compare with");
        return None;
    }
    let each = |device: &LogicalDevice<'_>| {
        need(collector, &format!("node {}", device.node.node), "location_id", &device.node.bdf).copied()
    };
    devices.iter().map(each).collect()
}

fn pci(collector: &mut Collector, order: &[Bdf]) {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if sorted == order {
        collector.met("KFD", "the order of the PCI addresses", "the same order");
    } else {
        let gpus = |order: &[Bdf]| {
            let mut seen = BTreeSet::new();
            let first = order.iter().map(|bdf| bdf.socket()).filter(|gpu| seen.insert(*gpu));
            first.map(|gpu| gpu.to_string()).collect::<Vec<_>>().join(", ")
        };
        collector.doubtful("pci-order", "KFD", gpus(&sorted), format!("{} (KFD)", gpus(order)));
    }
}

fn amd_smi(collector: &mut Collector, look: &Snapshot, order: &[Bdf]) {
    let Some(rows) = calls::rows(collector, Query::List, look.list.as_ref()) else { return };
    let mut indexes: Vec<u32> = rows.iter().map(|row| row.gpu).collect();
    indexes.sort_unstable();
    let Some(devices) = join::by_identity(look, &indexes, &sockets(look)) else {
        let reason = "neither its addresses nor its KFD ids tell which device an index is";
        collector.gap(GapKind::NotReported, "amd-smi list", reason);
        return;
    };
    // A device that amd-smi does not list shifts nothing here: what it lists is compared in order.
    let listed: BTreeSet<Bdf> = devices.iter().copied().collect();
    let expected: Vec<Bdf> = order.iter().copied().filter(|bdf| listed.contains(bdf)).collect();
    let off: Vec<String> = indexes
        .iter()
        .zip(&devices)
        .zip(&expected)
        .filter(|((_, found), expected)| found != expected)
        .filter_map(|((index, found), _)| {
            Some(format!("GPU {index} is HIP {}", order.iter().position(|bdf| bdf == found)?))
        })
        .collect();
    if off.is_empty() {
        collector.met("amd-smi list", "HIP's order", format!("the same order for {} devices", devices.len()));
    } else {
        collector.doubtful("amd-smi-order", "amd-smi list", "HIP's order (KFD)", few(&off));
    }
}

fn hip(collector: &mut Collector, look: &Snapshot, logical: &[LogicalDevice<'_>]) {
    // No HIP runtime: the order that KFD gives it was compared, and nobody contradicts it.
    let Some(Reading::Value(devices)) = &look.hip else { return };
    for device in devices {
        let subject = format!("HIP device {}", device.index);
        let Some(node) = logical.iter().find(|own| own.hip_index == device.index) else {
            collector.gap(GapKind::NotReported, subject, "KFD has no node for it");
            continue;
        };
        let Some(own) = need(collector, &subject, "its PCI address", &device.bdf) else { continue };
        let Some(expected) = node.node.bdf.value().map(|bdf| bdf.socket()) else { continue };
        // HIP drops the partition from the address.
        if own.socket() == expected {
            collector.met(subject, format!("{expected} (KFD)"), format!("{own} (HIP)"));
        } else {
            collector.unmet("hip-order", subject, format!("{expected} (KFD)"), format!("{own} (HIP, believed)"));
        }
    }
}
