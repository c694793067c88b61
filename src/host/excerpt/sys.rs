//! Of `/sys`: DRM cards and the PCI devices behind them, adapters without a driver, the module, the KFD topology.

use std::collections::BTreeSet;
use std::path::Path;

use crate::pseudonym::Pseudonyms;
use crate::witness::pci::read_pci;
use crate::witness::tree::Tree;

use super::{Entry, copy, up};

/// Files of a GPU's PCI folder that are taken. What names the machine among them gets a pseudonym.
const DEVICE_FILES: [&str; 21] = [
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
    "mem_info_gtt_total",
    "mem_info_gtt_used",
    "compute_partition_mem_alloc_mode",
    "compute_partition_config/supported_xcp_configs",
    "compute_partition_config/supported_nps_configs",
    "compute_partition_config/xcp_config",
    "xgmi_hive_info/xgmi_hive_id",
];

const MODULE: &str = "module/amdgpu";

/// Modules that may limit what GPUs take of the system's memory.
const LIMITS: [&str; 2] = ["module/amdttm/parameters/pages_limit", "module/ttm/parameters/pages_limit"];

const NODES: &str = "class/kfd/kfd/topology/nodes";

/// The excerpt of a sysfs root.
pub(in crate::host) fn sys(root: &Path, names: &mut Pseudonyms) -> Vec<Entry> {
    let Ok(tree) = Tree::open(root) else { return Vec::new() };
    let mut excerpt = Excerpt { tree: &tree, names, entries: Vec::new(), devices: BTreeSet::new() };
    let cards = tree.names("class/drm");
    if cards.as_ref().is_ok_and(Vec::is_empty) {
        // A driver without a GPU: that there is nothing is not that nobody can tell.
        excerpt.dir("class/drm");
    }
    cards.unwrap_or_default().iter().for_each(|name| excerpt.card(name));
    for adapter in read_pci(root) {
        excerpt.on_bus(&adapter.bdf.to_string());
    }
    excerpt.module();
    excerpt.topology();
    excerpt.holders();
    excerpt.entries
}

struct Excerpt<'a> {
    tree: &'a Tree,
    names: &'a mut Pseudonyms,
    entries: Vec<Entry>,
    /// PCI folders that were taken.
    devices: BTreeSet<String>,
}

impl Excerpt<'_> {
    fn copy(&mut self, path: &str) {
        copy(self.tree, path, "sys", self.names, &mut self.entries);
    }

    fn dir(&mut self, path: &str) {
        self.entries.push(Entry::Dir { path: format!("sys/{path}") });
    }

    /// A link from one path of the tree to another.
    fn link(&mut self, from: &str, to: &str) {
        let above = from.rsplit_once('/').map_or_else(String::new, |(parent, _)| up(parent));
        self.entries.push(Entry::Link { path: format!("sys/{from}"), target: format!("{above}{to}") });
    }

    fn card(&mut self, name: &str) {
        let path = format!("class/drm/{name}");
        let device = self.tree.resolve(&format!("{path}/device"));
        let (Ok(node), Ok(device)) = (self.tree.resolve(&path), device) else { return };
        if !device.starts_with("devices/") || name.contains('-') {
            return;
        }
        self.copy(&format!("{node}/dev"));
        self.link(&path, &node);
        self.link(&format!("{node}/device"), &device);
        self.device(&device);
    }

    fn on_bus(&mut self, bdf: &str) {
        let path = format!("bus/pci/devices/{bdf}");
        let Ok(device) = self.tree.resolve(&path) else { return };
        if device.starts_with("devices/") {
            self.link(&path, &device);
            self.device(&device);
        }
    }

    fn device(&mut self, device: &str) {
        if !self.devices.insert(device.to_owned()) {
            return;
        }
        DEVICE_FILES.into_iter().for_each(|file| self.copy(&format!("{device}/{file}")));
        if let Ok(driver) = self.tree.resolve(&format!("{device}/driver")) {
            self.dir(&driver);
            self.link(&format!("{device}/driver"), &driver);
        }
        let names = self.tree.names(device).unwrap_or_default();
        for function in names.iter().filter(|name| *name == "physfn" || name.starts_with("virtfn")) {
            let link = format!("{device}/{function}");
            if let Ok(other) = self.tree.resolve(&link) {
                self.link(&link, &other);
                self.device(&other);
            }
        }
    }

    fn module(&mut self) {
        // A driver that is built in may show nothing in its folder, and one that is not loaded shows only the others'.
        for folder in ["module", MODULE] {
            if self.tree.names(folder).is_ok() {
                self.dir(folder);
            }
        }
        for file in ["initstate", "version"] {
            self.copy(&format!("{MODULE}/{file}"));
        }
        for name in self.tree.names(&format!("{MODULE}/parameters")).unwrap_or_default() {
            self.copy(&format!("{MODULE}/parameters/{name}"));
        }
        LIMITS.into_iter().for_each(|file| self.copy(file));
        self.copy("devices/system/node/online");
    }

    fn topology(&mut self) {
        let Ok(nodes) = self.tree.names(NODES) else { return };
        self.dir(NODES);
        for node in nodes.iter().filter(|node| node.parse::<u32>().is_ok()) {
            // Of a node that is hidden from this process nothing but its folder can be seen.
            self.dir(&format!("{NODES}/{node}"));
            for file in ["gpu_id", "name", "properties"] {
                self.copy(&format!("{NODES}/{node}/{file}"));
            }
            for bank in self.tree.names(&format!("{NODES}/{node}/mem_banks")).unwrap_or_default() {
                self.copy(&format!("{NODES}/{node}/mem_banks/{bank}/properties"));
            }
        }
    }

    /// Who holds `/dev/kfd`, with the memory of each.
    fn holders(&mut self) {
        const LIST: &str = "class/kfd/kfd/proc";
        let Ok(pids) = self.tree.names(LIST) else { return };
        self.dir(LIST);
        for pid in pids.iter().filter(|pid| pid.parse::<u32>().is_ok()) {
            self.dir(&format!("{LIST}/{pid}"));
            for file in self.tree.names(&format!("{LIST}/{pid}")).unwrap_or_default() {
                if file.starts_with("vram_") {
                    self.copy(&format!("{LIST}/{pid}/{file}"));
                }
            }
        }
    }
}
