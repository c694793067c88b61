//! What the probes of a case took of a GPU's memory, as `run.json` keeps it of each try.

use serde::{Deserialize, Serialize};

use crate::domain::Bytes;
use crate::witness::gpu_use::GpuUse;
use crate::witness::{ProbeCame, ProbeDone, ProbeEnd, ProbeProcess};

/// The memory of one probe of a case. A probe that a case runs in several steps is there once for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProbeTook {
    /// Its name: operation, format and sizes.
    pub probe: String,
    /// Of each process that came to its end without raising, in order; at least one.
    pub processes: Vec<MemoryTaken>,
}

/// The memory of one process; at least one of the numbers is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MemoryTaken {
    /// Most that KFD or DRM counted for it and its children at once, on all GPUs, in bytes. It was looked at whenever it
    /// spoke and four times a second: a peak between two looks is not in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<Bytes>,
    /// What the runtime said was free on the GPU before it used memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub free: Option<Bytes>,
    /// Most that the GPU gave it at once, in bytes, of a probe that uses memory.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub granted: Option<Bytes>,
}

/// Of every probe that ran to its end on a GPU.
pub(super) fn taken(probes: &[ProbeDone]) -> Vec<ProbeTook> {
    probes.iter().filter_map(of_probe).collect()
}

fn of_probe(done: &ProbeDone) -> Option<ProbeTook> {
    let ProbeCame::Ran(processes) = &done.came else { return None };
    let processes: Vec<_> = processes.iter().filter_map(of_process).collect();
    (!processes.is_empty()).then(|| ProbeTook { probe: done.probe.clone(), processes })
}

/// One that died or raised did not get as far as another: its numbers are of another thing.
fn of_process(process: &ProbeProcess) -> Option<MemoryTaken> {
    if process.end != ProbeEnd::Reported || process.raised.is_some() {
        return None;
    }
    let taken = MemoryTaken {
        device: process.counted.as_ref().map(counted).filter(|bytes| *bytes > Bytes(0)),
        free: process.memory.iter().filter_map(|used| used.report.free).next(),
        granted: process.memory.iter().map(|used| used.report.allocated).max(),
    };
    (taken != MemoryTaken::default()).then_some(taken)
}

/// KFD and DRM count the same memory, and either may not see all of it.
fn counted(most: &GpuUse) -> Bytes {
    let kfd = most.kfd.values().map(|each| each.vram.0).fold(0, u64::saturating_add);
    let drm = most.drm.values().map(|each| each.vram.0).fold(0, u64::saturating_add);
    Bytes(kfd.max(drm))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::domain::{DeviceKind, Ended, MemoryReport, Reading};
    use crate::witness::gpu_use::{DrmUse, KfdUse};
    use crate::witness::{ProbeMemory, ProbeRaised};

    fn process(end: ProbeEnd, raised: Option<ProbeRaised>, kfd: &[u64], drm: u64, granted: &[u64]) -> ProbeProcess {
        let used = |(number, vram): (u32, &u64)| (number, KfdUse { vram: Bytes(*vram), ..KfdUse::default() });
        let counted = GpuUse {
            kfd: (0..).zip(kfd).map(used).collect(),
            drm: [("0000:03:00.0".to_owned(), DrmUse { vram: Bytes(drm), engines: 0 })].into(),
        };
        let memory = granted.iter().map(|granted| ProbeMemory {
            report: MemoryReport {
                allocated: Bytes(*granted),
                free: Some(Bytes(900 - granted)),
                ..MemoryReport::begun(Bytes(1000))
            },
            wrong: Vec::new(),
            text: String::new(),
        });
        ProbeProcess {
            end,
            class: None,
            signature: String::new(),
            collateral: None,
            stop: None,
            before: None,
            kernel_unread: None,
            raised,
            place: None,
            counted: Some(counted),
            numbers: Vec::new(),
            memory: memory.collect(),
            libraries: BTreeMap::new(),
            mapped: Vec::new(),
            environment: Reading::NotReported,
            device: None,
            took: Duration::ZERO,
            device_time: None,
            stderr: Vec::new(),
            kernel: None,
        }
    }

    #[test]
    fn the_memory_of_a_process_is_what_it_took_at_most_and_one_that_did_not_end_well_took_none() {
        let well = || ProbeEnd::Reported;
        let of = |device: u64, free: Option<u64>, granted: Option<u64>| {
            let device = (device > 0).then_some(Bytes(device));
            Some(MemoryTaken { device, free: free.map(Bytes), granted: granted.map(Bytes) })
        };
        for (process, took) in [
            (process(well(), None, &[64], 0, &[]), of(64, None, None)),
            (process(well(), None, &[64, 32], 7, &[]), of(96, None, None)),
            (process(well(), None, &[64], 70, &[300, 500, 400]), of(70, Some(600), Some(500))),
            (process(well(), None, &[u64::MAX, 1], 0, &[]), of(u64::MAX, None, None)),
            (process(well(), None, &[0], 0, &[]), None),
            (process(well(), Some(ProbeRaised::OutOfMemory("no".to_owned())), &[64], 0, &[300]), None),
            (process(ProbeEnd::Died(Ended::Cancelled), None, &[64], 0, &[300]), None),
        ] {
            let done = ProbeDone {
                probe: "memory-ladder/90".to_owned(),
                computes: false,
                spec: String::new(),
                on: DeviceKind::Gpu,
                engine: None,
                env: [].into(),
                again: String::new(),
                came: ProbeCame::Ran(vec![process]),
            };
            let found = taken(&[done]);
            assert_eq!(found.first().map(|probe| probe.processes[0]), took);
        }
    }
}
