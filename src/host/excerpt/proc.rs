//! Of `/proc`: the first processor, whose flags say whether this is a virtual machine; the kernel's release and those
//! words of its command line that concern GPUs; and the processes that hold them, without their names.

use std::path::Path;

use crate::domain::Reading;
use crate::pseudonym::Pseudonyms;
use crate::witness::KfdProcess;
use crate::witness::tree::Tree;

use super::Entry;

/// Beginnings of the words of a kernel command line that are taken. Any other may name a disk, an address or a person.
const WORDS: [&str; 14] = [
    "amdgpu.",
    "amdttm.",
    "ttm.",
    "amd_iommu",
    "intel_iommu",
    "iommu",
    "pci=",
    "pcie_",
    "modprobe.blacklist=",
    "module_blacklist=",
    "nomodeset",
    "numa_balancing",
    "transparent_hugepage",
    "default_hugepagesz",
];

/// The excerpt of a procfs root. `holders` are the processes that hold GPUs.
pub(in crate::host) fn proc(root: &Path, holders: &Reading<Vec<KfdProcess>>, names: &mut Pseudonyms) -> Vec<Entry> {
    let Ok(tree) = Tree::open(root) else { return Vec::new() };
    let mut entries = Vec::new();
    let mut add = |path: &str, text: String| {
        entries.push(Entry::File { path: format!("proc/{path}"), content: format!("{text}\n").into_bytes() });
    };
    let text = |path: &str, limit| {
        let bytes = tree.read_start(path, limit).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    if let Some(cpuinfo) = text("cpuinfo", 1 << 16) {
        add("cpuinfo", cpuinfo.split("\n\n").next().unwrap_or_default().trim_end().to_owned());
    }
    if let Some(release) = text("sys/kernel/osrelease", 4096) {
        add("sys/kernel/osrelease", names.text(&release));
    }
    if let Some(line) = text("cmdline", 1 << 16) {
        add("cmdline", names.text(&about_gpus(&line)));
    }
    if let Some(boot) = text("sys/kernel/random/boot_id", 4096) {
        add("sys/kernel/random/boot_id", names.boot(&boot));
    }
    for holder in holders.value().into_iter().flatten() {
        if let Some(name) = holder.name.value() {
            add(&format!("{}/comm", holder.pid), names.process(name));
        }
        if let Some(unit) = holder.unit.value() {
            add(&format!("{}/cgroup", holder.pid), format!("0::/{}", names.unit(unit)));
        }
    }
    entries
}

fn about_gpus(line: &str) -> String {
    let taken = line.split_whitespace().filter(|word| WORDS.iter().any(|begins| word.starts_with(begins)));
    taken.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_command_line_only_words_about_gpus_are_taken() {
        let line = "BOOT_IMAGE=/vmlinuz root=UUID=aa-bb ip=10.0.0.7 quiet hostname17 amdgpu.noretry=0 iommu=pt";
        assert_eq!(about_gpus(line), "amdgpu.noretry=0 iommu=pt");
    }
}
