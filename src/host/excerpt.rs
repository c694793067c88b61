//! The part of a kernel tree that the witnesses read, as entries to write.

use std::path::Path;

use crate::witness::tree::Tree;

use super::pseudonym::Pseudonyms;

/// One entry of an excerpt, by its path below the host directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    File {
        path: String,
        content: Vec<u8>,
    },
    Link {
        path: String,
        /// Relative, and inside the tree.
        target: String,
    },
}

const LIMIT: usize = 64 << 10;

/// Files of a GPU's PCI folder that are taken: none names the machine but `unique_id`, which gets a pseudonym.
const DEVICE_FILES: [&str; 16] = [
    "vendor",
    "device",
    "subsystem_vendor",
    "subsystem_device",
    "revision",
    "class",
    "numa_node",
    "unique_id",
    "current_compute_partition",
    "available_compute_partition",
    "current_memory_partition",
    "available_memory_partition",
    "mem_info_vram_total",
    "mem_info_vram_used",
    "compute_partition_config/supported_xcp_configs",
    "compute_partition_config/supported_nps_configs",
];

const MODULE_FILES: [&str; 2] = ["module/amdgpu/initstate", "module/amdgpu/version"];

/// The excerpt of a sysfs root: DRM cards with the partition files behind them, and the KFD topology.
pub(super) fn sys(root: &Path, names: &mut Pseudonyms) -> Vec<Entry> {
    let Ok(tree) = Tree::open(root) else { return Vec::new() };
    let mut entries = Vec::new();
    for name in tree.names("class/drm").unwrap_or_default() {
        card(&tree, &name, names, &mut entries);
    }
    for file in MODULE_FILES {
        copy(&tree, file, "sys", names, &mut entries);
    }
    topology(&tree, names, &mut entries);
    entries
}

/// The excerpt of a procfs root: the first processor, whose flags say whether this is a virtual machine.
pub(super) fn proc(root: &Path) -> Vec<Entry> {
    let cpuinfo = Tree::open(root).and_then(|tree| tree.read("cpuinfo", 4 << 20));
    let Ok(cpuinfo) = cpuinfo else { return Vec::new() };
    let text = String::from_utf8_lossy(&cpuinfo);
    let first = text.split("\n\n").next().unwrap_or_default();
    vec![Entry::File { path: "proc/cpuinfo".to_owned(), content: format!("{}\n", first.trim_end()).into_bytes() }]
}

fn card(tree: &Tree, name: &str, names: &mut Pseudonyms, entries: &mut Vec<Entry>) {
    let path = format!("class/drm/{name}");
    let (Ok(node), Ok(device)) = (tree.resolve(&path), tree.resolve(&format!("{path}/device"))) else { return };
    if !device.starts_with("devices/") || name.contains('-') {
        return;
    }
    copy(tree, &format!("{node}/dev"), "sys", names, entries);
    let up = |path: &str| "../".repeat(path.split('/').count());
    entries.push(Entry::Link { path: format!("sys/{path}"), target: format!("../../{node}") });
    entries.push(Entry::Link { path: format!("sys/{node}/device"), target: format!("{}{device}", up(&node)) });
    for file in DEVICE_FILES {
        copy(tree, &format!("{device}/{file}"), "sys", names, entries);
    }
}

fn topology(tree: &Tree, names: &mut Pseudonyms, entries: &mut Vec<Entry>) {
    const NODES: &str = "class/kfd/kfd/topology/nodes";
    for node in tree.names(NODES).unwrap_or_default() {
        for file in ["gpu_id", "name", "properties"] {
            copy(tree, &format!("{NODES}/{node}/{file}"), "sys", names, entries);
        }
        for bank in tree.names(&format!("{NODES}/{node}/mem_banks")).unwrap_or_default() {
            copy(tree, &format!("{NODES}/{node}/mem_banks/{bank}/properties"), "sys", names, entries);
        }
    }
}

/// One file, when it is there and can be read.
fn copy(tree: &Tree, path: &str, below: &str, names: &mut Pseudonyms, entries: &mut Vec<Entry>) {
    let Ok(bytes) = tree.read(path, LIMIT) else { return };
    let text = String::from_utf8_lossy(&bytes);
    let text = if path.ends_with("/unique_id") { names.hex_file(&text) } else { names.text(&text) };
    entries.push(Entry::File { path: format!("{below}/{path}"), content: text.into_bytes() });
}
