//! What people set against crashes, and what it does: kernel parameters, environment variables, mitigations, and which
//! torch, ROCm and kernel go together.

mod mitigation;
mod pairing;
mod parameter;
mod variable;

use super::entry::Entry;

pub use mitigation::{Mitigation, MitigationKind, Report, Reported, mitigation, mitigations};
pub use pairing::{Build, BuildKind, Pairing, Trouble, builds, pairings, troubles};
pub use parameter::{
    Opposites, Parameter, ParameterDefault, ParameterKind, list, opposites, parameter, parameter_holds, parameters,
};
pub use variable::{Reality, Variable, known_variable_names, variable, variables};

/// Every entry of these tables.
pub(super) fn tuning_entries() -> impl Iterator<Item = Entry> {
    parameter::entries().chain(variable::entries()).chain(mitigation::entries()).chain(pairing::entries())
}

/// Whether an ISA begins with one of these; an empty list is every ISA.
fn is_among(families: &[String], gfx: &str) -> bool {
    families.is_empty() || families.iter().any(|family| gfx.starts_with(family.as_str()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::Source;

    /// Every source of these tables.
    fn sources() -> Vec<(String, &'static Source)> {
        let parameters = parameters().iter().flat_map(|each| {
            let own = std::iter::once((each.name.clone(), &each.source));
            own.chain(each.defaults.iter().map(|row| (format!("{} = {}", each.name, row.value), &row.source)))
        });
        let variables = variables().iter().map(|each| (each.names.join(" "), &each.source));
        let mitigations = mitigations().iter().flat_map(|each| {
            let own = std::iter::once((each.id.clone(), &each.source));
            own.chain(each.reports.iter().map(|report| (format!("{} {:?}", each.id, report.on), &report.source)))
        });
        let pairings = pairings().iter().map(|each| (each.torch.to_string(), &each.source));
        let builds = builds().iter().map(|each| (each.id.clone(), &each.source));
        let troubles = troubles().iter().map(|each| (each.id.clone(), &each.source));
        let opposites = opposites().iter().map(|each| (each.asked.join("="), &each.source));
        parameters
            .chain(opposites)
            .chain(variables)
            .chain(mitigations)
            .chain(pairings)
            .chain(builds)
            .chain(troubles)
            .collect()
    }

    /// Sections of a document, by the number in their headings.
    fn sections(text: &str) -> BTreeSet<&str> {
        let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
        headings.filter_map(|heading| heading.split('.').next()).collect()
    }

    #[test]
    fn every_row_says_who_says_so() {
        let sources = sources();
        assert!(sources.len() > 120, "{}", sources.len());
        for (row, source) in sources {
            assert!(source.cite.len() > 10 && source.cite.contains(['#', '.']), "{row}: {:?}", source.cite);
        }
    }

    #[test]
    fn every_section_of_the_document_that_is_cited_is_there() {
        let text = include_str!("../../../facts/rdna.md");
        let sections = sections(text);
        assert!(sections.contains("3") && !sections.contains("99"), "{sections:?}");
        let mut cited = BTreeSet::new();
        for (row, source) in sources() {
            for (_, rest) in
                source.cite.match_indices("facts/rdna.md ").map(|(at, found)| (at, &source.cite[at + found.len()..]))
            {
                let list = rest.split([';', '(']).next().unwrap_or_default();
                let list = list.strip_prefix("sections ").or(list.strip_prefix("section "));
                for word in
                    list.unwrap_or_else(|| panic!("{row}: {rest}")).split([',', ' ']).filter(|word| !word.is_empty())
                {
                    if word.bytes().all(|byte| byte.is_ascii_digit()) {
                        assert!(sections.contains(word), "{row} cites section {word}");
                        cited.insert(word.to_owned());
                    } else {
                        assert!(["and", "item", "to"].contains(&word), "{row}: {word:?}");
                    }
                }
            }
        }
        assert!(["0", "1", "2", "3", "4", "5"].iter().all(|section| cited.contains(*section)), "{cited:?}");
    }

    #[test]
    fn what_a_mitigation_sets_is_in_the_tables() {
        for each in mitigations() {
            for name in each.set.keys() {
                assert!(variable(name).is_some() || parameter(name).is_some(), "{}: {name}", each.id);
            }
        }
    }
}
