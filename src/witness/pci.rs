//! Witness PCI: AMD's display adapters and accelerators on the bus, with a driver or without one.

use std::path::Path;

use crate::domain::{Bdf, Reading};

use super::files::{hex, text};
use super::tree::Tree;

const DEVICES: &str = "bus/pci/devices";

/// PCI vendor of AMD's GPUs.
const VENDOR: &str = "0x1002";

/// PCI base classes of display controllers and of processing accelerators, as `class` begins.
const CLASSES: [&str; 2] = ["0x03", "0x12"];

/// One adapter on the PCI bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciAdapter {
    /// Its address.
    pub bdf: Bdf,
    /// PCI device id.
    pub device_id: Reading<u16>,
    /// Name of the driver that holds it; `NotReported` where none does.
    pub driver: Reading<String>,
}

/// Every AMD adapter below a sysfs root (`/sys`, or `HOST/sys`), by PCI address.
pub fn read_pci(root: &Path) -> Vec<PciAdapter> {
    let Ok(tree) = Tree::open(root) else { return Vec::new() };
    let names = tree.names(DEVICES).unwrap_or_default();
    let mut adapters: Vec<PciAdapter> = names.iter().filter_map(|name| adapter(&tree, name)).collect();
    adapters.sort_by_key(|adapter| adapter.bdf);
    adapters
}

fn adapter(tree: &Tree, name: &str) -> Option<PciAdapter> {
    let bdf: Bdf = name.parse().ok()?;
    let folder = tree.resolve(&format!("{DEVICES}/{name}")).ok()?;
    let device = tree.below(&folder).ok()?;
    let is = |file: &str, admits: &dyn Fn(&str) -> bool| text(&device, file).value().is_some_and(|text| admits(text));
    let shown = |class: &str| CLASSES.iter().any(|base| class.starts_with(base));
    if !is("vendor", &|vendor| vendor == VENDOR) || !is("class", &shown) {
        return None;
    }
    let driver = tree.resolve(&format!("{folder}/driver")).ok();
    let driver = driver.and_then(|path| path.rsplit('/').next().map(str::to_owned));
    Some(PciAdapter {
        bdf,
        device_id: text(&device, "device").and_then(|text| hex(&text)),
        driver: driver.map_or(Reading::NotReported, Reading::Value),
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a tree is written to be read")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_adapters_of_amd_are_found_with_their_driver() {
        let root = tempfile::tempdir().unwrap();
        let bus = root.path().join(DEVICES);
        fs::create_dir_all(&bus).unwrap();
        fs::create_dir_all(root.path().join("bus/pci/drivers/vfio-pci")).unwrap();
        for (bdf, vendor, device, class) in [
            ("0000:05:00.0", "0x1002", "0x74a1", "0x120000"),
            ("0000:06:00.0", "0x1002", "0x731f", "0x030000"),
            ("0000:06:00.1", "0x1002", "0xab38", "0x040300"),
            ("0000:07:00.0", "0x10de", "0x2330", "0x030200"),
            ("nonsense", "0x1002", "0x74a1", "0x120000"),
        ] {
            let folder = root.path().join("devices").join(bdf);
            fs::create_dir_all(&folder).unwrap();
            for (name, value) in [("vendor", vendor), ("device", device), ("class", class)] {
                fs::write(folder.join(name), format!("{value}\n")).unwrap();
            }
            symlink(format!("../../../devices/{bdf}"), bus.join(bdf)).unwrap();
        }
        symlink("/sys/devices", bus.join("0000:08:00.0")).unwrap();
        symlink("../../bus/pci/drivers/vfio-pci", root.path().join("devices/0000:05:00.0/driver")).unwrap();
        let found = read_pci(root.path());
        let ids: Vec<_> = found.iter().map(|each| each.device_id.clone()).collect();
        assert_eq!(ids, [Reading::Value(0x74a1), Reading::Value(0x731f)]);
        assert_eq!(found[0].driver, Reading::Value("vfio-pci".to_owned()));
        assert_eq!(found[1].driver, Reading::NotReported);
        assert!(read_pci(&root.path().join("none")).is_empty());
    }
}
