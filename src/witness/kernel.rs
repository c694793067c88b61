//! Witness kernel: what `/proc` says of it.

use std::path::Path;

use crate::domain::Reading;

use super::KernelFacts;
use super::files::{start, text};
use super::tree::Tree;

/// As much of `/proc/cpuinfo` as holds its first processor: the whole file is a megabyte on a large machine.
const FIRST_PROCESSOR: usize = 32 << 10;

/// What a procfs root (`/proc`, or `HOST/proc`) says.
pub fn read_kernel(root: &Path) -> KernelFacts {
    let Ok(tree) = Tree::open(root) else {
        return KernelFacts {
            release: Reading::NotReported,
            cmdline: Reading::NotReported,
            hypervisor: Reading::NotReported,
            boot_id: Reading::NotReported,
        };
    };
    KernelFacts {
        release: text(&tree, "sys/kernel/osrelease"),
        cmdline: text(&tree, "cmdline"),
        hypervisor: start(&tree, "cpuinfo", FIRST_PROCESSOR).and_then(|text| hypervisor(&text)),
        boot_id: text(&tree, "sys/kernel/random/boot_id"),
    }
}

/// The flag of the first processor; `NotReported` on an architecture that has no such flags.
fn hypervisor(cpuinfo: &str) -> Reading<bool> {
    let flags = cpuinfo.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == "flags"));
    flags.map_or(Reading::NotReported, |(_, flags)| {
        Reading::Value(flags.split_whitespace().any(|flag| flag == "hypervisor"))
    })
}
