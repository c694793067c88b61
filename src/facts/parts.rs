//! The parts table: what each GPU is.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{Bytes, ComputeMode, MemoryMode, Source};

/// One GPU product.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Name as AMD writes it, without the family: `MI300X`, `RX 5700 XT`.
    pub id: String,
    /// Marketing name: `AMD Instinct MI300X`.
    pub marketing: String,
    /// Native ISA: `gfx942`.
    pub gfx: String,
    /// `gfx_target_version` in KFD: major * 10000 + minor * 100 + step.
    pub gfx_target_version: u32,
    /// PCI device ids of the physical function.
    pub pci_ids: Vec<u16>,
    /// PCI device ids of its virtual functions.
    pub vf_pci_ids: Vec<u16>,
    /// XCCs after harvesting; 1 for parts without them.
    pub xccs: u32,
    /// IO dies; 0 where the word does not apply.
    pub iods: u32,
    /// Compute units for each XCC.
    pub cus_per_xcc: u32,
    /// SIMDs for each compute unit, as KFD counts them.
    pub simds_per_cu: u32,
    /// Memory on the box, GiB.
    pub nominal_gib: u32,
    /// VRAM that the driver reports; `None` where it follows a kernel limit (MI300A).
    pub driver_vram: Option<Bytes>,
    /// Shares its memory with the CPU.
    pub apu: bool,
    /// Has partition files at all.
    pub partitionable: bool,
    /// NPS modes that firmware is known to offer.
    pub memory_modes: Vec<MemoryMode>,
    /// Who says so.
    pub source: Source,
}

impl Part {
    /// The name on the command line and in machine files: lower case without blanks (`rx5700xt`).
    pub fn machine_name(&self) -> String {
        self.id.to_lowercase().replace(' ', "")
    }

    /// Compute modes of this part, in profile-index order; empty where it has no partitions.
    /// Source: `amdgpu_xcp_update_supported_modes`, facts/partitions.md 2.1 [C].
    pub fn compute_modes(&self) -> &'static [ComputeMode] {
        use ComputeMode::{Cpx, Dpx, Qpx, Spx, Tpx};
        match (self.partitionable, self.xccs) {
            (false, _) => &[],
            (true, 8) => &[Spx, Dpx, Qpx, Cpx],
            (true, 6) => &[Spx, Tpx, Cpx],
            (true, 4) => &[Spx, Dpx, Cpx],
            (true, _) => &[Spx, Cpx],
        }
    }
}

/// Every part.
pub fn parts() -> &'static [Part] {
    #[derive(Deserialize)]
    struct File {
        part: Vec<Part>,
    }
    static PARTS: LazyLock<Vec<Part>> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "embedded data; a unit test reads it")]
        let file: File = toml::from_str(include_str!("data/parts.toml")).expect("the embedded parts table is valid");
        file.part
    });
    &PARTS
}

/// The part with this id or machine name, in any case.
pub fn part(name: &str) -> Option<&'static Part> {
    parts().iter().find(|part| part.id.eq_ignore_ascii_case(name) || part.machine_name().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_and_every_part_is_found_by_its_machine_name() {
        assert_eq!(parts().len(), 15);
        for each in parts() {
            assert_eq!(part(&each.machine_name()), Some(each));
        }
    }
}
