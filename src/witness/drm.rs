//! Witness DRM: render nodes, and the device that each hangs on. Partition 0 is the PCI device's own node; the others
//! are platform devices without an address (facts/partitions.md section 4).

use std::path::Path;

use crate::domain::Bdf;

use super::files::{hex, text};
use super::tree::Tree;
use super::{RenderNode, RenderParent};

const CLASS: &str = "class/drm";

/// Every render node below a sysfs root (`/sys`, or `HOST/sys`), by minor; `None` where there is no such class.
pub fn read_render(root: &Path) -> Option<Vec<RenderNode>> {
    let tree = Tree::open(root).ok()?;
    let names = tree.names(CLASS).ok()?;
    let mut nodes: Vec<RenderNode> =
        names.iter().filter_map(|name| Some(RenderNode { minor: minor(name)?, parent: parent(&tree, name) })).collect();
    nodes.sort_by_key(|node| node.minor);
    nodes.dedup_by_key(|node| node.minor);
    Some(nodes)
}

/// 128 for `renderD128`.
pub(super) fn minor(name: &str) -> Option<u32> {
    let number = name.strip_prefix("renderD")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok()).flatten()
}

fn parent(tree: &Tree, name: &str) -> RenderParent {
    let folder = match tree.resolve(&format!("{CLASS}/{name}/device")) {
        Ok(folder) => folder,
        Err(error) => return RenderParent::Other(format!("its device cannot be told: {}", error.problem)),
    };
    let last = folder.rsplit('/').next().unwrap_or_default();
    if let Some(number) = last.strip_prefix("amdgpu_xcp_").and_then(|number| number.parse().ok()) {
        return RenderParent::Partition { number };
    }
    match last.parse::<Bdf>() {
        Ok(bdf) => RenderParent::Pci { bdf, vendor: text(tree, &format!("{folder}/vendor")).and_then(|id| hex(&id)) },
        Err(_) => RenderParent::Other(folder.strip_prefix("devices/").unwrap_or(&folder).to_owned()),
    }
}
