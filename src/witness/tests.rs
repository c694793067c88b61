//! Trees made up here; real ones are in `tests/research/`.

mod system;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::domain::{Bytes, ComputeMode, Reading};

use super::KfdNode;
use super::kfd::{location, read_addresses, read_kfd};
use super::sysfs::{read_modes, read_sysfs};
use super::tree::{Tree, TreeProblem};

pub(super) fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
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

#[test]
fn an_sriov_host_shows_its_physical_functions_and_what_it_gives_to_guests() {
    let root = tempfile::tempdir().unwrap();
    let adapter = |bdf: &str, driver: &str, vendor: &str, device: &str, class: &str| {
        let folder = format!("devices/pci0000:00/{bdf}");
        write(root.path(), &format!("{folder}/vendor"), vendor);
        write(root.path(), &format!("{folder}/device"), device);
        write(root.path(), &format!("{folder}/class"), class);
        write(root.path(), &format!("bus/pci/drivers/{driver}/bind"), "");
        link(root.path(), &format!("{folder}/driver"), &format!("../../../bus/pci/drivers/{driver}"));
        link(root.path(), &format!("bus/pci/drivers/{driver}/{bdf}"), &format!("../../../../{folder}"));
    };
    adapter("0000:05:00.0", "gim", "0x1002", "0x74a1", "0x120000");
    adapter("0000:05:02.0", "vfio-pci", "0x1002", "0x74b5", "0x120000");
    adapter("0000:05:02.1", "vfio-pci", "0x1002", "0x74b5", "0x120000");
    adapter("0000:06:00.1", "vfio-pci", "0x1002", "0xab28", "0x040300");
    adapter("0000:07:00.0", "vfio-pci", "0x8086", "0x1234", "0x030000");
    adapter("0000:08:00.0", "ahci", "0x1002", "0x74a1", "0x010601");
    let device = "devices/pci0000:00/0000:05:00.0";
    for (number, function) in ["0000:05:02.1", "0000:05:02.0"].into_iter().enumerate() {
        link(root.path(), &format!("{device}/virtfn{number}"), &format!("../{function}"));
        link(root.path(), &format!("devices/pci0000:00/{function}/physfn"), "../0000:05:00.0");
    }
    link(root.path(), &format!("{device}/virtfn2"), "/etc");
    write(root.path(), "bus/pci/drivers/gim/0000:09:00.0/class", "0x120000");
    let gpus = read_sysfs(root.path());
    let shown: Vec<_> = gpus
        .iter()
        .map(|gpu| (gpu.bdf.to_string(), gpu.driver.value().cloned().unwrap(), gpu.physical_function.is_some()))
        .collect();
    let expected =
        [("0000:05:00.0", "gim", false), ("0000:05:02.0", "vfio-pci", true), ("0000:05:02.1", "vfio-pci", true)];
    assert_eq!(shown, expected.map(|(bdf, driver, guest)| (bdf.to_owned(), driver.to_owned(), guest)));
    let functions: Vec<_> = gpus[0].virtual_functions.iter().map(ToString::to_string).collect();
    assert_eq!(functions, ["0000:05:02.0", "0000:05:02.1"]);
    assert_eq!(gpus[1].physical_function, Some(gpus[0].bdf));
    assert_eq!(gpus[0].compute, Reading::NotReported);
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
    let quick: Vec<_> = read_modes(root.path()).into_iter().map(|gpu| (gpu.bdf, gpu.compute, gpu.memory)).collect();
    let whole: Vec<_> = gpus.into_iter().map(|gpu| (gpu.bdf, gpu.compute, gpu.memory)).collect();
    assert_eq!(quick, whole, "the quick reader reads less, and the same");
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
    let bare = |node: KfdNode| KfdNode { memory: Reading::NotReported, ..node };
    assert_eq!(read_addresses(root.path()), Some(nodes.into_iter().map(bare).collect()));
}
