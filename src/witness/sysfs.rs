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

/// Drivers that hold a GPU and make no DRM card of it: AMD's SR-IOV host driver, and the one by which a guest gets a
/// device (facts/partitions.md section 6).
const HOLDERS: [&str; 2] = ["gim", "vfio-pci"];

/// PCI base classes of display controllers and of processing accelerators, as `class` begins.
const CLASSES: [&str; 2] = ["0x03", "0x12"];

/// Every AMD GPU below a sysfs root (`/sys`, or `HOST/sys`) that has a DRM card or is held for guests, by PCI address. At
/// most 4096 cards are looked at.
pub fn read_sysfs(root: &Path) -> Vec<SysfsGpu> {
    read(root, Extent::Everything)
}

/// The same GPUs with their device id and the modes in force, and nothing else read: for whoever has milliseconds.
pub fn read_modes(root: &Path) -> Vec<SysfsGpu> {
    read(root, Extent::Modes)
}

/// How much of a GPU is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Everything,
    Modes,
}

fn read(root: &Path, extent: Extent) -> Vec<SysfsGpu> {
    let Ok(tree) = Tree::open(root) else { return Vec::new() };
    let folder = tree.below(CARDS).ok();
    let cards = folder.as_ref().and_then(|folder| folder.names("").ok()).unwrap_or_default();
    // Secondary partitions are most of the cards, and platform devices (facts/partitions.md section 4).
    let secondary = |name: &str| {
        folder.as_ref().and_then(|folder| folder.link(name)).is_some_and(|target| target.contains("/devices/platform/"))
    };
    let cards = cards.iter().filter(|name| is_card(name) && !secondary(name));
    let cards = cards.map(|name| format!("{CARDS}/{name}/device"));
    let held = HOLDERS.iter().flat_map(|driver| held_by(&tree, driver));
    let mut gpus: Vec<SysfsGpu> = cards.chain(held).filter_map(|link| gpu(&tree, &link, extent)).collect();
    gpus.sort_by_key(|gpu| gpu.bdf);
    gpus.dedup_by_key(|gpu| gpu.bdf);
    gpus
}

/// `card3`, and not its connectors (`card3-DP-1`).
fn is_card(name: &str) -> bool {
    name.strip_prefix("card")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Links to the adapters that a driver holds: a GPU's sound device is held like the GPU, and is none.
fn held_by(tree: &Tree, driver: &str) -> Vec<String> {
    let folder = format!("bus/pci/drivers/{driver}");
    let names = tree.names(&folder).unwrap_or_default();
    let links = names.iter().filter(|name| name.parse::<Bdf>().is_ok()).map(|name| format!("{folder}/{name}"));
    let shows = |link: &String| {
        let class = text(tree, &format!("{link}/class"));
        class.value().is_some_and(|class| CLASSES.iter().any(|base| class.starts_with(base)))
    };
    links.filter(shows).collect()
}

/// The GPU behind a link; `None` for other makers' and for secondary partitions, which are no PCI devices.
fn gpu(tree: &Tree, link: &str, extent: Extent) -> Option<SysfsGpu> {
    let folder = tree.resolve(link).ok()?;
    let bdf: Bdf = folder.rsplit('/').next()?.parse().ok()?;
    let device = tree.below(&folder).ok()?;
    let file = |name: &str| text(&device, name);
    if file("vendor").value().map(String::as_str) != Some(VENDOR) {
        return None;
    }
    let modes = SysfsGpu {
        device_id: file("device").and_then(|text| hex(&text)),
        compute: file("current_compute_partition").and_then(|text| parsed(&text)),
        memory: file("current_memory_partition").and_then(|text| parsed(&text)),
        ..SysfsGpu::unread(bdf)
    };
    if extent == Extent::Modes {
        return Some(modes);
    }
    Some(SysfsGpu {
        available_compute: file("available_compute_partition").and_then(|text| list(&text)),
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
        ..modes
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
