//! What the variables of an environment do to what runs in it.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::MajorMinor;
use crate::facts::{self, Reality};

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
    /// The GPU passes for one of the same ISA.
    SameIsa,
    /// Nobody knows the name, and it is nearly one that is known.
    Slip,
}

/// What runs on one GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isa {
    /// What the GPU is.
    pub native: String,
    /// What code objects are chosen for.
    pub effective: String,
}

/// Everything that the variables do on these GPUs with this ROCm (unknown where `None`).
pub fn settings(environment: &BTreeMap<String, String>, isas: &[String], rocm: Option<MajorMinor>) -> Vec<Setting> {
    environment.iter().flat_map(|(name, value)| of_variable(name, value, isas, rocm)).collect()
}

/// What code objects are chosen for on a GPU, by the variable for all nodes.
pub fn effective_isa(environment: &BTreeMap<String, String>, native: &str) -> Isa {
    let effective = environment.get(OVERRIDE).and_then(|value| overridden(value)).unwrap_or_else(|| native.to_owned());
    Isa { native: native.to_owned(), effective }
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

/// Whether two ISAs are one for code objects: gfx1030 to gfx1036 are. Source: facts/rdna.md sections 1 and 4.
fn same_isa(left: &str, right: &str) -> bool {
    left == right || left.starts_with("gfx103") && right.starts_with("gfx103")
}

fn of_variable(name: &str, value: &str, isas: &[String], rocm: Option<MajorMinor>) -> Vec<Setting> {
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
        return spoofs(value, isas).into_iter().map(|(kind, why)| told(kind, why)).collect();
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

/// What an override does to each GPU.
fn spoofs(value: &str, isas: &[String]) -> Vec<(Trait, String)> {
    let Some(effective) = overridden(value) else {
        return vec![(Trait::Invalid, "not major.minor.step, like 10.3.0".to_owned())];
    };
    isas.iter()
        .map(|native| match (native == &effective, same_isa(native, &effective)) {
            (true, _) => (Trait::NoOp, format!("{native} is what the GPU is")),
            (false, true) => (Trait::SameIsa, format!("{native} runs as {effective}: the same ISA")),
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
        let isas: Vec<String> = isas.iter().map(|gfx| (*gfx).to_owned()).collect();
        let rocm = rocm.map(|rocm| rocm.parse().unwrap());
        settings(&environment, &isas, rocm).into_iter().map(|setting| setting.kind).collect()
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
            ("10.3.0", &["gfx1036", "gfx1010"], &[Trait::SameIsa, Trait::OtherIsa]),
            ("10.3.0", &["gfx1030"], &[Trait::NoOp]),
            ("10.1.0", &["gfx1012"], &[Trait::OtherIsa]),
            ("gfx1030", &["gfx1010"], &[Trait::Invalid]),
            ("10.3", &["gfx1010"], &[Trait::Invalid]),
            ("", &["gfx1010"], &[Trait::Invalid]),
            ("99999999999.0.0", &["gfx1010"], &[Trait::Invalid]),
        ] {
            assert_eq!(of(OVERRIDE, value, isas, None), expected, "{value} {isas:?}");
        }
        let environment = [(OVERRIDE.to_owned(), "10.3.0".to_owned())].into();
        assert_eq!(effective_isa(&environment, "gfx1010").to_string(), "gfx1010 as gfx1030");
        assert_eq!(effective_isa(&BTreeMap::new(), "gfx90a").to_string(), "gfx90a");
    }

    #[test]
    fn a_value_is_shown_in_one_short_line() {
        let environment = [("HSA_XNACK".to_owned(), "a\n\u{1b}[0m".repeat(100))].into();
        let told = settings(&environment, &[], None);
        assert!(told[0].shown.len() < 100 && !told[0].shown.contains(char::is_control));
    }
}
