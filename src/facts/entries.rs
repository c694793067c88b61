//! Everything that can be explained, in one list.

use std::sync::LazyLock;

use super::amd_smi::amd_smi_entries;
use super::combos::combo_entries;
use super::contradictions::contradiction_entries;
use super::entry::Entry;
use super::models::model_entries;
use super::notes::note_entries;
use super::parts::part_entries;
use super::profiles::profile_entries;
use super::signatures::signature_entries;
use super::tolerance::tolerance_entry;
use super::tuning::tuning_entries;

/// Every fact, bug and contradiction, sorted by table.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        contradiction_entries()
            .chain(part_entries())
            .chain(combo_entries())
            .chain(profile_entries())
            .chain(model_entries())
            .chain(note_entries())
            .chain([tolerance_entry()])
            .chain(amd_smi_entries())
            .chain(signature_entries())
            .chain(tuning_entries())
            .collect()
    });
    &ENTRIES
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_distinct_and_can_be_typed() {
        let mut seen = HashSet::new();
        for entry in entries() {
            assert!(seen.insert(entry.id.to_lowercase()), "{} twice", entry.id);
            assert!(entry.id.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)), "{}", entry.id);
        }
    }

    #[test]
    fn every_entry_says_what_why_and_who() {
        for entry in entries() {
            for text in [&entry.title, &entry.what, &entry.why, &entry.source.cite] {
                assert!(!text.trim().is_empty() && !text.contains('\n'), "{}", entry.id);
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let ids: HashSet<_> = entries().iter().map(|entry| entry.id.as_str()).collect();
        for entry in entries() {
            for see in entry.see.iter().filter(|see| !see.starts_with("scenarios/")) {
                assert!(ids.contains(see.as_str()), "{} refers to {see}", entry.id);
            }
        }
    }

    #[test]
    fn the_ids_that_documents_name_are_there() {
        for id in [
            "fact.part.mi300x",
            "fact.memory-formula",
            "fact.model.llama-3.1-8b",
            "fact.model-fit",
            "fact.tolerance",
            "fact.mode.mi300x.cpx-nps4",
            "fact.auto-mode",
            "fact.amd-smi.version.26.2.1",
            "fact.amd-smi.exit-codes.27",
            "fact.amd-smi.status.30",
            "bug.amdsmi-100",
            "contradiction.48-vs-24",
            "signature.hsa_memory_access_fault",
            "death.page-fault",
            "param.vm_fragment_size",
            "env.HSA_XNACK",
            "mitigation.native-build",
        ] {
            assert!(entries().iter().any(|entry| entry.id == id), "{id}");
        }
    }
}
