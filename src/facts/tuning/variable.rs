//! Environment variables: who reads them, and what they do.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{MajorMinor, Source};

use super::super::embedded;
use super::super::entry::Entry;
use super::is_among;

/// One variable, or several that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its names.
    pub names: Vec<String>,
    /// Whether anybody reads it.
    pub reality: Reality,
    /// First ROCm release that reads it; `None`: all that are known.
    #[serde(default)]
    pub since: Option<MajorMinor>,
    /// Who reads it.
    pub consumer: String,
    /// What it does.
    pub what: String,
    /// Why anyone should care.
    pub why: String,
    /// What to do about it.
    #[serde(rename = "do")]
    pub what_to_do: String,
    /// The only values that mean something; empty: any.
    #[serde(default)]
    pub values: Vec<String>,
    /// What is in force where it is not set.
    #[serde(default)]
    pub default: Option<String>,
    /// Where it changes nothing.
    #[serde(default)]
    noop: Vec<NoOp>,
    /// The value that does the opposite of what it is set for.
    #[serde(default)]
    contrary: Option<Effect>,
    /// It leaves devices out.
    #[serde(default)]
    pub hides: bool,
    /// It takes away what a crash would print.
    #[serde(default)]
    evidence: Option<Effect>,
    /// Who says so.
    pub source: Source,
}

/// Whether anybody reads a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reality {
    /// It has a consumer in the sources.
    Real,
    /// Nobody reads it.
    Folklore,
    /// Read where the stack is built, and not where it runs.
    BuildTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOp {
    #[serde(default)]
    gfx: Vec<String>,
    #[serde(default)]
    values: Vec<String>,
    why: String,
}

/// A value and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Effect {
    /// `None`: any.
    #[serde(default)]
    value: Option<String>,
    why: String,
}

impl Variable {
    /// Why this value changes nothing on this ISA, where it does not.
    pub fn no_op(&self, value: &str, gfx: &str) -> Option<String> {
        let listed = self.noop.iter().find(|each| {
            is_among(&each.gfx, gfx) && (each.values.is_empty() || each.values.iter().any(|known| known == value))
        });
        if let Some(listed) = listed {
            return Some(listed.why.clone());
        }
        (self.default.as_deref() == Some(value)).then(|| "it is the default".to_owned())
    }

    /// What this value does in place of what it is set for.
    pub fn contrary(&self, value: &str) -> Option<&str> {
        Self::meant(self.contrary.as_ref(), value)
    }

    /// What of a crash does not come out with this value.
    pub fn takes_evidence(&self, value: &str) -> Option<&str> {
        Self::meant(self.evidence.as_ref(), value)
    }

    /// Whether this value means something.
    pub fn allows(&self, value: &str) -> bool {
        self.values.is_empty() || self.values.iter().any(|known| known == value)
    }

    fn meant<'a>(effect: Option<&'a Effect>, value: &str) -> Option<&'a str> {
        effect.filter(|effect| effect.value.as_deref().is_none_or(|known| known == value)).map(|each| each.why.as_str())
    }
}

/// Every variable.
pub fn variables() -> &'static [Variable] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        variable: Vec<Variable>,
    }
    static TABLE: LazyLock<File> =
        LazyLock::new(|| embedded::table("environment.toml", include_str!("../data/environment.toml")));
    &TABLE.variable
}

/// The variable with this name; the name for one node's GPU (`HSA_OVERRIDE_GFX_VERSION_2`) is that for all.
pub fn variable(name: &str) -> Option<&'static Variable> {
    let all = match name.rsplit_once('_') {
        Some((all @ "HSA_OVERRIDE_GFX_VERSION", node)) if node.bytes().all(|byte| byte.is_ascii_digit()) => all,
        Some(_) | None => name,
    };
    variables().iter().find(|each| each.names.iter().any(|known| known == all))
}

/// Every name.
pub fn known_variable_names() -> impl Iterator<Item = &'static str> {
    variables().iter().flat_map(|each| each.names.iter().map(String::as_str))
}

pub(super) fn entries() -> impl Iterator<Item = Entry> {
    variables().iter().flat_map(|each| {
        each.names.iter().map(|name| Entry {
            id: format!("env.{name}"),
            title: title(each, name),
            what: format!("{} Read by: {}.{}", each.what, each.consumer, facts(each)),
            why: each.why.clone(),
            source: each.source.clone(),
            what_to_do: each.what_to_do.clone(),
            see: see(each, name),
        })
    })
}

fn title(each: &Variable, name: &str) -> String {
    match each.reality {
        Reality::Real => format!("Environment variable {name}"),
        Reality::Folklore => format!("{name}: nobody reads it"),
        Reality::BuildTime => format!("{name}: for building only"),
    }
}

fn facts(each: &Variable) -> String {
    let mut text = String::new();
    if let Some(since) = each.since {
        text.push_str(&format!(" Since ROCm {since}."));
    }
    if let Some(default) = &each.default {
        text.push_str(&format!(" Default {default}."));
    }
    for no_op in &each.noop {
        let on = if no_op.gfx.is_empty() { String::new() } else { format!(" on {}x", no_op.gfx.join("x, ")) };
        let values = if no_op.values.is_empty() { String::new() } else { format!(" = {}", no_op.values.join(", ")) };
        text.push_str(&format!(" A no-op{values}{on}: {}.", no_op.why));
    }
    if let Some(Effect { value: Some(value), why }) = &each.contrary {
        text.push_str(&format!(" {value} contradicts its aim: {why}."));
    }
    text
}

fn see(each: &Variable, name: &str) -> Vec<String> {
    let alike = each.names.iter().filter(|other| *other != name).map(|other| format!("env.{other}"));
    let used = super::mitigations().iter().filter(|mitigation| mitigation.set.contains_key(name));
    alike.chain(used.map(super::Mitigation::entry_id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_folklore_and_build_time_are_told_apart() {
        for (name, reality) in [
            ("HSA_XNACK", Some(Reality::Real)),
            ("HSA_OVERRIDE_GFX_VERSION_2", Some(Reality::Real)),
            ("HIP_FORCE_COARSE_GRAIN", Some(Reality::Folklore)),
            ("MIOPEN_FORCE_RDNA1", Some(Reality::Folklore)),
            ("PYTORCH_ROCM_ARCH", Some(Reality::BuildTime)),
            ("HSA_OVERRIDE_GFX_VERSION_X", None),
            ("PATH", None),
        ] {
            assert_eq!(variable(name).map(|each| each.reality), reality, "{name}");
        }
    }

    #[test]
    fn a_value_that_changes_nothing_says_why() {
        let no_op = |name: &str, value: &str, gfx: &str| variable(name).unwrap().no_op(value, gfx).is_some();
        for (name, value, gfx, expected) in [
            ("HSA_XNACK", "1", "gfx1010", true),
            ("HSA_XNACK", "1", "gfx90a", false),
            ("HSA_ENABLE_SDMA", "1", "gfx1030", true),
            ("HSA_ENABLE_SDMA", "1", "gfx1013", false),
            ("HSA_ENABLE_SDMA", "0", "gfx1030", false),
            ("MIOPEN_DEBUG_CONV_IMPLICIT_GEMM", "1", "gfx1030", true),
            ("MIOPEN_DEBUG_CONV_IMPLICIT_GEMM", "0", "gfx1030", false),
            ("TORCH_BLAS_PREFER_HIPBLASLT", "0", "gfx1030", true),
            ("TORCH_BLAS_PREFER_HIPBLASLT", "0", "gfx942", false),
            ("HSA_FORCE_FINE_GRAIN_PCIE", "0", "gfx1030", true),
        ] {
            assert_eq!(no_op(name, value, gfx), expected, "{name}={value} {gfx}");
        }
    }

    #[test]
    fn a_variable_that_does_the_opposite_or_hides_a_crash_says_so() {
        let fine_grain = variable("HSA_FORCE_FINE_GRAIN_PCIE").unwrap();
        assert!(fine_grain.contrary("1").is_some() && fine_grain.contrary("0").is_none());
        assert!(variable("AMD_LOG_LEVEL_FILE").unwrap().takes_evidence("/tmp/x").is_some());
        let faults = variable("HSA_ENABLE_VM_FAULT_MESSAGE").unwrap();
        assert!(faults.takes_evidence("0").is_some() && faults.takes_evidence("1").is_none());
    }

    #[test]
    fn every_name_is_one_and_every_default_means_something() {
        let mut names: Vec<_> = known_variable_names().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for each in variables() {
            assert!(each.default.as_deref().is_none_or(|value| each.allows(value)), "{:?}", each.names);
        }
    }
}
