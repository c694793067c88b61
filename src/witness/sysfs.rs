//! Witness sysfs: partition files of each GPU that the driver holds. Only a physical function (partition 0) has them
//! (facts/amd-smi.md section 5).

use std::path::Path;

use crate::domain::{Bdf, Bytes, Reading};

use super::SysfsGpu;
use super::files::{hex, hex64, list, parsed, text};
use super::tree::Tree;

/// PCI vendor of AMD's GPUs.
const VENDOR: &str = "0x1002";

const CARDS: &str = "class/drm";

/// Every AMD GPU below a sysfs root (`/sys`, or `HOST/sys`), by PCI address. At most 4096 cards are looked at.
pub fn read_sysfs(root: &Path) -> Vec<SysfsGpu> {
    let Ok(tree) = Tree::open(root) else { return Vec::new() };
    let cards = tree.names(CARDS).unwrap_or_default();
    let mut gpus: Vec<SysfsGpu> =
        cards.iter().filter(|name| is_card(name)).filter_map(|name| gpu(&tree, name)).collect();
    gpus.sort_by_key(|gpu| gpu.bdf);
    gpus.dedup_by_key(|gpu| gpu.bdf);
    gpus
}

/// `card3`, and not its connectors (`card3-DP-1`).
fn is_card(name: &str) -> bool {
    name.strip_prefix("card")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The GPU behind a card; `None` for other makers' and for secondary partitions, which are no PCI devices.
fn gpu(tree: &Tree, card: &str) -> Option<SysfsGpu> {
    let folder = tree.resolve(&format!("{CARDS}/{card}/device")).ok()?;
    let bdf: Bdf = folder.rsplit('/').next()?.parse().ok()?;
    let device = tree.below(&folder).ok()?;
    let file = |name: &str| text(&device, name);
    if file("vendor").value().map(String::as_str) != Some(VENDOR) {
        return None;
    }
    Some(SysfsGpu {
        bdf,
        device_id: file("device").and_then(|text| hex(&text)),
        compute: file("current_compute_partition").and_then(|text| parsed(&text)),
        available_compute: file("available_compute_partition").and_then(|text| list(&text)),
        memory: file("current_memory_partition").and_then(|text| parsed(&text)),
        available_memory: file("available_memory_partition").and_then(|text| list(&text)),
        vram_total: file("mem_info_vram_total").and_then(|text| bytes(&text)),
        vram_used: file("mem_info_vram_used").and_then(|text| bytes(&text)),
        alloc_mode: file("compute_partition_mem_alloc_mode").and_then(|text| parsed(&text)),
        profiles: file("compute_partition_config/supported_xcp_configs").and_then(|text| list(&text)),
        profile_selected: file("compute_partition_config/xcp_config").and_then(|text| parsed(&text)),
        unique_id: file("unique_id").and_then(|text| hex64(&text)),
        // The folder is a link to that of the hive's first GPU.
        hive_id: text(tree, &format!("{folder}/xgmi_hive_info/xgmi_hive_id")).and_then(|text| parsed(&text)),
        driver: driver(tree, &folder),
        physical_function: linked(tree, &folder, "physfn"),
        virtual_functions: virtual_functions(tree, &folder, &device),
    })
}

/// The driver that holds a device: the name of the folder that `driver` links to.
fn driver(tree: &Tree, folder: &str) -> Reading<String> {
    let resolved = tree.resolve(&format!("{folder}/driver")).ok();
    let name = resolved.and_then(|path| path.rsplit('/').next().map(str::to_owned));
    name.map_or(Reading::NotReported, Reading::Value)
}

/// The PCI device that a link in a device's folder leads to.
fn linked(tree: &Tree, folder: &str, link: &str) -> Option<Bdf> {
    tree.resolve(&format!("{folder}/{link}")).ok()?.rsplit('/').next()?.parse().ok()
}

fn virtual_functions(tree: &Tree, folder: &str, device: &Tree) -> Vec<Bdf> {
    let names = device.names("").unwrap_or_default();
    let links = names.iter().filter(|name| name.starts_with("virtfn"));
    let mut found: Vec<Bdf> = links.filter_map(|link| linked(tree, folder, link)).collect();
    found.sort_unstable();
    found
}

fn bytes(text: &str) -> Reading<Bytes> {
    parsed(text).map(Bytes)
}
