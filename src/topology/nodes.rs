//! The modes of a GPU by its KFD nodes alone: a published topology has nothing else, and a container may show nothing
//! else.

use crate::domain::{Bytes, ComputeMode, MemoryMode, Reading};
use crate::facts::{self, Part};

use super::Socket;

impl Socket<'_> {
    /// Compute mode in force: by sysfs, and by the nodes where sysfs does not show this GPU at all.
    pub fn compute_in_force(&self) -> Reading<ComputeMode> {
        if self.sysfs.is_some() { self.compute() } else { self.compute_by_nodes() }
    }

    /// Memory mode in force, likewise.
    pub fn memory_in_force(&self) -> Reading<MemoryMode> {
        if self.sysfs.is_some() { self.memory() } else { self.memory_by_nodes() }
    }

    /// The mode whose devices have as many XCCs as each node of this GPU. Not by the number of nodes: one may be
    /// missing. `NotReported` for a virtual function and for a part that is not known.
    pub fn compute_by_nodes(&self) -> Reading<ComputeMode> {
        let Some(part) = self.own_part() else { return Reading::NotReported };
        if !part.partitionable {
            return Reading::Value(ComputeMode::Spx);
        }
        let Some(first) = self.nodes.first() else { return Reading::NotReported };
        first.num_xcc.as_ref().and_then(|&xccs| {
            if self.nodes.iter().any(|node| node.num_xcc.value() != Some(&xccs)) {
                return Reading::malformed(xccs.to_string(), "the nodes of one GPU differ in num_xcc");
            }
            let mode = part.compute_modes().iter().copied().find(|&mode| facts::xccs_per_device(part, mode) == xccs);
            let problem = format!("no mode of {} makes devices of so many XCCs", part.id);
            mode.map_or_else(|| Reading::malformed(xccs.to_string(), problem), Reading::Value)
        })
    }

    /// The mode whose formula gives every node's memory, to a page: the 16 MiB that the last memory partition lacks tell
    /// NPS1 from the others (facts/partitions.md 3.1). `NotReported` where none does.
    pub fn memory_by_nodes(&self) -> Reading<MemoryMode> {
        let Some(part) = self.own_part() else { return Reading::NotReported };
        if !part.partitionable {
            return Reading::Value(MemoryMode::Nps1);
        }
        if let [only] = part.memory_modes.as_slice() {
            return Reading::Value(*only);
        }
        self.compute_by_nodes().and_then(|compute| {
            let mut fitting = part.memory_modes.iter().filter(|&&memory| self.fits(part, compute, memory));
            match (fitting.next(), fitting.next()) {
                (Some(only), None) => Reading::Value(*only),
                (None, _) | (Some(_), Some(_)) => Reading::NotReported,
            }
        })
    }

    fn fits(&self, part: &Part, compute: ComputeMode, memory: MemoryMode) -> bool {
        let Some(formula) = facts::memory_per_device(part, compute, memory) else { return false };
        self.nodes.iter().all(|node| {
            let partition = node.bdf.value().map(|bdf| usize::from(bdf.function));
            let expected = partition.and_then(|partition| formula.get(partition));
            let both = node.memory.value().zip(expected);
            both.is_some_and(|(seen, expected)| seen.abs_diff(*expected) <= Bytes::PAGE)
        })
    }

    /// The part, of a GPU that is no virtual function: a guest's modes are the host's business.
    fn own_part(&self) -> Option<&'static Part> {
        let (parts, virtual_function) = self.parts();
        parts.first().copied().filter(|_| !virtual_function)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sockets;
    use super::*;
    use crate::domain::{Bdf, ComputeMode::*, MemoryMode::*};
    use crate::witness::{KfdNode, Snapshot};

    /// A GPU with these nodes: partition, XCCs, bytes.
    fn look(device_id: u16, nodes: &[(u8, u32, u64)]) -> Snapshot {
        let node = |&(partition, xccs, bytes): &(u8, u32, u64)| KfdNode {
            bdf: Reading::Value(Bdf { domain: 1, bus: 5, device: 0, function: partition }),
            device_id: Reading::Value(device_id),
            num_xcc: Reading::Value(xccs),
            memory: Reading::Value(Bytes(bytes)),
            ..KfdNode::unread(2 + u32::from(partition), 1 + u32::from(partition))
        };
        Snapshot { kfd: Some(nodes.iter().map(node).collect()), ..Snapshot::default() }
    }

    #[test]
    fn modes_follow_from_the_nodes_where_sysfs_shows_nothing() {
        const HALF: u64 = 103_070_826_496;
        const QUARTER: u64 = 51_539_607_552;
        const EIGHTH: u64 = 25_767_706_624;
        let cases: [(u16, &[(u8, u32, u64)], Option<ComputeMode>, Option<MemoryMode>); 12] = [
            // As captured: facts/partitions.md 3.3.
            (0x74a2, &[(0, 1, QUARTER), (1, 1, QUARTER), (3, 1, 51_522_830_336)], Some(Cpx), Some(Nps4)),
            (0x74a1, &[(0, 1, EIGHTH), (7, 1, EIGHTH)], Some(Cpx), Some(Nps1)),
            (0x74a1, &[(0, 8, 206_141_652_992)], Some(Spx), Some(Nps1)),
            (0x74a1, &[(0, 4, HALF), (1, 4, HALF)], Some(Dpx), Some(Nps1)),
            // One of the whole GPU's size in every partition: no mode gives that.
            (0x74a1, &[(0, 1, 206_141_652_992)], Some(Cpx), None),
            (0x74a1, &[(0, 3, EIGHTH)], None, None),
            (0x74a1, &[(0, 1, EIGHTH), (1, 2, EIGHTH)], None, None),
            (0x74a1, &[], None, None),
            // Follows the TTM limit, and firmware offers one memory mode.
            (0x74a0, &[(0, 2, 33_580_773_376)], Some(Tpx), Some(Nps1)),
            (0x73ff, &[(0, 1, 8_573_157_376)], Some(Spx), Some(Nps1)),
            // A virtual function, and a part that nobody knows.
            (0x74b5, &[(0, 1, EIGHTH)], None, None),
            (0x7777, &[(0, 1, EIGHTH)], None, None),
        ];
        for (id, nodes, compute, memory) in cases {
            let look = look(id, nodes);
            let all = sockets(&look);
            let found = all.first().map(|socket| (socket.compute_in_force(), socket.memory_in_force()));
            let (by_compute, by_memory) = found.unwrap_or((Reading::NotReported, Reading::NotReported));
            assert_eq!(
                (by_compute.value(), by_memory.value()),
                (compute.as_ref(), memory.as_ref()),
                "{id:x} {nodes:?}"
            );
        }
    }
}
