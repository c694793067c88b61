//! What the workers of cases were made of, as facts of the stack that they ran on.

use std::collections::{BTreeMap, BTreeSet};

use crate::witness::{ProbeCame, ProbeDone};

use super::record::CaseRecord;

/// This program itself, which the record of a run names anyway.
const OURS: &str = "validate";

/// Versions by the names of the libraries; several where processes differ.
pub(super) fn of_probes(probes: &[ProbeDone]) -> BTreeMap<String, BTreeSet<String>> {
    let processes = probes.iter().flat_map(|probe| match &probe.came {
        ProbeCame::Ran(processes) => processes.as_slice(),
        ProbeCame::NotRun { .. } => &[],
    });
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, version) in processes.flat_map(|process| &process.libraries).filter(|(name, _)| *name != OURS) {
        found.entry(name.clone()).or_default().insert(version.clone());
    }
    found
}

/// What the workers of these cases together had loaded, in the words of [`super::Environment`]`::stack`: `torch`, `hip`,
/// `miopen`, `libamdhip64`. Empty where no worker said anything.
pub fn loaded<'a>(cases: impl IntoIterator<Item = &'a CaseRecord>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, versions) in cases.into_iter().flat_map(|case| &case.loaded) {
        all.entry(name).or_default().extend(versions.iter().map(String::as_str));
    }
    let words = |versions: BTreeSet<&str>| versions.into_iter().collect::<Vec<_>>().join(", ");
    all.into_iter().map(|(name, versions)| (name.to_owned(), words(versions))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(loaded: &str) -> CaseRecord {
        let text = format!(
            r#"{{"id":"x","title":"","why":"","source":"","status":"pass","findings":[],"duration":0{loaded}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn versions_of_all_cases_are_one_fact_for_each_library() {
        let cases = [
            case(r#","loaded":{"torch":["2.7.0+rocm6.3"],"hip":["6.3"]}"#),
            case(""),
            case(r#","loaded":{"torch":["2.7.0+rocm6.3","2.5.1+rocm6.2"]}"#),
        ];
        let told: Vec<String> = loaded(&cases).iter().map(|(name, words)| format!("{name}: {words}")).collect();
        assert_eq!(told, ["hip: 6.3", "torch: 2.5.1+rocm6.2, 2.7.0+rocm6.3"]);
        assert!(loaded(&cases[1..2]).is_empty());
    }
}
