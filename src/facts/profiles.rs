//! Partition profiles as amd-smi lists them: order, memory modes, and the engines of one partition.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{ComputeMode, Confidence, KernelRules, MemoryMode, Source};

use super::embedded;
use super::entry::Entry;
use super::modes::kernel_allows;
use super::parts::{Part, parts};

/// One profile of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Position in the list, which `set -C INDEX` takes.
    pub index: u32,
    /// Compute mode.
    pub compute: ComputeMode,
    /// Memory modes that go with it; empty where the kernel shows none (APUs).
    pub memory_caps: Vec<MemoryMode>,
    /// What one partition gets, in amd-smi's order. Only XCCs where nobody has shown the rest.
    pub resources: Vec<Resource>,
}

/// Engines of one kind that one partition gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// Which.
    pub kind: ResourceKind,
    /// Instances that one partition sees.
    pub instances: u32,
    /// Partitions that share them.
    pub shared: u32,
}

/// A kind of engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// Compute dies.
    Xcc,
    /// Video decoders.
    Decoder,
    /// Copy engines.
    Dma,
    /// JPEG decoders.
    Jpeg,
}

impl ResourceKind {
    /// The name in amd-smi's RESOURCE_TYPE column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xcc => "XCC",
            Self::Decoder => "DECODER",
            Self::Dma => "DMA",
            Self::Jpeg => "JPEG",
        }
    }
}

/// Profiles of a part in index order; empty where it has no partitions. Memory modes are those that firmware is known
/// to offer and the newest kernel allows.
///
/// Source: facts/amd-smi.md 1.3; facts/partitions.md 2.3 (capture amdsmi#132) [C].
pub fn profiles(part: &Part) -> Vec<Profile> {
    let engines = engines().iter().find(|engines| engines.part == part.id);
    (0..)
        .zip(part.compute_modes())
        .map(|(index, &compute)| {
            let allowed = |&memory: &MemoryMode| kernel_allows(part, compute, memory, KernelRules::Latest).is_ok();
            let offered = if part.apu { &[] } else { part.memory_modes.as_slice() };
            Profile {
                index,
                compute,
                memory_caps: offered.iter().copied().filter(allowed).collect(),
                resources: resources(part, compute, engines),
            }
        })
        .collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Engines {
    part: String,
    dma: u32,
    decoders: u32,
    jpeg_blocks: u32,
    jpeg_rings: u32,
    source: Source,
}

fn engines() -> &'static [Engines] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        engines: Vec<Engines>,
    }
    static TABLE: LazyLock<File> =
        LazyLock::new(|| embedded::table("profiles.toml", include_str!("data/profiles.toml")));
    &TABLE.engines
}

/// The kernel's arithmetic: `aqua_vanjaram_get_xcp_res_info`, ROCm/amdgpu @1c5625e6 [C].
fn resources(part: &Part, compute: ComputeMode, engines: Option<&Engines>) -> Vec<Resource> {
    use ResourceKind::{Decoder, Dma, Jpeg, Xcc};
    let devices = compute.devices(part.xccs).max(1);
    let of = |kind, blocks: u32, rings: u32| match blocks {
        blocks if blocks >= devices => Resource { kind, instances: blocks / devices * rings, shared: 1 },
        blocks => Resource { kind, instances: rings, shared: devices / blocks.max(1) },
    };
    let mut all = vec![of(Xcc, part.xccs, 1)];
    if let Some(engines) = engines {
        all.push(of(Decoder, engines.decoders, 1));
        all.push(of(Dma, engines.dma, 1));
        all.push(of(Jpeg, engines.jpeg_blocks, engines.jpeg_rings));
    }
    all
}

/// The profiles of each partitionable part as an entry: `fact.profiles.mi300x`.
pub(super) fn profile_entries() -> impl Iterator<Item = Entry> {
    parts().iter().filter(|part| part.partitionable).map(|part| {
        let lines: Vec<_> = profiles(part).iter().map(sentence).collect();
        let known = engines().iter().find(|engines| engines.part == part.id);
        let source = known.map_or_else(
            || Source {
                cite: "facts/amd-smi.md 1.3; amdgpu_xcp_update_supported_modes; engines other than XCCs not shown by anyone"
                    .into(),
                confidence: Confidence::Likely,
            },
            |engines| engines.source.clone(),
        );
        Entry {
            id: format!("fact.profiles.{}", part.machine_name()),
            title: format!("Partition profiles of {}", part.id),
            what: lines.join("; ") + ".",
            why: "`set -C INDEX` takes a position in this list, and the list depends on the part.".into(),
            source,
            what_to_do: "Set modes by name. NUM_PARTITIONS 0 or 4294967295 in this list is a bug of the tool.".into(),
            see: vec![format!("fact.part.{}", part.machine_name()), "bug.rocm-systems-4516".into()],
        }
    })
}

fn sentence(profile: &Profile) -> String {
    let caps: Vec<_> = profile.memory_caps.iter().map(|mode| mode.name()).collect();
    let caps = if caps.is_empty() { "N/A".to_owned() } else { caps.join(",") };
    let engines: Vec<_> = profile
        .resources
        .iter()
        .map(|each| match each.shared {
            1 => format!("{} {}", each.instances, each.kind.name()),
            shared => format!("{} {} shared by {shared}", each.instances, each.kind.name()),
        })
        .collect();
    format!("{} {} ({caps}): {}", profile.index, profile.compute, engines.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::part;
    use super::*;

    fn sentences(name: &str) -> Vec<String> {
        profiles(part(name).unwrap()).iter().map(sentence).collect()
    }

    #[test]
    fn mi300x_lists_what_the_capture_lists() {
        let captured = [
            "0 SPX (NPS1): 8 XCC, 4 DECODER, 16 DMA, 32 JPEG",
            "1 DPX (NPS1): 4 XCC, 2 DECODER, 8 DMA, 16 JPEG",
            "2 QPX (NPS1,NPS4): 2 XCC, 1 DECODER, 4 DMA, 8 JPEG",
            "3 CPX (NPS1,NPS4): 1 XCC, 1 DECODER shared by 2, 2 DMA, 8 JPEG shared by 2",
        ];
        assert_eq!(sentences("mi300x"), captured, "amdsmi#132");
    }

    #[test]
    fn mi308x_starts_as_its_sysfs_shows() {
        assert_eq!(sentences("mi308x")[0], "0 SPX (NPS1): 4 XCC, 4 DECODER, 8 DMA, 32 JPEG");
        assert_eq!(sentences("mi308x")[2], "2 CPX (NPS1,NPS4): 1 XCC, 1 DECODER, 2 DMA, 8 JPEG");
    }

    #[test]
    fn an_apu_lists_no_memory_modes_and_a_radeon_no_profiles() {
        assert_eq!(sentences("mi300a"), ["0 SPX (N/A): 6 XCC", "1 TPX (N/A): 2 XCC", "2 CPX (N/A): 1 XCC"]);
        assert_eq!(sentences("mi350x")[3], "3 CPX (NPS1,NPS2): 1 XCC");
        assert!(sentences("rx7900xtx").is_empty());
    }
}
