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

/// Longest boot id: the kernel's are UUIDs.
const BOOT_ID: usize = 64;

/// The boot that the machine is in, by its procfs root; `None` where it does not say.
pub fn read_boot_id(root: &Path) -> Option<String> {
    let text = text(&Tree::open(root).ok()?, "sys/kernel/random/boot_id").value()?.clone();
    (!text.is_empty() && text.len() <= BOOT_ID && !text.contains(char::is_control)).then_some(text)
}

/// The flag of the first processor; `NotReported` on an architecture that has no such flags.
fn hypervisor(cpuinfo: &str) -> Reading<bool> {
    let flags = cpuinfo.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == "flags"));
    flags.map_or(Reading::NotReported, |(_, flags)| {
        Reading::Value(flags.split_whitespace().any(|flag| flag == "hypervisor"))
    })
}
