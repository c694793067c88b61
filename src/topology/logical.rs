//! Logical devices, in the order in which ROCm's runtimes count them.

use crate::witness::{KfdNode, Snapshot};

/// One logical device: a GPU node of the KFD topology.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogicalDevice<'a> {
    /// Index in ROCr and HIP with no filter set.
    pub hip_index: u32,
    /// What KFD shows of it: node, address with the partition, render minor, memory, unique id.
    pub node: &'a KfdNode,
}

/// The logical devices of a look, by HIP index; none where KFD was not read.
///
/// The runtimes count the GPU nodes that they may use, in node order. KFD numbers its GPU nodes without a hole, so that
/// is `node - lowest GPU node` (facts/partitions.md section 4); where a container hides nodes in between, it is not, and
/// amd-smi's `hip_id`, which is that difference, goes wrong.
pub fn logical_devices(look: &Snapshot) -> Vec<LogicalDevice<'_>> {
    let mut nodes: Vec<&KfdNode> = look.kfd.iter().flatten().collect();
    nodes.sort_by_key(|node| node.node);
    (0..).zip(nodes).map(|(hip_index, node)| LogicalDevice { hip_index, node }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bytes, Reading};

    fn node(node: u32) -> KfdNode {
        KfdNode { memory: Reading::Value(Bytes(1)), ..KfdNode::unread(node, node * 10) }
    }

    #[test]
    fn hip_counts_the_nodes_that_it_may_use_from_the_lowest_on() {
        for (nodes, expected) in [
            (vec![2, 3, 4], vec![(0, 2), (1, 3), (2, 4)]),
            (vec![4, 2, 3], vec![(0, 2), (1, 3), (2, 4)]),
            (vec![5, 9], vec![(0, 5), (1, 9)]),
            (vec![], vec![]),
        ] {
            let look = Snapshot { kfd: Some(nodes.into_iter().map(node).collect()), ..Snapshot::default() };
            let found: Vec<_> =
                logical_devices(&look).iter().map(|device| (device.hip_index, device.node.node)).collect();
            assert_eq!(found, expected);
        }
        assert!(logical_devices(&Snapshot::default()).is_empty());
    }
}
