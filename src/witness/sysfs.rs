//! Witness sysfs: partition files of each GPU that the driver holds. Only a physical function (partition 0) has them
//! (facts/amd-smi.md section 5).

use std::path::Path;

use crate::domain::{Bdf, Bytes, Reading};

use super::SysfsGpu;
use super::files::{hex, list, parsed, text};
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
    let device = tree.resolve(&format!("{CARDS}/{card}/device")).ok()?;
    let bdf: Bdf = device.rsplit('/').next()?.parse().ok()?;
    let device = tree.below(&device).ok()?;
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
    })
}

fn bytes(text: &str) -> Reading<Bytes> {
    parsed(text).map(Bytes)
}
