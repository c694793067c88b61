//! What two looks at machines show differently, where a simulated machine can show it at all.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::domain::Reading;
use crate::topology::{Socket, sockets};
use crate::witness::{Access, KfdNode, ModuleState, Snapshot, SysfsGpu};

/// One line for each thing that `made`, a simulated machine, shows otherwise than `seen`; lines that say the same of several
/// GPUs or devices are one. GPUs are compared by their place in PCI order, since their addresses differ.
pub fn differences(seen: &Snapshot, made: &Snapshot) -> Vec<String> {
    let mut found = Found::default();
    let (left, right) = (sockets(seen), sockets(made));
    found.compare("GPUs", &left.len(), &right.len());
    let sysfs = seen.sysfs.as_ref().is_some_and(|gpus| !gpus.is_empty());
    for (left, right) in left.iter().zip(&right) {
        gpu(left, right, &mut found);
        if sysfs {
            found.compare("sysfs of a GPU", &left.sysfs.is_some(), &right.sysfs.is_some());
        }
    }
    found.compare("KFD topology", &seen.kfd.is_some(), &made.kfd.is_some());
    let count = |look: &Snapshot| look.kfd.as_ref().map_or(0, Vec::len);
    found.compare("KFD devices", &count(seen), &count(made));
    found.compare("order of KFD's nodes", &order(seen), &order(made));
    if let (Some(left), Some(right)) = (&seen.render, &made.render) {
        found.compare("render nodes", &left.len(), &right.len());
    }
    // A folder with the KFD topology alone shows no driver, though there must have been one.
    let driver = seen.driver.as_ref().filter(|driver| left.is_empty() || driver.module != ModuleState::NotLoaded);
    if let (Some(left), Some(right)) = (driver, &made.driver) {
        found.compare("state of the driver", &left.module, &right.module);
        found.compare("pages_limit", &left.pages_limit, &right.pages_limit);
    }
    if let (Some(left), Some(right)) = (usable(seen), usable(made)) {
        found.compare("usable device files", &left, &right);
    }
    found.lines()
}

#[derive(Default)]
struct Found(BTreeMap<(String, String), usize>);

impl Found {
    fn compare<T: PartialEq + Debug>(&mut self, what: &str, seen: &T, made: &T) {
        if seen != made {
            let values = format!("{seen:?}, simulated {made:?}");
            *self.0.entry((what.to_owned(), values)).or_default() += 1;
        }
    }

    fn reading<T: PartialEq + Debug>(&mut self, what: &str, seen: &Reading<T>, made: &Reading<T>) {
        if seen != made {
            let told = |reading: &Reading<T>| match reading {
                Reading::Value(value) => format!("{value:?}"),
                absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
                    absent.absence().unwrap_or_default()
                }
            };
            let values = format!("{}, simulated {}", told(seen), told(made));
            *self.0.entry((what.to_owned(), values)).or_default() += 1;
        }
    }

    fn lines(self) -> Vec<String> {
        let line = |((what, values), times): ((String, String), usize)| match times {
            1 => format!("{what}: {values}"),
            times => format!("{what}: {values} ({times} times)"),
        };
        self.0.into_iter().map(line).collect()
    }
}

fn gpu(seen: &Socket<'_>, made: &Socket<'_>, found: &mut Found) {
    found.compare("virtual function", &seen.parts().1, &made.parts().1);
    found.compare("devices of a GPU", &seen.nodes.len(), &made.nodes.len());
    if let (Some(left), Some(right)) = (seen.sysfs, made.sysfs) {
        found.reading("current_compute_partition", &left.compute, &right.compute);
        found.reading("available_compute_partition", &left.available_compute, &right.available_compute);
        found.reading("current_memory_partition", &left.memory, &right.memory);
        found.reading("available_memory_partition", &left.available_memory, &right.available_memory);
        found.reading("compute_partition_mem_alloc_mode", &left.alloc_mode, &right.alloc_mode);
        found.reading("supported_xcp_configs", &left.profiles, &right.profiles);
        found.reading("mem_info_vram_total", &left.vram_total, &right.vram_total);
        let hive = |gpu: &SysfsGpu| gpu.hive_id.value().is_some_and(|id| *id != 0);
        found.compare("in a hive", &hive(left), &hive(right));
        found.compare("KFD and sysfs name one hive", &agrees(seen, left), &agrees(made, right));
    }
    for (left, right) in seen.nodes.iter().zip(&made.nodes) {
        node(left, right, found);
    }
}

fn agrees(socket: &Socket<'_>, gpu: &SysfsGpu) -> bool {
    let hive = gpu.hive_id.value().copied().unwrap_or(0);
    socket.nodes.iter().all(|node| node.hive_id.value().copied().unwrap_or(0) == hive)
}

fn node(seen: &KfdNode, made: &KfdNode, found: &mut Found) {
    let partition = |node: &KfdNode| node.bdf.value().map(|bdf| bdf.function);
    found.compare("partition number", &partition(seen), &partition(made));
    found.reading("num_xcc", &seen.num_xcc, &made.num_xcc);
    found.reading("simd_count", &seen.simd_count, &made.simd_count);
    found.reading("memory of a device", &seen.memory, &made.memory);
    found.reading("drm_render_minor", &seen.render_minor, &made.render_minor);
}

/// Sockets in the order of KFD's nodes, by their place in PCI order.
fn order(look: &Snapshot) -> Vec<usize> {
    let all = sockets(look);
    let place = |node: &KfdNode| {
        let bdf = node.bdf.value()?.socket();
        all.iter().position(|socket| socket.bdf == bdf)
    };
    let mut places: Vec<usize> = look.kfd.iter().flatten().filter_map(place).collect();
    places.dedup();
    places
}

fn usable(look: &Snapshot) -> Option<usize> {
    let devices = look.access.as_ref()?;
    Some(devices.iter().filter(|device| device.access == Access::Granted).count())
}
