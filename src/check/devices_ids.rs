//! `devices.ids`: indexes, addresses, partition numbers and UUIDs are complete and distinct.

use std::collections::BTreeMap;

use crate::domain::{Bdf, CheckId, Confidence, Reading};
use crate::witness::Observations;
use crate::witness::amd_smi::{ListRow, Query};

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::need;
use super::evaluation::{Collector, Evaluation};

pub(super) const ABOUT: About = About {
    id: CheckId::DevicesIds,
    what: "amd-smi's indexes run from 0 without a hole; addresses and UUIDs are distinct; partition numbers of each GPU are 0 to n-1.",
    why: "A shared UUID selects nothing in ROCR_VISIBLE_DEVICES; a repeated address makes two devices one in every script.",
    source: "facts/partitions.md section 4; facts/amd-smi.md section 4 rows 16 and 17",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List], kfd: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "index-hole",
            what: "amd-smi's indexes are not 0 to n-1.",
            next: "address devices by BDF and partition, not by amd-smi index",
        },
        FindingAbout {
            id: "address-repeated",
            what: "Two devices show the same address.",
            next: "join amd-smi with KFD by node_id or kfd_id; older tools give every partition the address of its GPU",
        },
        FindingAbout {
            id: "partition-hole",
            what: "The partition numbers of one GPU are not 0 to n-1.",
            next: "see devices.count: a partition was dropped, and it need not be the last one",
        },
        FindingAbout {
            id: "uuid-repeated",
            what: "Devices of different GPUs show the same UUID.",
            next: "do not select devices by UUID on this machine; compare unique_id in sysfs",
        },
        FindingAbout {
            id: "uuid-shared",
            what: "The partitions of one GPU share a UUID (drivers before ROCm 7.0).",
            next: "select devices by index: a UUID that matches more than one device selects none",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    kfd_partitions(&mut collector, seen);
    let Some(rows) = calls::rows(&mut collector, Query::List, look.list.as_ref()) else { return collector.finish() };
    indexes(&mut collector, rows);
    addresses(&mut collector, rows);
    partitions(&mut collector, rows);
    uuids(&mut collector, rows);
    collector.finish()
}

fn kfd_partitions(collector: &mut Collector, seen: &Observations) {
    let mut by_gpu: BTreeMap<Bdf, Vec<u32>> = BTreeMap::new();
    for bdf in seen.after.kfd.iter().flatten().filter_map(|node| node.bdf.value()) {
        by_gpu.entry(bdf.socket()).or_default().push(u32::from(bdf.function));
    }
    for (gpu, numbers) in by_gpu {
        complete(collector, "partition-hole", &format!("GPU {gpu}"), "partition numbers (KFD)", numbers);
    }
}

fn indexes(collector: &mut Collector, rows: &[ListRow]) {
    complete(collector, "index-hole", "amd-smi list", "indexes", rows.iter().map(|row| row.gpu).collect());
}

fn addresses(collector: &mut Collector, rows: &[ListRow]) {
    let mut by_address: BTreeMap<Bdf, Vec<u32>> = BTreeMap::new();
    for row in rows {
        if let Some(bdf) = need(collector, &format!("GPU {}", row.gpu), "BDF", &row.bdf) {
            by_address.entry(*bdf).or_default().push(row.gpu);
        }
    }
    let repeated: Vec<_> = by_address.iter().filter(|(_, gpus)| gpus.len() > 1).collect();
    for (bdf, gpus) in &repeated {
        let observed = format!("{bdf} for GPUs {gpus:?}");
        collector.unmet("address-repeated", "amd-smi list", "one address for each device", observed);
    }
    if repeated.is_empty() && !by_address.is_empty() {
        collector.met("amd-smi list", "distinct addresses", format!("{} distinct", by_address.len()));
    }
}

fn partitions(collector: &mut Collector, rows: &[ListRow]) {
    let mut by_gpu: BTreeMap<Bdf, Vec<u32>> = BTreeMap::new();
    for row in rows {
        // Tools before 6.3 have no such column: there is nothing to judge then.
        if let (Reading::Value(bdf), Reading::Value(partition)) = (&row.bdf, &row.partition_id) {
            by_gpu.entry(bdf.socket()).or_default().push(*partition);
        }
    }
    for (gpu, numbers) in by_gpu {
        complete(collector, "partition-hole", &format!("GPU {gpu}"), "partition numbers (amd-smi)", numbers);
    }
}

fn uuids(collector: &mut Collector, rows: &[ListRow]) {
    let mut by_uuid: BTreeMap<&str, Vec<&ListRow>> = BTreeMap::new();
    for row in rows {
        if let Reading::Value(uuid) = &row.uuid {
            by_uuid.entry(uuid).or_default().push(row);
        }
    }
    let mut clean = true;
    for (uuid, rows) in by_uuid.iter().filter(|(_, rows)| rows.len() > 1) {
        clean = false;
        let gpus: Vec<u32> = rows.iter().map(|row| row.gpu).collect();
        let sockets: Vec<_> = rows.iter().map(|row| row.bdf.value().map(|bdf| bdf.socket())).collect();
        let same_gpu = sockets.iter().all(|socket| socket.is_some() && *socket == sockets[0]);
        let observed = format!("{uuid} for GPUs {gpus:?}");
        if same_gpu {
            collector.doubtful("uuid-shared", "amd-smi list", "one UUID for each device", observed);
        } else {
            collector.unmet("uuid-repeated", "amd-smi list", "one UUID for each device", observed);
        }
    }
    if clean && !by_uuid.is_empty() {
        collector.met("amd-smi list", "distinct UUIDs", format!("{} distinct", by_uuid.len()));
    }
}

/// The numbers are 0 to n-1, each once.
fn complete(collector: &mut Collector, finding: &'static str, subject: &str, what: &str, mut numbers: Vec<u32>) {
    numbers.sort_unstable();
    let whole = numbers.iter().zip(0_u32..).all(|(number, at)| *number == at);
    let expected = format!("{what} 0 to {}", numbers.len().saturating_sub(1));
    if whole {
        collector.met(subject, expected, "complete");
    } else {
        collector.unmet(finding, subject, expected, format!("{numbers:?}"));
    }
}
