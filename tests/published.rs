//! Topologies as people publish them: a folder with `sys` and nothing else. Made up here; a real one is in
//! `tests/research/`.

#![allow(clippy::unwrap_used)]

#[path = "bed/published.rs"]
mod published;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rocvet::check::Judgement::{Met, Unmet};
use rocvet::topology::{logical_devices, sockets};
use tempfile::TempDir;

use published::{Diagnosis, findings, gaps};

/// Bytes of a device of MI300X in CPX/NPS1, as captured (facts/partitions.md 3.3).
const EIGHTH: u64 = 25_767_706_624;

/// One GPU node of MI300X.
#[derive(Clone, Copy)]
struct Node {
    domain: u32,
    bus: u32,
    partition: u32,
    bytes: u64,
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join("sys/class/kfd/kfd/topology/nodes").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Two CPU nodes, then these, numbered without a hole, as the kernel does.
fn tree(nodes: &[Node]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for cpu in 0..2 {
        write(root.path(), &format!("{cpu}/gpu_id"), "0\n");
        write(root.path(), &format!("{cpu}/properties"), "cpu_cores_count 96\nsimd_count 0\n");
    }
    for (number, node) in (2..).zip(nodes) {
        let Node { domain, bus, partition, bytes } = node;
        write(root.path(), &format!("{number}/gpu_id"), &format!("{}\n", 1000 + number));
        let properties = format!(
            "simd_count 152\ndevice_id {}\nlocation_id {}\ndomain {domain}\ndrm_render_minor {}\nnum_xcc 1\n\
             gfx_target_version 90402\n",
            0x74a1,
            bus << 8 | partition,
            126 + number
        );
        write(root.path(), &format!("{number}/properties"), &properties);
        let bank = format!("heap_type 1\nsize_in_bytes {bytes}\n");
        write(root.path(), &format!("{number}/mem_banks/0/properties"), &bank);
    }
    root
}

/// Eight GPUs in CPX/NPS1.
fn eight(domain: u32) -> Vec<Node> {
    let busses = [0x05, 0x27, 0x46, 0x65, 0x85, 0xa7, 0xc6, 0xe5];
    let of_gpu = |bus| (0..8).map(move |partition| Node { domain, bus, partition, bytes: EIGHTH });
    busses.into_iter().flat_map(of_gpu).collect()
}

#[test]
fn counts_and_memory_are_right_whatever_the_pci_domain() {
    for (domain, first) in [(0, "0000:05:00.0"), (1, "0001:05:00.0"), (0x1_0000, "10000:05:00.0")] {
        let root = tree(&eight(domain));
        let diagnosis = Diagnosis::of(root.path());
        let counted = findings(&diagnosis.count, Met);
        assert_eq!((counted.len(), counted[0].clone()), (8, format!("GPU {first}: 8 (KFD)")));
        // Each of 64 against the part, and each GPU's split.
        assert_eq!(findings(&diagnosis.memory, Met).len(), 64 + 8, "{:?}", diagnosis.memory);
        assert!(findings(&diagnosis.count, Unmet).is_empty() && findings(&diagnosis.memory, Unmet).is_empty());
        assert!(gaps(&diagnosis.count).is_empty() && gaps(&diagnosis.memory).is_empty());
        let devices = logical_devices(&diagnosis.look);
        let last = devices.last().unwrap();
        assert_eq!((last.hip_index, last.node.node, last.node.bdf.value().unwrap().domain), (63, 65, domain));
    }
}

#[test]
fn what_amd_smi_would_be_asked_is_not_evaluated_and_says_why() {
    let diagnosis = Diagnosis::of(tree(&eight(0)).path());
    for evaluation in [&diagnosis.count, &diagnosis.memory] {
        let own = evaluation.gaps().iter().filter(|gap| gap.reason.contains("not recorded: amd-smi")).count();
        assert_eq!(own, 1, "{evaluation:?}");
    }
}

#[test]
fn a_device_that_is_missing_is_named_wherever_it_was() {
    for (missing, gpu, partition) in [(63, "0000:e5:00.0", 7), (9, "0000:27:00.0", 1), (0, "0000:05:00.0", 0)] {
        let mut nodes = eight(0);
        nodes.remove(missing);
        let diagnosis = Diagnosis::of(tree(&nodes).path());
        let unmet: Vec<_> = diagnosis.count.with(Unmet).collect();
        assert_eq!(unmet.len(), 1, "{missing}");
        assert_eq!(unmet[0].id(), "one-short");
        let observed = format!("7 (KFD); partition {partition} is missing");
        assert_eq!((unmet[0].subject(), unmet[0].observed()), (format!("GPU {gpu}").as_str(), observed.as_str()));
        assert!(unmet[0].next().unwrap().contains("ast"));
        assert_eq!(findings(&diagnosis.memory, Met).len(), 63 + 7, "{missing}");
        assert!(findings(&diagnosis.memory, Unmet).is_empty());
    }
}

#[test]
fn a_node_that_cannot_be_read_is_hidden_and_not_missing() {
    let nodes = "sys/class/kfd/kfd/topology/nodes";
    type Spoil = fn(&Path);
    let ways: [(&str, Spoil); 4] = [
        ("a dangling link", |file| {
            fs::remove_file(file).unwrap();
            symlink("errno-EPERM", file).unwrap();
        }),
        ("nothing", |file| fs::remove_file(file).unwrap()),
        ("no number", |file| fs::write(file, "-1\n").unwrap()),
        ("a folder", |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }),
    ];
    for (way, spoil) in ways {
        let root = tree(&eight(0));
        spoil(&root.path().join(nodes).join("12/gpu_id"));
        let diagnosis = Diagnosis::of(root.path());
        assert_eq!(diagnosis.look.kfd_hidden, [12], "{way}");
        assert!(findings(&diagnosis.count, Unmet).is_empty(), "{way}");
        let said = gaps(&diagnosis.count);
        assert!(said.len() == 1 && said[0].contains("1 KFD node cannot be read"), "{way}: {said:?}");
        // HIP does not see it, so that the devices behind it move up.
        assert_eq!(logical_devices(&diagnosis.look)[10].node.node, 13, "{way}");
    }
}

#[test]
fn a_machine_without_gpus_is_not_evaluated() {
    let diagnosis = Diagnosis::of(tree(&[]).path());
    assert_eq!(diagnosis.look.kfd, Some(Vec::new()));
    assert!(sockets(&diagnosis.look).is_empty() && diagnosis.look.kfd_hidden.is_empty());
    assert!(diagnosis.count.findings().is_empty() && diagnosis.memory.findings().is_empty());
    assert!(!diagnosis.count.gaps().is_empty());
    assert!(gaps(&diagnosis.memory)[0].contains("neither sysfs nor KFD shows a GPU"));
}

#[test]
fn memory_that_no_mode_gives_leaves_the_memory_unjudged() {
    let mut nodes = eight(0);
    nodes[20].bytes = 1 << 30;
    let diagnosis = Diagnosis::of(tree(&nodes).path());
    assert_eq!(findings(&diagnosis.count, Met).len(), 8);
    assert_eq!(findings(&diagnosis.memory, Met).len(), 7 * 9);
    let said = gaps(&diagnosis.memory);
    assert!(said.len() == 1 && said[0].starts_with("GPU 0000:46:00.0: current_memory_partition"), "{said:?}");
}

#[test]
fn a_folder_without_trees_or_with_a_broken_host_file_is_no_host() {
    let root = tree(&[]);
    fs::write(root.path().join("host.toml"), "kind = 'recorded'\n").unwrap();
    let error = rocvet::host::Host::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("host.toml"), "{error}");
    // Cut off while it was written: its host.toml would have come last.
    for part in ["machine.toml", "transcripts", "manifest.toml"] {
        let root = tree(&[]);
        fs::write(root.path().join(part), "").unwrap();
        let error = rocvet::host::Host::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("host.toml") && error.contains("no such file"), "{part}: {error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = rocvet::host::Host::open(empty.path()).unwrap_err().to_string();
    assert!(error.contains("host.toml") && error.contains("no such file"), "{error}");
}
