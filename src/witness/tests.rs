#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
//! Trees: made up here, made by the public generator of reference trees, and one captured from hardware.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::domain::{Bytes, ComputeMode, MemoryMode, Reading};

use super::kfd::{location, read_kfd};
use super::sysfs::read_sysfs;
use super::tree::{Tree, TreeProblem};

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
    }
    path.exists().then_some(path)
}

#[test]
fn nothing_outside_the_root_is_read() {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("host/sys");
    write(&root, "a/file", "inside");
    write(outside.path(), "secret", "outside");
    link(&root, "passwd", "/etc/passwd");
    link(&root, "up", "../../secret");
    link(&root, "folder-up", "../..");
    link(&root, "etc", "/etc");
    link(&root, "a/over-and-back", "../a/file");
    link(&root, "loop", "loop");
    link(&root, "proc", "/proc/self/root");
    let tree = Tree::open(&root).unwrap();
    assert_eq!(tree.read("a/over-and-back", 100).unwrap(), b"inside");
    assert_eq!(tree.read("/a/file", 100).unwrap(), b"inside");
    assert_eq!(tree.resolve("a/../a").unwrap(), "a");
    for path in [
        "passwd",
        "up",
        "folder-up/secret",
        "folder-up",
        "etc/passwd",
        "../secret",
        "a/../../secret",
        "proc/etc/passwd",
    ] {
        let problem = tree.read(path, 1 << 20).unwrap_err().problem;
        assert!(matches!(problem, TreeProblem::Escapes { .. }), "{path}: {problem}");
    }
    assert_eq!(tree.read("loop", 100).unwrap_err().problem, TreeProblem::TooDeep);
}

#[test]
fn only_regular_files_of_a_bounded_size_are_read() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "five", "12345");
    write(root.path(), "folder/x", "");
    rustix::fs::mknodat(rustix::fs::CWD, root.path().join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    let tree = Tree::open(root.path()).unwrap();
    assert_eq!(tree.read("five", 5).unwrap(), b"12345");
    for (path, problem) in [
        ("five", TreeProblem::TooLarge { limit: 4 }),
        ("none", TreeProblem::Missing),
        ("folder", TreeProblem::NotAFile),
        ("pipe", TreeProblem::NotAFile),
        ("", TreeProblem::NotAFile),
        ("five/x", TreeProblem::NotAFile),
    ] {
        assert_eq!(tree.read(path, 4).unwrap_err().problem, problem, "{path}");
    }
    for number in 0..=super::tree::MAX_ENTRIES {
        write(root.path(), &format!("many/{number}"), "");
    }
    assert_eq!(tree.names("many").unwrap_err().problem, TreeProblem::TooMany);
}

#[test]
fn a_partition_is_in_the_low_or_in_the_high_bits_of_a_location() {
    for (location_id, address) in
        [(0x500, "0000:05:00.0"), (0x507, "0000:05:00.7"), (0x8305, "0000:83:00.5"), (0x7000_0500, "0000:05:00.7")]
    {
        assert_eq!(location(0, location_id).value().unwrap().to_string(), address, "{location_id:#x}");
    }
    assert_eq!(location(1, 0x518).value().unwrap().to_string(), "0001:05:03.0");
    assert!(matches!(location(0, 0x8000_0500), Reading::Malformed { .. }));
}

/// A card with these partition files.
fn gpu(root: &Path, card: u32, compute: Option<&str>) {
    let device = format!("devices/pci0000:00/0000:{card:02x}:00.0");
    write(root, &format!("{device}/vendor"), "0x1002\n");
    write(root, &format!("{device}/device"), "0x74a1\n");
    if let Some(compute) = compute {
        write(root, &format!("{device}/current_compute_partition"), compute);
    }
    link(root, &format!("{device}/drm/card{card}/device"), &format!("../../../0000:{card:02x}:00.0"));
    link(root, &format!("class/drm/card{card}"), &format!("../../{device}/drm/card{card}"));
}

#[test]
fn a_partition_file_is_a_value_or_says_why_not() {
    let root = tempfile::tempdir().unwrap();
    let cases: [Option<&str>; 5] = [Some("CPX\n"), None, Some("UNKNOWN\n"), Some(""), Some("SPX\nDPX")];
    for (card, compute) in (1..).zip(cases) {
        gpu(root.path(), card, compute);
    }
    link(root.path(), "devices/pci0000:00/0000:01:00.0/current_memory_partition", "/etc/passwd");
    link(root.path(), "class/drm/card1-DP-1", "../../devices/pci0000:00/0000:01:00.0/drm/card1");
    link(root.path(), "class/drm/card99", "/etc");
    let gpus = read_sysfs(root.path());
    let compute: Vec<_> = gpus.iter().map(|gpu| gpu.compute.clone()).collect();
    assert_eq!(compute[..2], [Reading::Value(ComputeMode::Cpx), Reading::NotReported]);
    assert!(compute[2..].iter().all(|reading| matches!(reading, Reading::Malformed { .. })), "{compute:?}");
    assert_eq!(compute.len(), 5);
    let absence = gpus[0].memory.absence().unwrap();
    assert!(absence.contains("leads out of") && !absence.contains("root:x"), "{absence}");
    assert_eq!(gpus[0].device_id, Reading::Value(0x74a1));
    assert!(read_sysfs(Path::new("/no/such/root")).is_empty());
}

#[test]
fn memory_is_the_sum_of_the_banks_that_are_the_devices_own() {
    let root = tempfile::tempdir().unwrap();
    let node = |number: u32, gpu_id: &str, banks: &[&str]| {
        let node = format!("class/kfd/kfd/topology/nodes/{number}");
        write(root.path(), &format!("{node}/gpu_id"), gpu_id);
        write(root.path(), &format!("{node}/properties"), "domain 0\nlocation_id 1280\nsimd_count many\n");
        for (bank, text) in banks.iter().enumerate() {
            write(root.path(), &format!("{node}/mem_banks/{bank}/properties"), text);
        }
    };
    node(0, "0\n", &[]);
    node(
        1,
        "7\n",
        &["heap_type 1\nsize_in_bytes 10\n", "heap_type 2\nsize_in_bytes 5\n", "heap_type 0\nsize_in_bytes 9\n"],
    );
    node(2, "8\n", &[]);
    node(3, "9\n", &["heap_type 1\nsize_in_bytes lots\n"]);
    node(10, "10\n", &["heap_type 1\nsize_in_bytes 18446744073709551615\n", "heap_type 1\nsize_in_bytes 1\n"]);
    let nodes = read_kfd(root.path()).unwrap();
    assert_eq!(nodes.iter().map(|node| node.node).collect::<Vec<_>>(), [1, 2, 3, 10]);
    assert_eq!(nodes[0].memory, Reading::Value(Bytes(15)));
    assert_eq!(nodes[1].memory, Reading::NotReported);
    assert!(
        matches!(nodes[2].memory, Reading::Malformed { .. }) && matches!(nodes[3].memory, Reading::Malformed { .. })
    );
    assert!(matches!(nodes[0].simd_count, Reading::Malformed { .. }));
    assert_eq!(nodes[0].num_xcc, Reading::NotReported);
    assert_eq!(read_kfd(Path::new("/no/such/root")), None);
}

#[test]
fn the_topology_of_a_real_partitioned_host_reads_to_the_byte() {
    let Some(topology) = shared("fixtures/kfd-topology/mi308x-cpx-nps4/topology") else { return };
    let root = tempfile::tempdir().unwrap();
    copy(&topology, &root.path().join("class/kfd/kfd/topology"));
    let nodes = read_kfd(root.path()).unwrap();
    assert_eq!(nodes.len(), 32);
    // 192 GiB in four; the last range of each GPU ends 16 MiB early.
    for (number, node) in nodes.iter().enumerate() {
        let bytes = if number % 4 == 3 { 51_522_830_336 } else { 51_539_607_552 };
        assert_eq!(node.memory, Reading::Value(Bytes(bytes)), "node {}", node.node);
        assert_eq!(u32::from(node.bdf.value().unwrap().function), u32::try_from(number % 4).unwrap());
        assert_eq!((node.num_xcc.value(), node.device_id.value()), (Some(&1), Some(&0x74a2)));
        let minor = 128 + 8 * (number / 4) + number % 4;
        assert_eq!(node.render_minor.value().copied(), u32::try_from(minor).ok());
    }
    assert_eq!(nodes[0].gpu_id, 24248);
    assert_eq!(nodes[0].unique_id, Reading::Value(598_046_273_873_802_902));
    assert_eq!(nodes[0].bdf.value().unwrap().to_string(), "0000:0a:00.0");
}

/// Copied, because the root of a tree may be a link but nothing in it may lead outside.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_reference_trees_read_as_the_machines_that_they_describe() {
    let Some(script) = shared("tools/make-sysfs.py") else { return };
    let root = tempfile::tempdir().unwrap();
    for (gpu, mode, nps, n, nodes, bytes) in [
        ("mi300x", "CPX", "NPS4", 2, 16, 206_141_652_992 / 8),
        ("mi300x", "SPX", "NPS1", 8, 8, 206_141_652_992),
        ("rx5700xt", "SPX", "NPS1", 1, 1, 8_573_157_376),
    ] {
        let out = root.path().join(format!("{gpu}-{mode}"));
        #[allow(clippy::disallowed_methods)]
        let status = std::process::Command::new("python3")
            .arg(&script)
            .arg(&out)
            .args(["--gpu", gpu, "--mode", mode, "--nps", nps, "--n", &n.to_string()])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("skipped: python3 cannot run the generator");
            return;
        }
        let gpus = read_sysfs(&out);
        assert_eq!(gpus.len(), n, "{gpu} {mode}");
        let partable = gpu == "mi300x";
        assert_eq!(gpus[0].bdf.to_string(), "0000:05:00.0");
        assert_eq!(gpus[0].compute.value().map(|mode| mode.name()), partable.then_some(mode));
        assert_eq!(gpus[0].memory.value().map(|mode| mode.name()), partable.then_some(nps));
        let offered = Reading::Value(vec![MemoryMode::Nps1, MemoryMode::Nps4]);
        assert_eq!(gpus[0].available_memory, if partable { offered } else { Reading::NotReported });
        let kfd = read_kfd(&out).unwrap();
        assert_eq!(kfd.len(), nodes, "{gpu} {mode}");
        assert!(kfd.iter().all(|node| node.memory == Reading::Value(Bytes(bytes))), "{gpu} {mode}");
        assert_eq!(kfd.last().unwrap().bdf.value().unwrap().function, if mode == "CPX" { 7 } else { 0 });
    }
}
