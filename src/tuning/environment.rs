//! What the variables of an environment do to what runs in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::MajorMinor;
use crate::facts::{self, Reality};

use super::Ground;

/// The variable that makes a GPU pass for another.
const OVERRIDE: &str = "HSA_OVERRIDE_GFX_VERSION";

/// Longest value that is shown.
const SHOWN: usize = 80;

/// Above this similarity (Jaro-Winkler, 0 to 1) an unknown name is taken for a slip.
const SLIP: f64 = 0.93;

/// Beginnings of names of which there are too many for a table.
const MANY: [&str; 2] = ["MIOPEN_DEBUG_", "TENSILE_"];

/// One thing that a variable does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `HSA_XNACK=1`.
    pub shown: String,
    /// What it is.
    pub kind: Trait,
    /// In words.
    pub why: String,
}

/// What a variable is, or does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trait {
    /// Read, legal, and something else than the default.
    Acts,
    /// Nobody reads it.
    Folklore,
    /// Read where the stack is built, and not where it runs.
    BuildTime,
    /// Read, and changes nothing here.
    NoOp,
    /// It does the opposite of what it is set for.
    Contrary,
    /// Not one of the values that mean something.
    Invalid,
    /// It leaves devices out.
    Hides,
    /// It takes away what a crash would print.
    TakesEvidence,
    /// The GPU passes for one of another ISA.
    OtherIsa,
    /// The GPU passes for one whose code suits it.
    SameIsa,
    /// Nobody knows the name, and it is nearly one that is known.
    Slip,
}

/// What runs on one GPU.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Isa {
    /// What the GPU is.
    pub native: String,
    /// What code objects are chosen for.
    pub effective: String,
}

/// Everything that the variables do on these GPUs with this ROCm (unknown where `None`).
pub fn settings(environment: &BTreeMap<String, String>, ground: &Ground, rocm: Option<MajorMinor>) -> Vec<Setting> {
    environment.iter().flat_map(|(name, value)| of_variable(name, value, environment, ground, rocm)).collect()
}

/// What code objects are chosen for on the GPUs of a machine, each pair of native and effective ISA once.
pub fn effective_isas(environment: &BTreeMap<String, String>, ground: &Ground) -> Vec<Isa> {
    let of = |native: &String, node: Option<u32>| Isa {
        native: native.clone(),
        effective: effective_isa(environment, node).unwrap_or_else(|| native.clone()),
    };
    let mut found: Vec<Isa> = if ground.nodes.is_empty() {
        ground.isas.iter().map(|native| of(native, None)).collect()
    } else {
        ground.nodes.iter().map(|(node, native)| of(native, Some(*node))).collect()
    };
    found.sort_unstable();
    found.dedup();
    found
}

/// What code objects are chosen for on the GPU of a KFD node (`None`: any that has no variable of its own), where the variables say so: that of the node comes before
/// the one for all. Source: facts/rdna.md section 4; thunk topology.c (`topology_sysfs_get_node_props`).
pub fn effective_isa(environment: &BTreeMap<String, String>, node: Option<u32>) -> Option<String> {
    let own = node.and_then(|node| environment.get(&format!("{OVERRIDE}_{node}")));
    own.or_else(|| environment.get(OVERRIDE)).and_then(|value| overridden(value))
}

/// `gfx1030` of `10.3.0`.
fn overridden(value: &str) -> Option<String> {
    let parts: Vec<u32> = value.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    match parts.as_slice() {
        [major, minor, step] if *major < 64 && *minor < 16 && *step < 16 => {
            Some(format!("gfx{major}{minor:x}{step:x}"))
        }
        _ => None,
    }
}

/// Whether code for `effective` suits a GPU that is `native`: gfx1030 to gfx1036 are one ISA, and gfx1011 to gfx1013 have
/// all of gfx1010, which lacks some of theirs. Source: facts/rdna.md sections 1, 4 and 5 (dot instructions).
fn suits(native: &str, effective: &str) -> bool {
    let successor = ["gfx1011", "gfx1012", "gfx1013"].contains(&native);
    native == effective
        || native.starts_with("gfx103") && effective.starts_with("gfx103")
        || successor && effective == "gfx1010"
}

fn of_variable(
    name: &str,
    value: &str,
    environment: &BTreeMap<String, String>,
    ground: &Ground,
    rocm: Option<MajorMinor>,
) -> Vec<Setting> {
    let isas = &ground.isas;
    let told = |kind: Trait, why: String| Setting { shown: format!("{name}={}", shown(value)), kind, why };
    let Some(variable) = facts::variable(name) else {
        return slip(name)
            .map(|near| told(Trait::Slip, format!("nobody reads it; {near} is read")))
            .into_iter()
            .collect();
    };
    match variable.reality {
        Reality::Folklore => return vec![told(Trait::Folklore, format!("read by {}", variable.consumer))],
        Reality::BuildTime => return vec![told(Trait::BuildTime, format!("read by {} only", variable.consumer))],
        Reality::Real => {}
    }
    if name.starts_with(OVERRIDE) {
        return spoofs(name, value, environment, ground).into_iter().map(|(kind, why)| told(kind, why)).collect();
    }
    if !variable.allows(value) {
        return vec![told(Trait::Invalid, format!("only {} mean something", variable.values.join(", ")))];
    }
    if let (Some(since), Some(rocm)) = (variable.since, rocm)
        && rocm < since
    {
        return vec![told(Trait::NoOp, format!("nobody reads it before ROCm {since}; this is {rocm}"))];
    }
    if let Some(why) = variable.contrary(value) {
        return vec![told(Trait::Contrary, why.to_owned())];
    }
    if let Some(why) = variable.takes_evidence(value) {
        return vec![told(Trait::TakesEvidence, why.to_owned())];
    }
    if variable.hides {
        return vec![told(Trait::Hides, "devices that are not named are not there for what runs".to_owned())];
    }
    // A no-op only where it is one on every GPU; without a GPU, where it is one on any.
    let on_none = variable.no_op(value, "");
    let why: Option<Vec<String>> = isas.iter().map(|gfx| variable.no_op(value, gfx)).collect();
    match (isas.is_empty(), why.as_deref(), on_none) {
        (false, Some([why, ..]), _) => vec![told(Trait::NoOp, format!("{why} ({})", isas.join(", ")))],
        (true, _, Some(why)) => vec![told(Trait::NoOp, why)],
        (_, _, _) => vec![told(Trait::Acts, variable.what.clone())],
    }
}

/// A value in one short line.
pub fn shown(value: &str) -> String {
    value.chars().take(SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// What an override does to each GPU for which it counts.
fn spoofs(name: &str, value: &str, environment: &BTreeMap<String, String>, ground: &Ground) -> Vec<(Trait, String)> {
    let Some(effective) = overridden(value) else {
        return vec![(Trait::Invalid, "not major.minor.step, like 10.3.0".to_owned())];
    };
    let node = name.strip_prefix(OVERRIDE).and_then(|rest| rest.strip_prefix('_'));
    let counts = |number: &u32| match node {
        Some(node) => node.parse() == Ok(*number),
        None => !environment.contains_key(&format!("{OVERRIDE}_{number}")),
    };
    let meant: BTreeSet<&String> = if ground.nodes.is_empty() {
        ground.isas.iter().collect()
    } else {
        ground.nodes.iter().filter(|(number, _)| counts(number)).map(|(_, native)| native).collect()
    };
    if meant.is_empty() && !ground.nodes.is_empty() {
        let known = ground.nodes.keys().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let why = match node {
            Some(node) => format!("node {node} is no GPU that KFD shows (GPUs are nodes {known})"),
            None => format!("each GPU (nodes {known}) has a variable of its own, which comes first"),
        };
        return vec![(Trait::NoOp, why)];
    }
    meant
        .into_iter()
        .map(|native| match (native == &effective, suits(native, &effective)) {
            (true, _) => (Trait::NoOp, format!("{native} is what the GPU is")),
            (false, true) => (Trait::SameIsa, format!("{native} runs as {effective}, which suits it")),
            (false, false) => (
                Trait::OtherIsa,
                format!("{native} runs as {effective}: another ISA, with aborts, hangs and wrong numbers reported"),
            ),
        })
        .collect()
}

fn slip(name: &str) -> Option<&'static str> {
    if MANY.iter().any(|begins| name.starts_with(begins)) {
        return None;
    }
    facts::known_variable_names()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(score, _)| *score >= SLIP)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, known)| known)
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.native == self.effective {
            f.write_str(&self.native)
        } else {
            write!(f, "{} as {}", self.native, self.effective)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str, isas: &[&str], rocm: Option<&str>) -> Vec<Trait> {
        let environment = [(name.to_owned(), value.to_owned())].into();
        let isas = isas.iter().map(|gfx| (*gfx).to_owned()).collect();
        let rocm = rocm.map(|rocm| rocm.parse().unwrap());
        settings(&environment, &Ground { isas, ..Ground::default() }, rocm)
            .into_iter()
            .map(|setting| setting.kind)
            .collect()
    }

    #[test]
    fn each_variable_is_told_for_what_it_is() {
        for (name, value, isas, rocm, expected) in [
            ("HSA_XNACK", "1", &["gfx1010"][..], None, &[Trait::NoOp][..]),
            ("HSA_XNACK", "1", &["gfx90a"], None, &[Trait::Acts]),
            ("HSA_XNACK", "1", &["gfx90a", "gfx1030"], None, &[Trait::Acts]),
            ("HSA_XNACK", "yes", &["gfx1010"], None, &[Trait::Invalid]),
            ("HSA_USE_SVM", "0", &["gfx1010"], Some("6.2"), &[Trait::Acts]),
            ("HSA_USE_SVM", "0", &["gfx1010"], Some("5.7"), &[Trait::NoOp]),
            ("HSA_USE_SVM", "1", &["gfx1010"], None, &[Trait::Invalid]),
            ("HSA_FORCE_FINE_GRAIN_PCIE", "1", &["gfx1010"], None, &[Trait::Contrary]),
            ("HSA_FORCE_FINE_GRAIN_PCIE", "0", &["gfx1010"], None, &[Trait::NoOp]),
            ("HIP_FORCE_COARSE_GRAIN", "1", &["gfx1010"], None, &[Trait::Folklore]),
            ("PYTORCH_ROCM_ARCH", "gfx1010", &["gfx1010"], None, &[Trait::BuildTime]),
            ("AMD_LOG_LEVEL_FILE", "/tmp/log", &["gfx1010"], None, &[Trait::TakesEvidence]),
            ("ROCR_VISIBLE_DEVICES", "0", &["gfx1010"], None, &[Trait::Hides]),
            ("HSA_ENABLE_SDMA", "0", &["gfx1010"], None, &[Trait::Acts]),
            ("HSA_ENABLE_SDMA", "1", &["gfx1010"], None, &[Trait::NoOp]),
            ("HSA_ENABLE_SMDA", "0", &["gfx1010"], None, &[Trait::Slip]),
            ("MIOPEN_DEBUG_CONV_DIRECT_NAIVE_CONV_FWD", "0", &["gfx1010"], None, &[]),
            ("HIP_SOMETHING_ELSE", "0", &["gfx1010"], None, &[]),
        ] {
            assert_eq!(of(name, value, isas, rocm), expected, "{name}={value} {isas:?} {rocm:?}");
        }
    }

    #[test]
    fn an_override_is_safe_between_chips_of_one_isa_only() {
        for (value, isas, expected) in [
            ("10.3.0", &["gfx1010"][..], &[Trait::OtherIsa][..]),
            ("10.3.0", &["gfx1012"], &[Trait::OtherIsa]),
            ("10.3.0", &["gfx1031"], &[Trait::SameIsa]),
            ("10.3.0", &["gfx1010", "gfx1036"], &[Trait::OtherIsa, Trait::SameIsa]),
            ("10.3.0", &["gfx1030"], &[Trait::NoOp]),
            // gfx1010 has less than its successors, and not the other way round.
            ("10.1.0", &["gfx1011"], &[Trait::SameIsa]),
            ("10.1.0", &["gfx1012"], &[Trait::SameIsa]),
            ("10.1.0", &["gfx1013"], &[Trait::SameIsa]),
            ("10.1.1", &["gfx1010"], &[Trait::OtherIsa]),
            ("10.1.2", &["gfx1011"], &[Trait::OtherIsa]),
            ("10.1.0", &["gfx1030"], &[Trait::OtherIsa]),
            ("gfx1030", &["gfx1010"], &[Trait::Invalid]),
            ("10.3", &["gfx1010"], &[Trait::Invalid]),
            ("", &["gfx1010"], &[Trait::Invalid]),
            ("99999999999.0.0", &["gfx1010"], &[Trait::Invalid]),
        ] {
            assert_eq!(of(OVERRIDE, value, isas, None), expected, "{value} {isas:?}");
        }
    }

    #[test]
    fn the_override_of_a_node_counts_for_its_gpu_alone_and_before_that_for_all() {
        type Row<'a> = (&'a [(&'a str, &'a str)], &'a [(u32, &'a str)], &'a str, &'a [Trait]);
        let table: &[Row<'_>] = &[
            (&[], &[(1, "gfx90a")], "gfx90a", &[]),
            (&[("", "10.3.0")], &[(1, "gfx1010")], "gfx1010 as gfx1030", &[Trait::OtherIsa]),
            (&[("_1", "10.3.0")], &[(1, "gfx1010")], "gfx1010 as gfx1030", &[Trait::OtherIsa]),
            (&[("_7", "10.3.0")], &[(1, "gfx1010")], "gfx1010", &[Trait::NoOp]),
            (&[("_1", "10.3.0")], &[(1, "gfx1031"), (2, "gfx1010")], "gfx1010, gfx1031 as gfx1030", &[Trait::SameIsa]),
            (
                &[("", "10.3.0"), ("_2", "10.1.0")],
                &[(1, "gfx1031"), (2, "gfx1010")],
                "gfx1010, gfx1031 as gfx1030",
                &[Trait::SameIsa, Trait::NoOp],
            ),
            (
                &[("", "10.3.0"), ("_1", "10.3.1")],
                &[(1, "gfx1030")],
                "gfx1030 as gfx1031",
                &[Trait::NoOp, Trait::SameIsa],
            ),
            // Two of one kind, and one of them passes for something else.
            (&[("_2", "10.3.0")], &[(1, "gfx1010"), (2, "gfx1010")], "gfx1010, gfx1010 as gfx1030", &[Trait::OtherIsa]),
            // Without KFD nobody knows whose node it is.
            (&[("_1", "10.3.0")], &[], "gfx1010", &[Trait::OtherIsa]),
        ];
        for (set, nodes, isas, traits) in table {
            let environment: BTreeMap<String, String> =
                set.iter().map(|(node, value)| (format!("{OVERRIDE}{node}"), (*value).to_owned())).collect();
            let nodes: BTreeMap<u32, String> = nodes.iter().map(|(node, gfx)| (*node, (*gfx).to_owned())).collect();
            let known: BTreeSet<String> = nodes.values().cloned().collect();
            let isas_known = if known.is_empty() { vec!["gfx1010".to_owned()] } else { known.into_iter().collect() };
            let ground = Ground { isas: isas_known, nodes, ..Ground::default() };
            let found = effective_isas(&environment, &ground);
            assert_eq!(found.iter().map(Isa::to_string).collect::<Vec<_>>().join(", "), *isas, "{set:?}");
            let told: Vec<Trait> = settings(&environment, &ground, None).into_iter().map(|each| each.kind).collect();
            assert_eq!(told, *traits, "{set:?}");
        }
    }

    #[test]
    fn a_value_is_shown_in_one_short_line() {
        let environment = [("HSA_XNACK".to_owned(), "a\n\u{1b}[0m".repeat(100))].into();
        let told = settings(&environment, &Ground::default(), None);
        assert!(told[0].shown.len() < 100 && !told[0].shown.contains(char::is_control));
    }
}
