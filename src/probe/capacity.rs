//! What the machine says of the device that a worker uses: the first that it sees.

use std::ffi::{OsStr, OsString};

use super::memory::Capacity;
use crate::topology::{Filters, logical_devices, sockets, visible};
use crate::witness::Snapshot;

/// What this look says of the first device that a worker with these variables sees. Of a machine whose KFD was not read,
/// or that shows the worker no device, nothing is known.
pub fn capacity(look: &Snapshot, env: &[(OsString, OsString)]) -> Capacity {
    // The last of several is the one that a process has.
    let of = |name: &str| env.iter().rev().find(|(set, _)| set == OsStr::new(name)).map(|(_, list)| list.to_str());
    let (rocr, hip, cuda) = (of("ROCR_VISIBLE_DEVICES"), of("HIP_VISIBLE_DEVICES"), of("CUDA_VISIBLE_DEVICES"));
    if [rocr, hip, cuda].contains(&Some(None)) {
        return Capacity::default();
    }
    let filters = Filters { rocr: rocr.flatten(), hip: hip.flatten(), cuda: cuda.flatten() };
    let devices = logical_devices(look);
    let Some(first) = visible(&devices, filters).devices.into_iter().next() else { return Capacity::default() };
    let sockets = sockets(look);
    let own = sockets.iter().find(|socket| socket.nodes.iter().any(|node| node.node == first.node.node));
    let mode = own.and_then(|socket| socket.sysfs).and_then(|gpu| gpu.alloc_mode.value().copied());
    Capacity { memory: first.node.memory.value().copied(), mode }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AllocMode, Bdf, Bytes, Reading};
    use crate::witness::{KfdNode, SysfsGpu};

    /// A GPU with two partitions of 24 and 23 GiB.
    fn look(mode: Reading<AllocMode>) -> Snapshot {
        let bdf = |function| Bdf { domain: 0, bus: 5, device: 0, function };
        let node = |node: u32, function, gib: u64| KfdNode {
            bdf: Reading::Value(bdf(function)),
            memory: Reading::Value(Bytes(gib << 30)),
            ..KfdNode::unread(node, node * 10)
        };
        Snapshot {
            sysfs: Some(vec![SysfsGpu { alloc_mode: mode, ..SysfsGpu::unread(bdf(0)) }]),
            kfd: Some(vec![node(2, 0, 24), node(3, 1, 23)]),
            ..Snapshot::default()
        }
    }

    #[test]
    fn it_is_that_of_the_first_device_that_the_worker_sees() {
        let gib = |gib: u64| Some(Bytes(gib << 30));
        for (env, memory) in [
            (&[][..], gib(24)),
            (&[("ROCR_VISIBLE_DEVICES", "1")], gib(23)),
            (&[("ROCR_VISIBLE_DEVICES", "1,0"), ("HIP_VISIBLE_DEVICES", "1")], gib(24)),
            (&[("ROCR_VISIBLE_DEVICES", "0"), ("ROCR_VISIBLE_DEVICES", "1")], gib(23)),
            (&[("CUDA_VISIBLE_DEVICES", "1"), ("MIOPEN_FIND_MODE", "1")], gib(23)),
            (&[("HIP_VISIBLE_DEVICES", "7")], None),
        ] {
            let env: Vec<_> = env.iter().map(|(name, list)| (name.into(), list.into())).collect();
            assert_eq!(capacity(&look(Reading::NotReported), &env).memory, memory, "{env:?}");
        }
        assert_eq!(capacity(&Snapshot::default(), &[]), Capacity::default());
    }

    #[test]
    fn whether_it_is_capped_is_its_gpu_s_to_say() {
        for (reading, mode) in [
            (Reading::Value(AllocMode::All), Some(AllocMode::All)),
            (Reading::Value(AllocMode::Capping), Some(AllocMode::Capping)),
            (Reading::NotReported, None),
        ] {
            assert_eq!(capacity(&look(reading), &[]).mode, mode);
        }
    }
}
