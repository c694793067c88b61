//! `partition.modes`: the modes that amd-smi shows are the expected ones.

use crate::domain::{CheckId, ComputeMode, Confidence, MemoryMode, Reading};
use crate::witness::amd_smi::{Query, StaticPartitionRow};
use crate::witness::{Observations, Snapshot};

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::need;
use super::evaluation::{Collector, Evaluation};
use crate::topology::{Socket, sockets};

pub(super) const ABOUT: About = About {
    id: CheckId::PartitionModes,
    what: "The compute and memory partition that amd-smi shows for each device, against the scenario's, else against sysfs.",
    why: "Everything else (device count, memory per device) follows from the modes; a node in another mode fails jobs far away.",
    source: "sysfs current_compute_partition and current_memory_partition (facts/amd-smi.md section 5; facts/partitions.md section 5)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List, Query::StaticPartition], sysfs: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "mode-differs",
            what: "amd-smi shows another mode than expected.",
            next: "read current_compute_partition and current_memory_partition in sysfs; after `set -M` reload the driver first",
        },
        FindingAbout {
            id: "sysfs-differs",
            what: "sysfs itself shows another mode than the scenario expects.",
            next: "set the mode (`validate partition plan` says what stands in the way), or correct the scenario",
        },
        FindingAbout {
            id: "secondary-not-reported",
            what: "amd-smi shows N/A for the modes of a secondary partition (amdsmi#100, from ROCm 6.4.1 on).",
            next: "read modes from partition 0 only: the kernel keeps the partition files on the primary device",
        },
    ],
};

pub(super) fn evaluate(compute: Option<ComputeMode>, memory: Option<MemoryMode>, seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let sockets = sockets(look);
    for socket in &sockets {
        compare_sysfs(&mut collector, socket, "compute partition", compute, &socket.compute());
        compare_sysfs(&mut collector, socket, "memory partition", memory, &socket.memory());
    }
    let Some(rows) = calls::rows(&mut collector, Query::StaticPartition, look.static_partition.as_ref()) else {
        return collector.finish();
    };
    for row in rows {
        let socket = socket_of(row, look, &sockets);
        let by_design = socket.is_some_and(Socket::unpartitionable);
        let expected = compute.or_else(|| socket.and_then(|socket| socket.compute().value().copied()));
        compare(&mut collector, row, "compute partition", expected, &row.compute, by_design);
        let expected = memory.or_else(|| socket.and_then(|socket| socket.memory().value().copied()));
        compare(&mut collector, row, "memory partition", expected, &row.memory, by_design);
    }
    collector.finish()
}

/// The scenario's expectation against the stronger witness.
fn compare_sysfs<T: PartialEq + ToString>(
    collector: &mut Collector,
    socket: &Socket<'_>,
    what: &str,
    expected: Option<T>,
    reading: &Reading<T>,
) {
    let (Some(expected), Some(value)) = (expected, reading.value()) else { return };
    let subject = format!("{} {what}", socket.name());
    let observed = format!("{} (sysfs)", value.to_string());
    if *value == expected {
        collector.met(subject, expected.to_string(), observed);
    } else {
        collector.unmet("sysfs-differs", subject, expected.to_string(), observed);
    }
}

fn compare<T: PartialEq + ToString>(
    collector: &mut Collector,
    row: &StaticPartitionRow,
    what: &str,
    expected: Option<T>,
    reading: &Reading<T>,
    by_design: bool,
) {
    let subject = format!("GPU {} {what}", row.gpu);
    let secondary = row.partition_id.value().is_some_and(|id| *id > 0);
    match reading {
        Reading::NotApplicable if by_design => {
            collector.met(subject, "N/A: this part has no partitions", "N/A (amd-smi)")
        }
        Reading::NotApplicable if secondary => {
            let expected = expected.map_or_else(|| "a mode".to_owned(), |mode| mode.to_string());
            collector.doubtful("secondary-not-reported", subject, expected, "N/A (amd-smi)");
        }
        Reading::Value(_) | Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. } => {
            let Some(value) = need(collector, &subject, "amd-smi", reading) else { return };
            let observed = format!("{} (amd-smi)", value.to_string());
            match expected {
                Some(expected) if *value == expected => collector.met(subject, expected.to_string(), observed),
                Some(expected) => collector.unmet("mode-differs", subject, expected.to_string(), observed),
                None => collector.gap(
                    super::evaluation::GapKind::NotReported,
                    subject,
                    format!("amd-smi says {}, and there is nothing to compare it with", value.to_string()),
                ),
            }
        }
    }
}

/// The GPU behind a row: by address where `list` gives one, else the only kind there is.
fn socket_of<'a, 'b>(row: &StaticPartitionRow, look: &Snapshot, sockets: &'a [Socket<'b>]) -> Option<&'a Socket<'b>> {
    let listed = look.list.as_ref().and_then(|asked| asked.answer.value.value());
    let by_address = listed
        .and_then(|rows| rows.iter().find(|listed| listed.gpu == row.gpu))
        .and_then(|listed| listed.bdf.value())
        .and_then(|bdf| sockets.iter().find(|socket| socket.bdf == bdf.socket()));
    by_address.or_else(|| {
        let (first, rest) = sockets.split_first()?;
        let same = |other: &Socket<'_>| {
            other.compute() == first.compute()
                && other.memory() == first.memory()
                && other.unpartitionable() == first.unpartitionable()
        };
        rest.iter().all(same).then_some(first)
    })
}
