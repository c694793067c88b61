//! `/sys/module`: the amdgpu driver with its parameters, and the memory limit that an APU follows.

use crate::sim::{DriverState, Machine, View};

use super::Tree;

/// The driver's defaults, with the permission bits of their files (facts/rdna.md section 3; `user_partt_mode`:
/// facts/partitions.md section 5).
const PARAMETERS: [(&str, &str, u32); 21] = [
    ("cwsr_enable", "1", 0o444),
    ("debug_mask", "0", 0o444),
    ("gpu_recovery", "-1", 0o444),
    ("gttsize", "-1", 0o600),
    ("halt_if_hws_hang", "0", 0o644),
    ("lockup_timeout", "", 0o444),
    ("mes", "0", 0o444),
    ("mtype_local", "0", 0o444),
    ("no_queue_eviction_on_vm_fault", "0", 0o444),
    ("noretry", "-1", 0o644),
    ("ppfeaturemask", "0xfff7bfff", 0o444),
    ("queue_preemption_timeout_ms", "9000", 0o644),
    ("reset_method", "-1", 0o644),
    ("runpm", "-1", 0o444),
    ("sched_hw_submission", "2", 0o444),
    ("sched_jobs", "32", 0o444),
    ("sched_policy", "0", 0o444),
    ("user_partt_mode", "-2", 0o444),
    ("vm_fault_stop", "0", 0o444),
    ("vm_fragment_size", "-1", 0o444),
    ("vm_update_mode", "-1", 0o444),
];

pub(super) fn write(tree: &mut Tree, view: &View, machine: &Machine) {
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
    if loaded && !machine.quirks.reference_tree {
        for (name, value, mode) in PARAMETERS {
            tree.file(format!("sys/module/amdgpu/parameters/{name}"), value, mode);
        }
    }
    if let Some(limit) = view.pages_limit.filter(|_| loaded) {
        tree.text("sys/module/amdttm/parameters/pages_limit", limit);
    }
}
