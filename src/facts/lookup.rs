//! From what somebody typed to the entries that were meant.

use super::amd_smi::bug;
use super::entries::entries;
use super::entry::Entry;

/// What an id names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// Exactly this entry.
    One(&'a Entry),
    /// Every entry whose id starts with these words.
    Group(Vec<&'a Entry>),
    /// Nothing.
    Unknown {
        /// The id that may have been meant.
        nearest: Option<&'a str>,
    },
}

/// Longest id that is compared, in characters: what is typed comes from outside.
const LIMIT: usize = 100;

/// Below this similarity (Jaro-Winkler, 0 to 1) a name is not worth suggesting.
const SIMILAR: f64 = 0.75;

/// Looks an id up among the facts and `extra` entries (the checks'), in any case. An upstream issue
/// (`amdsmi#100`) finds the bug; words that begin several ids (`contradiction`, `fact.mode.mi300x`) find all of them.
pub fn lookup<'a>(id: &str, extra: &'a [Entry]) -> Lookup<'a> {
    let typed: String = id.trim().chars().take(LIMIT).collect();
    let all = || entries().iter().chain(extra);
    let wanted = match bug(&typed) {
        Some(bug) if typed.contains('#') => bug.entry_id().to_lowercase(),
        // Reports write `check/finding`.
        Some(_) | None => typed.to_lowercase().replace('/', "."),
    };
    if let Some(entry) = all().find(|entry| entry.id.to_lowercase() == wanted) {
        return Lookup::One(entry);
    }
    let group: Vec<_> = all().filter(|entry| begins(&entry.id.to_lowercase(), &wanted)).collect();
    if !group.is_empty() {
        return Lookup::Group(group);
    }
    let score = |entry: &Entry| strsim::jaro_winkler(&wanted, &entry.id.to_lowercase());
    let nearest = all()
        .map(|entry| (score(entry), entry.id.as_str()))
        .filter(|&(score, _)| score >= SIMILAR)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, id)| id);
    Lookup::Unknown { nearest }
}

/// Whether `id` starts with whole words: `bug.amdsmi` begins `bug.amdsmi-100`, `bug.amd` does not.
fn begins(id: &str, words: &str) -> bool {
    let words = words.trim_end_matches('.');
    !words.is_empty() && id.strip_prefix(words).is_some_and(|rest| rest.starts_with(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Confidence, Source};

    fn found(id: &str) -> String {
        match lookup(id, &[]) {
            Lookup::One(entry) => entry.id.clone(),
            Lookup::Group(group) => format!("{} entries", group.len()),
            Lookup::Unknown { nearest } => format!("? {}", nearest.unwrap_or("nothing near")),
        }
    }

    #[test]
    fn an_id_an_issue_or_a_slip_finds_its_entry() {
        for (typed, expected) in [
            ("fact.part.mi300x", "fact.part.mi300x"),
            ("FACT.PART.MI300X ", "fact.part.mi300x"),
            ("amdsmi#100", "bug.amdsmi-100"),
            ("ROCm/amdsmi#100", "bug.amdsmi-100"),
            ("rocm-systems#8491", "bug.amdsmi-100"),
            ("ROCm#4750", "bug.ROCm-4750"),
            ("contradiction.48-vs-42", "? contradiction.48-vs-24"),
            ("contradiction.amd-smi-qery", "? contradiction.amd-smi-query"),
            ("fact.mode.mi308x", "5 entries"),
            ("fact.mode.mi308x.", "5 entries"),
            ("fact/mode/mi308x/cpx-nps4", "fact.mode.mi308x.cpx-nps4"),
            ("", "? nothing near"),
            (".", "? nothing near"),
            ("zzzzzz", "? nothing near"),
            ("bug.amd", "? bug.amdsmi-99"),
        ] {
            assert_eq!(found(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn entries_of_checks_are_found_with_the_facts() {
        let source = Source { cite: "none".into(), confidence: Confidence::Certain };
        let check = Entry {
            id: "memory.per-device".into(),
            title: "t".into(),
            what: "w".into(),
            why: "y".into(),
            source,
            what_to_do: String::new(),
            see: vec![],
        };
        let extra = [check];
        assert_eq!(lookup("memory.per-device", &extra), Lookup::One(&extra[0]));
        assert_eq!(lookup("memory", &extra), Lookup::Group(vec![&extra[0]]));
        assert_eq!(lookup("memory.per-devise", &extra), Lookup::Unknown { nearest: Some("memory.per-device") });
    }

    #[test]
    fn a_long_or_odd_id_is_no_trouble() {
        for typed in ["a".repeat(1_000_000), "\u{0}\u{fffd}…".repeat(50), "#".repeat(200)] {
            assert!(matches!(lookup(&typed, &[]), Lookup::Unknown { .. }));
        }
    }
}
