//! Witness KFD: the topology that the compute driver shows, one node for each logical device.

use std::path::Path;
use std::str::FromStr;

use crate::domain::{Bdf, Bytes, Reading};

use super::KfdNode;
use super::files::{parsed, text};
use super::tree::Tree;

const NODES: &str = "class/kfd/kfd/topology/nodes";

/// Heaps that are a device's own memory (`kfd_topology.h`: frame buffer public 1, private 2).
const FRAME_BUFFER: [&str; 2] = ["1", "2"];

/// Every GPU node below a sysfs root (`/sys`, or `HOST/sys`), by node number; `None` where there is no topology.
///
/// Nodes whose `gpu_id` is 0 are CPUs; those whose `gpu_id` cannot be read (the kernel hides devices that a container
/// may not use) are left out.
pub fn read_kfd(root: &Path) -> Option<Vec<KfdNode>> {
    let (nodes, numbers) = nodes(root)?;
    let whole = |found: Found| KfdNode { memory: memory(&found.folder), ..found.node };
    Some(numbers.into_iter().filter_map(|number| node(&nodes, gpu_id(&nodes, number)?, number)).map(whole).collect())
}

/// The same nodes without their memory, which is half of what there is to read.
pub fn read_addresses(root: &Path) -> Option<Vec<KfdNode>> {
    let (nodes, numbers) = nodes(root)?;
    let found = numbers.into_iter().filter_map(|number| node(&nodes, gpu_id(&nodes, number)?, number));
    Some(found.map(|found| found.node).collect())
}

/// A node whose memory was not read yet, and its folder.
struct Found {
    node: KfdNode,
    folder: Tree,
}

/// Numbers of the nodes whose `gpu_id` cannot be read: GPUs, for a CPU's says 0.
pub fn read_hidden_nodes(root: &Path) -> Vec<u32> {
    let Some((nodes, numbers)) = nodes(root) else { return Vec::new() };
    numbers.into_iter().filter(|&number| gpu_id(&nodes, number).is_none()).collect()
}

/// The folder of the nodes, and their numbers in order.
fn nodes(root: &Path) -> Option<(Tree, Vec<u32>)> {
    let nodes = Tree::open(root).ok()?.below(NODES).ok()?;
    let mut numbers: Vec<u32> = nodes.names("").ok()?.iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    Some((nodes, numbers))
}

fn gpu_id(nodes: &Tree, number: u32) -> Option<u32> {
    text(nodes, &format!("{number}/gpu_id")).and_then(|text| parsed(&text)).value().copied()
}

/// The PCI address in a node's `domain` and `location_id`: bus in bits 15:8, device in 7:3, and the partition in 31:28
/// or, where those are 0, in 2:0 (facts/partitions.md sections 4 and 9).
pub fn location(domain: u32, location_id: u32) -> Reading<Bdf> {
    let high = location_id >> 28;
    let partition = if high == 0 { location_id & 7 } else { high };
    // Cannot fail: each is masked to its width.
    let byte = |value: u32| u8::try_from(value & 0xff).unwrap_or_default();
    if partition > 7 {
        return Reading::malformed(location_id.to_string(), format!("partition {partition} has no function digit"));
    }
    Reading::Value(Bdf {
        domain,
        bus: byte(location_id >> 8),
        device: byte((location_id >> 3) & 0x1f),
        function: byte(partition),
    })
}

/// The node of a GPU; `None` for a CPU's.
fn node(nodes: &Tree, gpu_id: u32, number: u32) -> Option<Found> {
    let folder = nodes.below(&number.to_string()).ok().filter(|_| gpu_id != 0)?;
    let properties = text(&folder, "properties");
    let domain = property::<u32>(&properties, "domain");
    let bdf = property::<u32>(&properties, "location_id")
        .and_then(|location_id| domain.and_then(|domain| location(domain, location_id)));
    let node = KfdNode {
        node: number,
        gpu_id,
        bdf,
        device_id: property(&properties, "device_id"),
        gfx_target_version: property(&properties, "gfx_target_version"),
        num_xcc: property(&properties, "num_xcc"),
        simd_count: property(&properties, "simd_count"),
        unique_id: property(&properties, "unique_id"),
        hive_id: property(&properties, "hive_id"),
        render_minor: property(&properties, "drm_render_minor"),
        memory: Reading::NotReported,
    };
    Some(Found { node, folder })
}

/// The value of one line `key value`.
fn property<T: FromStr<Err: std::fmt::Display>>(properties: &Reading<String>, key: &str) -> Reading<T> {
    properties.as_ref().and_then(|text| {
        let found = text.lines().find_map(|line| line.split_once(' ').filter(|(name, _)| *name == key));
        found.map_or(Reading::NotReported, |(_, value)| parsed(value.trim()))
    })
}

/// Sum of the banks that are the device's own; `NotReported` when it has none.
fn memory(node: &Tree) -> Reading<Bytes> {
    let Ok(banks) = node.names("mem_banks") else { return Reading::NotReported };
    let mut sum: Option<u64> = None;
    for bank in banks {
        let properties = text(node, &format!("mem_banks/{bank}/properties"));
        let is_own = match property::<String>(&properties, "heap_type") {
            Reading::Value(heap) => FRAME_BUFFER.contains(&heap.as_str()),
            Reading::NotReported | Reading::NotApplicable => false,
            Reading::Malformed { raw, problem } => return Reading::Malformed { raw, problem },
        };
        if is_own {
            match property::<u64>(&properties, "size_in_bytes") {
                Reading::Value(size) => match sum.unwrap_or(0).checked_add(size) {
                    Some(total) => sum = Some(total),
                    None => return Reading::malformed(size.to_string(), "larger than any memory"),
                },
                absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
                    return absent.map(Bytes);
                }
            }
        }
    }
    sum.map_or(Reading::NotReported, |sum| Reading::Value(Bytes(sum)))
}
