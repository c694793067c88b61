//! The parts table: what each GPU is.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{Bytes, ComputeMode, MemoryMode, Source};

use super::embedded;
use super::entry::Entry;

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
    #[serde(deny_unknown_fields)]
    struct File {
        part: Vec<Part>,
    }
    static PARTS: LazyLock<Vec<Part>> = LazyLock::new(|| {
        let file: File = embedded::table("parts.toml", include_str!("data/parts.toml"));
        file.part
    });
    &PARTS
}

/// The part with this id or machine name, in any case.
pub fn part(name: &str) -> Option<&'static Part> {
    parts().iter().find(|part| part.id.eq_ignore_ascii_case(name) || part.machine_name().eq_ignore_ascii_case(name))
}

/// Every part as an entry: `fact.part.mi300x`.
pub(super) fn part_entries() -> impl Iterator<Item = Entry> {
    parts().iter().map(|part| {
        let name = part.machine_name();
        let mut see = Vec::new();
        if part.partitionable {
            see.extend([format!("fact.profiles.{name}"), "fact.memory-formula".into(), "fact.supported-modes".into()]);
        }
        Entry {
            id: format!("fact.part.{name}"),
            title: part.marketing.clone(),
            what: sentence(part),
            why: "Counts, sizes and legal modes follow from the part; the PCI device id names it.".into(),
            source: part.source.clone(),
            what_to_do: String::new(),
            see,
        }
    })
}

fn sentence(part: &Part) -> String {
    let ids = |ids: &[u16]| ids.iter().map(|id| format!("{id:04x}")).collect::<Vec<_>>().join(", ");
    let names = |names: Vec<&'static str>| if names.is_empty() { "none".to_owned() } else { names.join(" ") };
    let functions = match part.vf_pci_ids.as_slice() {
        [] => String::new(),
        vf => format!(" (virtual functions {})", ids(vf)),
    };
    let vram = match part.driver_vram {
        Some(vram) => format!("{vram} ({} bytes) as the driver reports it", vram.0),
        None => "as much as the kernel's TTM limit lets the driver report".to_owned(),
    };
    format!(
        "{} (KFD {}), PCI {}{functions}. {} XCC x {} CU, {} SIMDs per CU. Memory {} GiB, {vram}. Compute partitions: {}; \
         memory modes that firmware is known to offer: {}.",
        part.gfx,
        part.gfx_target_version,
        ids(&part.pci_ids),
        part.xccs,
        part.cus_per_xcc,
        part.simds_per_cu,
        part.nominal_gib,
        names(part.compute_modes().iter().map(|mode| mode.name()).collect()),
        names(part.memory_modes.iter().map(|mode| mode.name()).collect()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_keeps_16_mib_of_every_discrete_part() {
        for each in parts() {
            let nominal = Bytes::from_gib(u64::from(each.nominal_gib)).unwrap();
            let expected = (!each.apu).then(|| Bytes(nominal.0 - (16 << 20)));
            assert_eq!(each.driver_vram, expected, "{}", each.id);
        }
    }

    #[test]
    fn kfd_counts_simds_as_the_captures_show() {
        let simds = |name: &str, xccs: u32| {
            let part = part(name).unwrap();
            xccs * part.cus_per_xcc * part.simds_per_cu
        };
        assert_eq!([simds("mi300x", 8), simds("mi300x", 1), simds("mi308x", 1)], [1216, 152, 80]);
    }

    #[test]
    fn the_isa_and_its_kfd_number_agree() {
        for each in parts() {
            let (major, minor, step) =
                (each.gfx_target_version / 10_000, each.gfx_target_version / 100 % 100, each.gfx_target_version % 100);
            assert_eq!(each.gfx, format!("gfx{major}{minor}{step:x}"), "{}", each.id);
        }
    }

    #[test]
    fn the_table_reads_and_every_part_is_found_by_its_machine_name() {
        assert_eq!(parts().len(), 15);
        for each in parts() {
            assert_eq!(part(&each.machine_name()), Some(each));
        }
    }
}
