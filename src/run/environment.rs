//! On what cases ran, in words: what two runs are compared by, and what differs between them.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::{Bytes, Reading};
use crate::scenario::Case;
use crate::sim::Machine;
use crate::topology::{Socket, sockets, whereabouts};
use crate::witness::{KfdNode, Snapshot};

/// Words of the kernel's command line that name a disk and say nothing about a GPU.
const DISKS: [&str; 4] = ["BOOT_IMAGE", "root", "resume", "initrd"];

/// On what something ran. What could not be read is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Environment {
    /// What must be the same for two results to be compared: `part`, `gfx`, `gpus`, `platform`, `modes`, of a simulated
    /// machine its `caller`, and of a CPU that it `computes on` that.
    pub machine: BTreeMap<String, String>,
    /// What an upgrade changes, and what follows from that: `amd-smi`, `amd-smi library`, `rocm`, `driver`, `kernel`,
    /// `kernel command line`, `memory`, each parameter of the driver as `amdgpu.NAME`, each
    /// variable of ROCm and torch that was exported as `$NAME`, what is planted in a simulated
    /// machine as `faults`, and what workers of probes had loaded: `torch`, `hip`, `miopen`, `libamdhip64`.
    pub stack: BTreeMap<String, String>,
}

/// What a case asks, as two hashes: 16 hexadecimal digits of a SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Question {
    /// Of the scenario file's text. Results of different texts are not compared.
    pub scenario: String,
    /// Of what is asked of a machine: queries, steps, checks. On one given host, cases of a scenario that differ in their
    /// id only have the same: there the id says what would be simulated.
    pub asks: String,
}

impl Environment {
    /// Of a host, by one look at its trees and its tool's version.
    pub fn of(look: &Snapshot) -> Self {
        let sockets = sockets(look);
        let part = |socket: &Socket<'_>| {
            let parts: Vec<_> = socket.parts().0.iter().map(|part| part.id.as_str()).collect();
            (!parts.is_empty()).then(|| parts.join(" or "))
        };
        let gfx = |socket: &Socket<'_>| socket.parts().0.first().map(|part| part.gfx.clone());
        let mut machine = BTreeMap::new();
        put(&mut machine, "part", alike(sockets.iter().map(part)));
        put(&mut machine, "gfx", alike(sockets.iter().map(gfx)));
        put(&mut machine, "gpus", (!sockets.is_empty()).then(|| sockets.len().to_string()));
        put(&mut machine, "platform", words(&whereabouts(look).platform));
        put(&mut machine, "modes", alike(sockets.iter().map(modes)));

        let mut stack = BTreeMap::new();
        let version = look.version.as_ref().and_then(|asked| asked.answer.value.value());
        put(&mut stack, "amd-smi", version.and_then(|report| words(&report.tool)));
        put(&mut stack, "amd-smi library", version.and_then(|report| words(&report.library)));
        put(&mut stack, "rocm", version.and_then(|report| words(&report.rocm)));
        let driver = look.driver.as_ref();
        let own = driver.and_then(|driver| words(&driver.version));
        put(&mut stack, "driver", own.or_else(|| version.and_then(|report| words(&report.driver))));
        let kernel = look.kernel.as_ref();
        put(&mut stack, "kernel", kernel.and_then(|kernel| words(&kernel.release)));
        let line = kernel.and_then(|kernel| kernel.cmdline.value());
        put(&mut stack, "kernel command line", line.map(|line| without_disks(line)));
        put(&mut stack, "memory", alike(sockets.iter().map(|socket| memory(&socket.nodes))));
        let parameters = look.tuning.as_ref().and_then(|tuning| tuning.parameters.value());
        for (name, value) in parameters.into_iter().flatten().filter(|(name, _)| name.starts_with("amdgpu.")) {
            put(&mut stack, name, value.value().cloned());
        }
        let variables = look.tuning.as_ref().and_then(|tuning| tuning.environment.value());
        for (name, value) in variables.into_iter().flatten() {
            put(&mut stack, &format!("${name}"), Some(value.clone()));
        }
        Self { machine, stack }
    }

    /// Of the CPU of this machine, with the release of its kernel.
    pub fn cpu(kernel: &Reading<String>) -> Self {
        let mut stack = BTreeMap::new();
        put(&mut stack, "kernel", words(kernel));
        Self { machine: [("computes on".to_owned(), "the CPU".to_owned())].into(), stack }
    }

    /// Of a simulated machine that a case has for itself.
    pub fn simulated(machine: &Machine) -> Self {
        let Machine { part, gpus, platform, compute, memory, caller, amd_smi, faults, tuning, .. } = machine;
        let known = crate::facts::part(part);
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let mut what = BTreeMap::new();
        put(&mut what, "part", Some(known.map_or_else(|| part.clone(), |known| known.id.clone())));
        put(&mut what, "gfx", known.map(|known| known.gfx.clone()));
        put(&mut what, "gpus", Some(gpus.to_string()));
        put(&mut what, "platform", Some(platform.to_string()));
        put(&mut what, "modes", Some(format!("{compute}/{memory}")));
        put(&mut what, "caller", Some(format!("{caller:?}").to_lowercase()));
        let mut stack = BTreeMap::new();
        put(&mut stack, "amd-smi", Some(amd_smi.to_string()));
        put(&mut stack, "rocm", tuning.rocm.clone());
        put(&mut stack, "kernel", tuning.kernel.clone());
        put(&mut stack, "kernel command line", (!tuning.cmdline.is_empty()).then(|| tuning.cmdline.clone()));
        put(&mut stack, "faults", (!faults.is_empty()).then(|| faults.join(", ")));
        Self { machine: what, stack }
    }
}

impl Question {
    /// Of a case.
    pub fn of(case: &Case) -> Self {
        let Case { steps, checks, ask, format, scenario, .. } = case;
        let asks = format!("{:?}", (steps, checks, ask, format));
        Self { scenario: short_hash(&scenario.text), asks: short_hash(&asks) }
    }
}

fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn put(map: &mut BTreeMap<String, String>, key: &str, value: Option<String>) {
    map.extend(value.map(|value| (key.to_owned(), value)));
}

fn words<T: Display>(reading: &Reading<T>) -> Option<String> {
    reading.value().map(ToString::to_string)
}

/// One word where all GPUs have the same; else each of theirs, in PCI order. `None` where nothing was read of any.
fn alike(each: impl Iterator<Item = Option<String>>) -> Option<String> {
    let each: Vec<Option<String>> = each.collect();
    if each.iter().all(Option::is_none) {
        return None;
    }
    let each: Vec<String> = each.into_iter().map(|word| word.unwrap_or_else(|| "not read".to_owned())).collect();
    if each.windows(2).all(|pair| pair[0] == pair[1]) {
        return each.into_iter().next();
    }
    let numbered = each.iter().enumerate().map(|(number, word)| format!("GPU {number}: {word}"));
    Some(numbered.collect::<Vec<_>>().join("; "))
}

fn modes(socket: &Socket<'_>) -> Option<String> {
    Some(format!("{}/{}", words(&socket.compute())?, words(&socket.memory())?))
}

/// `6 x 24576 MiB, 2 x 24568 MiB`, in the order of the partitions; exact, since bytes are what changes.
fn memory(nodes: &[&KfdNode]) -> Option<String> {
    let mut runs: Vec<(Bytes, usize)> = Vec::new();
    for node in nodes {
        let size = *node.memory.value()?;
        match runs.last_mut() {
            Some((last, count)) if *last == size => *count += 1,
            Some(_) | None => runs.push((size, 1)),
        }
    }
    let shown = |(size, count): &(Bytes, usize)| match size.0.is_multiple_of(1 << 20) {
        true => format!("{count} x {size}"),
        false => format!("{count} x {} bytes", size.0),
    };
    (!runs.is_empty()).then(|| runs.iter().map(shown).collect::<Vec<_>>().join(", "))
}

fn without_disks(line: &str) -> String {
    let names_a_disk = |word: &&str| DISKS.contains(&word.split('=').next().unwrap_or_default());
    line.split_whitespace().filter(|word| !names_a_disk(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_that_are_alike_are_told_once_and_others_each() {
        let said = |words: &[Option<&str>]| alike(words.iter().map(|word| word.map(str::to_owned)));
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[None, None]), None);
        assert_eq!(said(&[Some("SPX"), Some("SPX")]).as_deref(), Some("SPX"));
        assert_eq!(said(&[Some("SPX"), None]).as_deref(), Some("GPU 0: SPX; GPU 1: not read"));
    }

    #[test]
    fn the_command_line_is_kept_without_its_disks() {
        let line = "BOOT_IMAGE=/vmlinuz root=UUID=0-1 ro amdgpu.noretry=0 iommu=pt resume=/dev/sda2";
        assert_eq!(without_disks(line), "ro amdgpu.noretry=0 iommu=pt");
    }

    #[test]
    fn memory_is_told_to_the_byte() {
        let nodes: Vec<KfdNode> = [24 << 30, 24 << 30, (24 << 30) - 1]
            .map(|bytes| KfdNode { memory: Reading::Value(Bytes(bytes)), ..KfdNode::unread(1, 1) })
            .into();
        let nodes: Vec<&KfdNode> = nodes.iter().collect();
        assert_eq!(memory(&nodes).as_deref(), Some("2 x 24576 MiB, 1 x 25769803775 bytes"));
        assert_eq!(memory(&[&KfdNode::unread(1, 1)]), None, "a node of which nothing was read");
    }
}
