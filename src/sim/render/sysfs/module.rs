//! `/sys/module`: the amdgpu driver, and the memory limit that an APU follows.

use crate::domain::Bytes;
use crate::sim::{DriverState, View};

use super::Tree;

pub(super) fn write(tree: &mut Tree, view: &View) {
    match &view.driver {
        DriverState::Live { version } => {
            tree.text("sys/module/amdgpu/initstate", "live");
            if let Some(version) = version {
                tree.text("sys/module/amdgpu/version", version);
            }
        }
        DriverState::Going => tree.text("sys/module/amdgpu/initstate", "going"),
        DriverState::BuiltIn => tree.dir("sys/module/amdgpu"),
        DriverState::NotLoaded => {}
    }
    let apus = view.gpus.iter().filter(|gpu| gpu.model.apu);
    let limit: u64 = apus.map(|gpu| gpu.vram_total.0 / Bytes::PAGE.0).sum();
    if limit > 0 {
        tree.text("sys/module/amdttm/parameters/pages_limit", limit);
    }
}
