//! `/sys/module`: the amdgpu driver with its parameters, and the memory limit that an APU follows.

use crate::sim::{DriverState, View};

use super::Tree;

pub(super) fn write(tree: &mut Tree, view: &View) {
    let loaded = match &view.driver {
        DriverState::Live { version } => {
            tree.text("sys/module/amdgpu/initstate", "live");
            if let Some(version) = version {
                tree.text("sys/module/amdgpu/version", version);
            }
            true
        }
        DriverState::Going => {
            tree.text("sys/module/amdgpu/initstate", "going");
            true
        }
        DriverState::BuiltIn => {
            tree.dir("sys/module/amdgpu");
            true
        }
        DriverState::NotLoaded => {
            tree.dir("sys/module");
            false
        }
    };
    for parameter in view.tuning.parameters.iter().filter(|_| loaded) {
        let path = format!("sys/module/amdgpu/parameters/{}", parameter.name);
        match &parameter.value {
            // A text that nobody set is an empty line, not an empty file.
            Ok(value) => tree.file(path, value, parameter.mode),
            Err(_) => tree.answer(path, &parameter.value, parameter.mode),
        }
    }
    if let Some(limit) = view.pages_limit.filter(|_| loaded) {
        tree.text("sys/module/amdttm/parameters/pages_limit", limit);
    }
}
