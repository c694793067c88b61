//! Facts of the environment, side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::run::{Environment, RunRecord};

/// One fact that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct FactChange {
    /// Which.
    pub name: String,
    /// In the base; every value where its runs differ. `not read` where nobody could tell.
    pub base: String,
    /// In the candidate.
    pub candidate: String,
}

/// Values of each fact on one side.
type Values<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

const NOT_READ: &str = "not read";

/// Facts that differ between the environments of two sides; `also` tells whether one that is the same on both, with
/// several values, counts as differing.
pub(super) fn differences<'a>(
    base: &[&'a BTreeMap<String, String>],
    candidate: &[&'a BTreeMap<String, String>],
    mixed_differ: bool,
) -> Vec<FactChange> {
    let names: BTreeSet<&str> = base.iter().chain(candidate).flat_map(|map| map.keys().map(String::as_str)).collect();
    let (base, candidate) = (values(base, &names), values(candidate, &names));
    let mut all = Vec::new();
    for name in names {
        let (Some(one), Some(other)) = (base.get(name), candidate.get(name)) else { continue };
        if one != other || (mixed_differ && one.len() > 1) {
            all.push(FactChange { name: name.to_owned(), base: joined(one), candidate: joined(other) });
        }
    }
    all
}

/// Empty for a side that states nothing at all: then nothing that is stated differs.
fn values<'a>(maps: &[&'a BTreeMap<String, String>], names: &BTreeSet<&'a str>) -> Values<'a> {
    if maps.is_empty() {
        return Values::new();
    }
    let of = |name: &&'a str| maps.iter().map(|map| map.get(*name).map_or(NOT_READ, String::as_str)).collect();
    names.iter().map(|name| (*name, of(name))).collect()
}

fn joined(values: &BTreeSet<&str>) -> String {
    values.iter().copied().collect::<Vec<_>>().join(" | ")
}

/// What changed of the hosts that the runs were given, and of the program that judged.
pub(super) fn of_runs(base: &[RunRecord], candidate: &[RunRecord]) -> Vec<FactChange> {
    let stated = |runs: &[RunRecord]| -> Vec<BTreeMap<String, String>> {
        runs.iter().filter_map(|run| run.environment.as_ref()).map(merged).collect()
    };
    let (one, other) = (stated(base), stated(candidate));
    let mut all = differences(&one.iter().collect::<Vec<_>>(), &other.iter().collect::<Vec<_>>(), false);
    let program = |runs: &[RunRecord]| -> Vec<BTreeMap<String, String>> {
        runs.iter().map(|run| [("rocvet".to_owned(), run.run.rocvet.clone())].into()).collect()
    };
    let (one, other) = (program(base), program(candidate));
    all.extend(differences(&one.iter().collect::<Vec<_>>(), &other.iter().collect::<Vec<_>>(), false));
    all
}

fn merged(environment: &Environment) -> BTreeMap<String, String> {
    let Environment { machine, stack } = environment;
    machine.iter().chain(stack).map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn facts_differ_when_their_values_do_and_what_nobody_states_does_not() {
        let (spx, cpx) = (map(&[("modes", "SPX"), ("gpus", "8")]), map(&[("modes", "CPX"), ("gpus", "8")]));
        let unread = map(&[("gpus", "8")]);
        let told = |base: &[&_], candidate: &[&_], mixed| {
            let all = differences(base, candidate, mixed);
            all.iter().map(|each| format!("{}: {} -> {}", each.name, each.base, each.candidate)).collect::<Vec<_>>()
        };
        assert_eq!(told(&[&spx], &[&spx], true), [""; 0]);
        assert_eq!(told(&[&spx], &[&cpx], true), ["modes: SPX -> CPX"]);
        assert_eq!(told(&[&spx], &[&unread], true), ["modes: SPX -> not read"]);
        assert_eq!(told(&[&spx], &[], true), [""; 0], "a side that states nothing");
        assert_eq!(told(&[&spx, &cpx], &[&spx, &cpx], true), ["modes: CPX | SPX -> CPX | SPX"]);
        assert_eq!(told(&[&spx, &cpx], &[&spx, &cpx], false), [""; 0]);
    }
}
