//! `/sys/class/drm` and `/sys/dev/char`: partition 0 hangs on the PCI device, the others on platform devices.

use crate::sim::{Device, View};

use super::{Tree, pci};

/// DRM's character device major.
const MAJOR: u32 = 226;

pub(super) fn write(tree: &mut Tree, view: &View) {
    let mut secondaries = 0;
    for device in &view.devices {
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

fn nodes(tree: &mut Tree, device: &Device, parent: &str) {
    let base = parent.rsplit('/').next().unwrap_or(parent);
    for (name, minor) in
        [(format!("card{}", device.card), device.card), (format!("renderD{}", device.render), device.render)]
    {
        let folder = format!("{parent}/drm/{name}");
        tree.text(format!("sys/{folder}/dev"), format_args!("{MAJOR}:{minor}"));
        tree.link(format!("sys/{folder}/device"), format!("../../../{base}"));
        tree.link(format!("sys/class/drm/{name}"), format!("../../{folder}"));
        tree.link(format!("sys/dev/char/{MAJOR}:{minor}"), format!("../../{folder}"));
    }
}
