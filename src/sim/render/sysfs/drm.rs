//! `/sys/class/drm` and `/sys/dev/char`: partition 0 hangs on the PCI device, the others on platform devices.

use crate::sim::{DriverState, DrmDevice, View};

use super::{Tree, pci};

/// DRM's character device major.
const MAJOR: u32 = 226;

/// The video card of a BMC (ASPEED), behind a bridge of its own. It has no render node.
const BMC: &str = "devices/pci0000:00/0000:00:1c.0/0000:c2:00.0";

pub(super) fn write(tree: &mut Tree, view: &View) {
    if view.driver != DriverState::NotLoaded {
        // The class comes with the driver, also where it drives nothing: 24.5 does not start without.
        tree.dir("sys/class/drm");
    }
    if view.bmc {
        let files = [("vendor", "0x1a03"), ("device", "0x2000"), ("class", "0x030000")];
        files.into_iter().for_each(|(name, text)| tree.text(format!("sys/{BMC}/{name}"), text));
        node(tree, "card0", 0, BMC);
    }
    let mut secondaries = 0;
    for device in &view.drm_devices {
        let Some(gpu) = view.gpus.get(device.gpu) else { continue };
        let parent = if device.partition == 0 {
            pci::folder(gpu)
        } else {
            secondaries += 1;
            format!("devices/platform/amdgpu_xcp_{}", secondaries - 1)
        };
        nodes(tree, device, &parent);
    }
}

fn nodes(tree: &mut Tree, device: &DrmDevice, parent: &str) {
    node(tree, &format!("card{}", device.card), device.card, parent);
    node(tree, &format!("renderD{}", device.render), device.render, parent);
}

fn node(tree: &mut Tree, name: &str, minor: u32, parent: &str) {
    let base = parent.rsplit('/').next().unwrap_or(parent);
    let folder = format!("{parent}/drm/{name}");
    tree.text(format!("sys/{folder}/dev"), format_args!("{MAJOR}:{minor}"));
    tree.link(format!("sys/{folder}/device"), format!("../../../{base}"));
    tree.link(format!("sys/class/drm/{name}"), format!("../../{folder}"));
    tree.link(format!("sys/dev/char/{MAJOR}:{minor}"), format!("../../{folder}"));
}
