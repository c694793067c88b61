//! Pairs of compute and memory partition, part by part: what firmware offers, and the evidence.

use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{ComputeMode, MemoryMode, Source};

use super::embedded;
use super::entry::Entry;
use super::memory::memory_per_device;
use super::parts::part;

/// One pair on one part that the newest kernel allows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Combo {
    /// The part, by id.
    pub part: String,
    /// Compute partition.
    pub compute: ComputeMode,
    /// Memory partition.
    pub memory: MemoryMode,
    /// Whether firmware offers the memory mode.
    pub firmware: Firmware,
    /// What AMD's documents say of the pair.
    pub amd_docs: String,
    /// Where the sizes of its devices come from.
    pub bytes_evidence: String,
    /// Anything else.
    pub note: Option<String>,
    /// Who says that it is legal.
    pub source: Source,
}

/// Whether firmware offers a memory mode on a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// It does.
    Yes,
    /// Newer firmware does.
    Newer,
    /// Only the BIOS sets it, at boot.
    Boot,
    /// The kernel allows the pair, and firmware does not offer it.
    No,
    /// Nobody has shown it.
    Unknown,
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Yes => "firmware offers it",
            Self::Newer => "newer firmware offers it",
            Self::Boot => "the BIOS sets it at boot only",
            Self::No => "firmware does not offer it",
            Self::Unknown => "nobody has shown that firmware offers it",
        })
    }
}

/// Every pair that the newest kernel allows, part by part.
pub fn combos() -> &'static [Combo] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        combo: Vec<Combo>,
    }
    static TABLE: LazyLock<File> = LazyLock::new(|| embedded::table("combos.toml", include_str!("data/combos.toml")));
    &TABLE.combo
}

/// The pair on a part (by id), if the newest kernel allows it and the facts list it.
pub fn combo(part: &str, compute: ComputeMode, memory: MemoryMode) -> Option<&'static Combo> {
    combos().iter().find(|each| each.part == part && each.compute == compute && each.memory == memory)
}

/// Every pair as an entry: `fact.mode.mi300x.cpx-nps4`.
pub(super) fn combo_entries() -> impl Iterator<Item = Entry> {
    combos().iter().map(|each| {
        let name = each.part.to_lowercase();
        let pair = format!("{}/{}", each.compute, each.memory);
        Entry {
            id: format!("fact.mode.{name}.{}", pair.to_lowercase().replace('/', "-")),
            title: format!("{pair} on {}", each.part),
            what: format!("The newest kernel allows it; {}. {}", each.firmware, devices(each)),
            why: format!(
                "AMD's documents: {}. Sizes: {}.{}",
                each.amd_docs,
                each.bytes_evidence,
                each.note.as_ref().map(|note| format!(" Note: {note}.")).unwrap_or_default()
            ),
            source: each.source.clone(),
            what_to_do: match each.firmware {
                Firmware::Yes => String::new(),
                Firmware::Newer | Firmware::Boot | Firmware::No | Firmware::Unknown => {
                    "Read available_memory_partition before asking for it.".to_owned()
                }
            },
            see: vec![format!("fact.part.{name}"), "fact.memory-formula".into(), "fact.kernel-rules.latest".into()],
        }
    })
}

/// How many devices the pair makes and what memory each has.
fn devices(combo: &Combo) -> String {
    let Some(part) = part(&combo.part) else { return String::new() };
    let count = combo.compute.devices(part.xccs);
    let sizes = match memory_per_device(part, combo.compute, combo.memory) {
        Some(sizes) => sizes.iter().map(|size| size.mib().to_string()).collect::<Vec<_>>().join(", ") + " MiB",
        None => "the kernel's TTM limit divided by the devices".to_owned(),
    };
    format!("Devices per GPU: {count}; memory: {sizes}.")
}

#[cfg(test)]
mod tests {
    use super::super::kernel_allows;
    use super::*;
    use crate::domain::KernelRules;

    #[test]
    fn every_listed_pair_is_one_that_the_newest_kernel_allows() {
        for each in combos() {
            let part = part(&each.part).unwrap();
            let allowed = kernel_allows(part, each.compute, each.memory, KernelRules::Latest);
            assert_eq!(allowed, Ok(()), "{} {}/{}", each.part, each.compute, each.memory);
        }
        assert_eq!(combos().len(), 42);
    }
}
