use std::collections::BTreeMap;

use super::*;
use crate::domain::{ComputeMode, MemoryMode};
use crate::sim::{Kernel, preset};

/// What stands at a path: the target of a link, the content and permission bits of a file, or a folder.
type Listing = BTreeMap<String, String>;

fn kernel(name: &str, compute: ComputeMode, memory: MemoryMode, gpus: u32) -> Kernel {
    let mut machine = preset::named(name).unwrap();
    (machine.compute, machine.memory, machine.gpus) = (compute, memory, gpus);
    Kernel::new(machine).unwrap()
}

fn ours(kernel: &Kernel) -> Listing {
    let mut listing = Listing::new();
    for entry in tree(&kernel.view(), kernel.machine()) {
        let Some(path) = entry.path().strip_prefix("sys/").map(str::to_owned) else { continue };
        for (at, _) in path.match_indices('/') {
            listing.entry(path[..at].to_owned()).or_insert_with(|| "dir".to_owned());
        }
        let text = match entry {
            Entry::Dir { .. } => "dir".to_owned(),
            Entry::File { content, mode, .. } => format!("{mode:o} {content:?}"),
            Entry::Link { target, .. } => target,
        };
        let twice = listing.insert(path.clone(), text);
        assert!(twice.as_deref().is_none_or(|old| old == "dir"), "{path} is written twice");
    }
    listing
}

#[test]
fn a_file_that_fails_is_a_link_to_its_errno_and_an_absent_one_is_absent() {
    let mut machine = preset::named("mi300x").unwrap();
    machine.faults = vec!["read_current_compute_partition=EIO".parse().unwrap()];
    let listing = ours(&Kernel::new(machine).unwrap());
    let file = |name: &str| listing.get(&format!("devices/pci0000:00/0000:00:01.1/0000:05:00.0/{name}")).cloned();
    assert_eq!(file("current_compute_partition").as_deref(), Some("errno-EIO"));
    assert!(file("current_memory_partition").is_some_and(|text| text.starts_with("644 ")));
    assert_eq!(file("compute_partition_mem_alloc_mode"), None);
}

#[test]
fn minors_nodes_and_memory_follow_the_facts_on_a_real_part() {
    let kernel = kernel("mi308x", ComputeMode::Cpx, MemoryMode::Nps4, 8);
    let view = kernel.view();
    // The order of the real 8x MI308X host of ROCm/k8s-device-plugin testdata/topology-parsing-mi308.
    let renders: Vec<u32> = view.devices.iter().map(|device| device.render).collect();
    assert_eq!(&renders[..6], [128, 129, 130, 131, 136, 137]);
    let nodes: Vec<u32> = view.devices.iter().map(|device| device.node.as_ref().unwrap().id).collect();
    assert_eq!((nodes.len(), nodes[0], nodes[31]), (32, 2, 33));
    let memory: Vec<u64> = view.devices[..4].iter().map(|device| device.node.as_ref().unwrap().memory.0).collect();
    assert_eq!(memory, [51_539_607_552, 51_539_607_552, 51_539_607_552, 51_522_830_336]);
}
