//! Variables of ROCm and torch that are exported here and reach no worker: a worker has only what it is given by name, and
//! nobody should believe otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::probe::supervise::INHERITED;
use crate::witness::tuning::read_environment;

use super::console;
use super::values::quoted;

/// How a worker is given a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By an option of the command.
    Option,
    /// By the scenario.
    Step,
}

/// Says which of them there are, beside those that are given by name.
pub fn note(given: &BTreeSet<String>, how: How) {
    let exported = read_environment(Path::new("/proc")).value().cloned().unwrap_or_default();
    if let Some(told) = told(&exported, given, how) {
        console::note(&told);
    }
}

fn told(exported: &BTreeMap<String, String>, given: &BTreeSet<String>, how: How) -> Option<String> {
    let dropped = exported.iter().filter(|(name, _)| !given.contains(*name) && !INHERITED.contains(&name.as_str()));
    let dropped: Vec<_> = dropped.collect();
    if dropped.is_empty() {
        return None;
    }
    let how = match how {
        How::Option => {
            let option = |(name, value): &(&String, &String)| format!(" --env {}", quoted(&format!("{name}={value}")));
            format!("to pass them:{}", dropped.iter().map(option).collect::<String>())
        }
        How::Step => {
            let pair = |(name, value): &(&String, &String)| format!("{name} = {value:?}");
            let pairs: Vec<String> = dropped.iter().map(pair).collect();
            format!("the step of a scenario gives them: probe = {{ …, env = {{ {} }} }}", pairs.join(", "))
        }
    };
    let names: Vec<&str> = dropped.iter().map(|(name, _)| name.as_str()).collect();
    Some(format!("exported here, and kept from the workers: {}; {how}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_given_nor_inherited_is_told_with_how_to_give_it() {
        let exported = [("HSA_XNACK", "1"), ("MIOPEN_FIND_MODE", "a b"), ("ROCM_PATH", "/opt/rocm")];
        let exported = exported.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let given = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        for (given, how, expected) in [
            (
                given(&[]),
                How::Option,
                Some(
                    "exported here, and kept from the workers: HSA_XNACK, MIOPEN_FIND_MODE; to pass them: --env HSA_XNACK=1 \
                     --env 'MIOPEN_FIND_MODE=a b'",
                ),
            ),
            (
                given(&["MIOPEN_FIND_MODE"]),
                How::Step,
                Some(
                    "exported here, and kept from the workers: HSA_XNACK; the step of a scenario gives them: probe = { …, \
                     env = { HSA_XNACK = \"1\" } }",
                ),
            ),
            (given(&["HSA_XNACK", "MIOPEN_FIND_MODE"]), How::Option, None),
        ] {
            assert_eq!(told(&exported, &given, how).as_deref(), expected);
        }
    }
}
