//! The logical devices of a machine, as far as a model that runs there is concerned.

use std::collections::BTreeMap;

use crate::domain::{AllocMode, Bdf, Bytes, ComputeMode, MemoryMode, Reading};
use crate::topology::{Socket, logical_devices, sockets};
use crate::witness::{HipDevice, KfdNode, KfdProcess, Snapshot};

/// One logical device.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its address: the function digit is the partition.
    pub bdf: Bdf,
    /// KFD node.
    pub node: u32,
    /// KFD `gpu_id`.
    pub gpu_id: u32,
    /// HIP index, which is also its index in `ROCR_VISIBLE_DEVICES`.
    pub hip_index: u32,
    /// DRM render minor.
    pub render_minor: Option<u32>,
    /// `unique_id`, where no other device of the machine has the same.
    pub own_id: Option<u64>,
    /// Compute mode of its GPU.
    pub compute: Option<ComputeMode>,
    /// Memory mode of its GPU.
    pub memory: Option<MemoryMode>,
    /// Whether its GPU is one that can be partitioned.
    pub partitionable: bool,
    /// XCCs that it has.
    pub xccs: Option<u32>,
    /// Total memory, as KFD shows it.
    pub total: Bytes,
    /// Memory in use now.
    pub used: Used,
}

/// Memory of a device in use, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// HIP's free memory, taken from its total.
    Hip(Bytes),
    /// KFD's processes on the device, and what the GPU uses beside them, which every partition bears
    /// (facts/partitions.md 3.5: the whole GPU's pinned memory counts against each).
    Kernel(Bytes),
    /// Nobody says.
    Unknown,
}

/// The devices of a machine, and those that it shows without saying what they have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Devices {
    /// By KFD node.
    pub usable: Vec<Device>,
    /// What cannot be used, with the reason.
    pub unusable: Vec<String>,
}

impl Device {
    /// The partition's number in its GPU.
    pub const fn partition(&self) -> u8 {
        self.bdf.function
    }

    /// Whether tools take its memory for the whole GPU's, and vLLM may with them: it is partition 0 of several.
    /// Source: facts/partitions.md 3.5 and section 8 [L].
    pub fn taken_for_whole(&self) -> bool {
        self.partition() == 0 && self.compute.is_some_and(|mode| mode != ComputeMode::Spx)
    }

    /// `CPX/NPS4`, or that it is not known.
    pub fn modes(&self) -> String {
        modes(self.compute, self.memory)
    }
}

/// `CPX/NPS4`, with `?` for a mode that is not known.
pub fn modes(compute: Option<ComputeMode>, memory: Option<MemoryMode>) -> String {
    let name = |name: Option<&'static str>| name.unwrap_or("?").to_owned();
    format!("{}/{}", name(compute.map(ComputeMode::name)), name(memory.map(MemoryMode::name)))
}

impl Used {
    /// The number, where there is one.
    pub const fn bytes(self) -> Option<Bytes> {
        match self {
            Self::Hip(bytes) | Self::Kernel(bytes) => Some(bytes),
            Self::Unknown => None,
        }
    }
}

/// The logical devices in a look, by KFD node.
pub fn devices(look: &Snapshot) -> Devices {
    let order = logical_devices(look);
    let index_of = |node: u32| order.iter().find(|device| device.node.node == node).map(|device| device.hip_index);
    let ids: Vec<Option<u64>> = look.kfd.iter().flatten().map(|node| node.unique_id.value().copied()).collect();
    let own = |id: u64| (id != 0 && ids.iter().filter(|other| **other == Some(id)).count() == 1).then_some(id);
    let mut found = Devices::default();
    for socket in &sockets(look) {
        let used = used(socket, look);
        for node in &socket.nodes {
            let (Some(bdf), Some(total), Some(hip_index)) =
                (node.bdf.value(), node.memory.value(), index_of(node.node))
            else {
                found.unusable.push(unusable(node));
                continue;
            };
            found.usable.push(Device {
                bdf: *bdf,
                node: node.node,
                gpu_id: node.gpu_id,
                hip_index,
                render_minor: node.render_minor.value().copied(),
                own_id: node.unique_id.value().copied().and_then(own),
                compute: socket.compute_in_force().value().copied(),
                memory: socket.memory_in_force().value().copied(),
                partitionable: !socket.unpartitionable(),
                xccs: node.num_xcc.value().copied(),
                total: *total,
                used: hip_used(look, hip_index, *total)
                    .or_else(|| used.get(&node.gpu_id).copied().map(Used::Kernel))
                    .unwrap_or(Used::Unknown),
            });
        }
    }
    let lost = look.kfd.iter().flatten().filter(|node| node.bdf.value().is_none());
    found.unusable.extend(lost.map(unusable));
    found.usable.sort_by_key(|device| device.node);
    found
}

/// Whether any GPU lets its devices allocate more than they report.
pub fn alloc_mode(look: &Snapshot) -> Option<AllocMode> {
    let modes = look.sysfs.iter().flatten().filter_map(|gpu| gpu.alloc_mode.value().copied());
    modes.max()
}

fn unusable(node: &KfdNode) -> String {
    let why = |what: &str, absence: Option<String>| absence.map(|absence| format!("its {what} is {absence}"));
    let reasons =
        why("address", node.bdf.absence()).into_iter().chain(why("memory", node.memory.absence())).collect::<Vec<_>>();
    format!("KFD node {}: {}", node.node, reasons.join(", "))
}

fn hip_used(look: &Snapshot, index: u32, total: Bytes) -> Option<Used> {
    let devices = look.hip.as_ref().and_then(Reading::value)?;
    let device: &HipDevice = devices.iter().find(|device| device.index == index)?;
    // Another total: HIP counts other devices than KFD, and its free memory is not of this one.
    let same = device.total.value() == Some(&total);
    let free = device.free.value().filter(|free| same && **free <= total)?;
    Some(Used::Hip(Bytes(total.0 - free.0)))
}

/// Memory in use on each device of a GPU, by `gpu_id`; empty where it cannot be told.
fn used(socket: &Socket<'_>, look: &Snapshot) -> BTreeMap<u32, Bytes> {
    let whole = socket.sysfs.and_then(|gpu| gpu.vram_used.value().copied());
    let processes = look.processes.as_ref().and_then(Reading::value);
    let own: Option<BTreeMap<u32, u64>> =
        socket.nodes.iter().map(|node| Some((node.gpu_id, by_processes(processes?, node.gpu_id)?))).collect();
    match (socket.nodes.as_slice(), whole, own) {
        ([only], Some(whole), _) => BTreeMap::from([(only.gpu_id, whole)]),
        (_, Some(whole), Some(own)) => {
            let beside = whole.0.saturating_sub(own.values().fold(0, |sum, each| sum.saturating_add(*each)));
            own.into_iter().map(|(gpu_id, own)| (gpu_id, Bytes(own.saturating_add(beside)))).collect()
        }
        (_, None, Some(own)) => own.into_iter().map(|(gpu_id, own)| (gpu_id, Bytes(own))).collect(),
        (_, _, None) => BTreeMap::new(),
    }
}

/// What KFD's processes hold of one device; `None` where one does not say.
fn by_processes(processes: &[KfdProcess], gpu_id: u32) -> Option<u64> {
    let held = processes.iter().filter_map(|process| process.vram.get(&gpu_id));
    held.map(|held| held.value().map(|bytes| bytes.0)).try_fold(0_u64, |sum, held| Some(sum.saturating_add(held?)))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{cpx_nps4, look};
    use super::*;

    fn process(held: &[(u32, u64)]) -> KfdProcess {
        KfdProcess {
            pid: 7,
            name: Reading::NotReported,
            unit: Reading::NotReported,
            vram: held.iter().map(|&(gpu_id, bytes)| (gpu_id, Reading::Value(Bytes(bytes)))).collect(),
        }
    }

    #[test]
    fn every_partition_of_every_gpu_is_a_device_with_its_own_memory_and_index() {
        let devices = devices(&cpx_nps4(2)).usable;
        assert_eq!(devices.len(), 16);
        for (at, device) in devices.iter().enumerate() {
            let at = u32::try_from(at).unwrap();
            assert_eq!((device.hip_index, u32::from(device.partition())), (at, at % 8));
            assert_eq!(device.render_minor, Some(128 + at));
            assert_eq!(device.total.mib(), if at % 8 < 6 { 24_576 } else { 24_568 });
            assert_eq!((device.modes().as_str(), device.xccs), ("CPX/NPS4", Some(1)));
            assert_eq!(device.own_id, None, "partitions that share an id have none of their own");
        }
    }

    #[test]
    fn modes_follow_from_the_nodes_where_sysfs_shows_nothing() {
        let look = Snapshot { sysfs: Some(Vec::new()), ..cpx_nps4(1) };
        assert!(devices(&look).usable.iter().all(|device| device.modes() == "CPX/NPS4"));
    }

    #[test]
    fn an_id_is_its_own_when_no_other_device_has_it() {
        let mut look = cpx_nps4(1);
        for (at, node) in look.kfd.iter_mut().flatten().enumerate() {
            node.unique_id = Reading::Value([0, 5, 5, 6, 7, 8, 9, 10][at]);
        }
        let ids: Vec<_> = devices(&look).usable.iter().map(|device| device.own_id).collect();
        assert_eq!(ids, [None, None, None, Some(6), Some(7), Some(8), Some(9), Some(10)]);
    }

    #[test]
    fn a_device_that_does_not_say_what_it_has_is_told_of_and_not_used() {
        let mut look = cpx_nps4(1);
        let nodes = look.kfd.as_mut().unwrap();
        nodes[2].memory = Reading::NotReported;
        nodes[5].bdf = Reading::malformed("x", "no address");
        let (second, fifth) = (nodes[2].node, nodes[5].node);
        let found = devices(&look);
        assert_eq!(found.usable.len(), 6);
        assert_eq!(
            found.unusable,
            [
                format!("KFD node {second}: its memory is not reported"),
                format!("KFD node {fifth}: its address is malformed (no address): \"x\""),
            ]
        );
        assert_eq!(found.usable[2].hip_index, 3, "the others keep their index");
    }

    #[test]
    fn memory_in_use_is_hips_else_the_kernels_else_unknown() {
        const MIB: u64 = 1 << 20;
        let mut look = look("mi300x", 1, ComputeMode::Cpx, MemoryMode::Nps4);
        let gpu_id = |look: &Snapshot, at: usize| look.kfd.as_ref().unwrap()[at].gpu_id;
        let used = |look: &Snapshot| devices(look).usable.iter().map(|device| device.used).collect::<Vec<_>>();
        look.hip = None;
        look.processes = None;
        assert_eq!(used(&look), [Used::Unknown; 8], "a whole GPU's use is no device's");

        let (first, third) = (gpu_id(&look, 0), gpu_id(&look, 2));
        look.processes =
            Some(Reading::Value(vec![process(&[(first, 10 * MIB), (third, 20 * MIB)]), process(&[(first, MIB)])]));
        look.sysfs.as_mut().unwrap()[0].vram_used = Reading::Value(Bytes(131 * MIB));
        let kernel = |mib: u64| Used::Kernel(Bytes(mib * MIB));
        let (busy, idle) = ([kernel(111), kernel(100), kernel(120)], [kernel(100); 5]);
        assert_eq!(used(&look), [busy.as_slice(), &idle].concat());

        let total = look.kfd.as_ref().unwrap()[1].memory.value().copied().unwrap();
        let hip = |index, total: u64, free: u64| HipDevice {
            index,
            bdf: Reading::NotReported,
            total: Reading::Value(Bytes(total)),
            free: Reading::Value(Bytes(free)),
        };
        look.hip = Some(Reading::Value(vec![hip(1, total.0, total.0 - MIB), hip(2, 5, 5), hip(0, total.0, u64::MAX)]));
        let found = used(&look);
        assert_eq!(found[..3], [kernel(111), Used::Hip(Bytes(MIB)), kernel(120)], "another total, or more than all");

        look.processes = Some(Reading::Value(vec![KfdProcess {
            vram: BTreeMap::from([(third, Reading::NotReported)]),
            ..process(&[])
        }]));
        assert_eq!(used(&look)[2], Used::Unknown);
    }

    #[test]
    fn a_whole_gpu_in_use_is_its_only_devices_use() {
        let mut look = look("mi300x", 1, ComputeMode::Spx, MemoryMode::Nps1);
        look.processes = None;
        look.sysfs.as_mut().unwrap()[0].vram_used = Reading::Value(Bytes(77));
        assert_eq!(devices(&look).usable[0].used, Used::Kernel(Bytes(77)));
    }
}
