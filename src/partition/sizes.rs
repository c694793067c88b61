//! How many logical devices a GPU has in a mode, and how much memory each of them.

use serde::Serialize;

use crate::domain::{Bytes, MemoryMode};
use crate::facts::{self, Part};
use crate::topology::Socket;

use super::steps::Modes;

/// The logical devices of one GPU in one pair of modes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// How many.
    pub devices: u32,
    /// What each reports, and may allocate under CAPPING, by partition; empty where it cannot be computed.
    pub capping: Vec<Bytes>,
    /// What each may allocate under ALL: its memory partition, shared with the others on it.
    pub all: Vec<Bytes>,
    /// What the sizes are computed from.
    pub basis: &'static str,
}

impl Sizes {
    /// Of a part in these modes: from the part's nominal size, else from what KFD shows of this GPU now.
    /// Source: facts/partitions.md 3.1, 3.4 and 3.5.
    pub fn of(part: &Part, socket: &Socket<'_>, modes: Modes) -> Self {
        let devices = modes.compute.devices(part.xccs);
        let (total, basis) = match part.driver_vram {
            Some(vram) => (Some(vram), "the part's nominal size"),
            None => (shown(socket), "what KFD shows now"),
        };
        // A part whose memory is the kernel's to give has one pool, whatever its mode is called.
        let partitions = if part.apu { MemoryMode::Nps1.partitions() } else { modes.memory.partitions() };
        let split = |devices: u32| {
            let count = usize::try_from(devices).unwrap_or_default();
            total.map(|total| facts::split_memory(total, count, partitions)).unwrap_or_default()
        };
        let (capping, pools) = (split(devices), split(partitions));
        let shared = usize::try_from(devices / partitions.max(1)).unwrap_or(1).max(1);
        let all = (0..capping.len()).filter_map(|device| pools.get(device / shared).copied()).collect();
        Self { devices, capping, all, basis }
    }
}

/// What all nodes of a GPU have together.
fn shown(socket: &Socket<'_>) -> Option<Bytes> {
    let sizes: Option<Vec<u64>> = socket.nodes.iter().map(|node| Some(node.memory.value()?.0)).collect();
    sizes.filter(|sizes| !sizes.is_empty())?.into_iter().try_fold(0_u64, u64::checked_add).map(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ComputeMode::{self, Cpx, Qpx, Spx, Tpx};
    use crate::domain::MemoryMode::{Nps1, Nps2, Nps4};
    use crate::partition::samples::node;

    fn mib(sizes: &[Bytes]) -> Vec<u64> {
        sizes.iter().map(|size| size.mib()).collect()
    }

    #[test]
    fn all_lifts_the_division_of_a_memory_partition() {
        let bare = Socket { bdf: "0000:05:00.0".parse().unwrap(), sysfs: None, nodes: Vec::new() };
        let of = |name: &str, compute: ComputeMode, memory| {
            let sizes = Sizes::of(facts::part(name).unwrap(), &bare, Modes { compute, memory });
            (sizes.devices, mib(&sizes.capping), mib(&sizes.all))
        };
        for (name, compute, memory, devices, capping, all) in [
            ("mi300x", Spx, Nps1, 1, vec![196_592], vec![196_592]),
            ("mi300x", Cpx, Nps1, 8, vec![24_574; 8], vec![196_592; 8]),
            (
                "mi300x",
                Cpx,
                Nps4,
                8,
                vec![24_576, 24_576, 24_576, 24_576, 24_576, 24_576, 24_568, 24_568],
                vec![49_152, 49_152, 49_152, 49_152, 49_152, 49_152, 49_136, 49_136],
            ),
            ("mi300x", Qpx, Nps4, 4, vec![49_152, 49_152, 49_152, 49_136], vec![49_152, 49_152, 49_152, 49_136]),
            (
                "mi355x",
                Cpx,
                Nps2,
                8,
                [vec![36_864; 4], vec![36_860; 4]].concat(),
                [vec![147_456; 4], vec![147_440; 4]].concat(),
            ),
            ("mi300a", Tpx, Nps1, 3, vec![], vec![]),
        ] {
            assert_eq!(of(name, compute, memory), (devices, capping, all), "{name} {compute}/{memory}");
        }
    }

    #[test]
    fn an_apu_is_sized_by_what_it_shows() {
        let kfd = [node("0000:01:00.0", 0)];
        let socket = Socket { bdf: "0000:01:00.0".parse().unwrap(), sysfs: None, nodes: kfd.iter().collect() };
        let sizes = Sizes::of(facts::part("mi300a").unwrap(), &socket, Modes { compute: Tpx, memory: Nps1 });
        assert_eq!((mib(&sizes.capping), mib(&sizes.all)), (vec![8 << 10; 3], vec![24 << 10; 3]));
        assert_eq!(sizes.basis, "what KFD shows now");
    }
}
