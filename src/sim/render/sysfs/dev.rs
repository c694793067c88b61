//! `/dev`: the device files of the compute driver, as empty files. Whether they may be used is their permission bits.

use crate::sim::{Caller, Machine, View};

use super::Tree;

pub(super) fn write(tree: &mut Tree, view: &View, machine: &Machine) {
    // A plain user is in none of the groups that own the devices.
    let mode = match machine.caller {
        Caller::Root | Caller::Actual => 0o666,
        Caller::User if view.user_access => 0o666,
        Caller::User => 0o660,
    };
    tree.dir("dev");
    if view.kfd {
        tree.bytes("dev/kfd", Vec::new(), mode);
    }
    if view.drm {
        for device in &view.drm_devices {
            tree.bytes(format!("dev/dri/renderD{}", device.render), Vec::new(), mode);
        }
    }
}
