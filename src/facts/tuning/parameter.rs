//! Kernel parameters: what they do, what is legal, what is in force where nobody sets them.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{MajorMinor, Source};

use super::super::embedded;
use super::super::entry::Entry;
use super::is_among;

/// One kernel parameter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// As on the kernel's command line: `amdgpu.noretry`, `iommu`.
    pub name: String,
    /// What its value is.
    pub kind: ParameterKind,
    /// What it does.
    pub what: String,
    /// Why anyone should care.
    pub why: String,
    /// What to do about it.
    #[serde(rename = "do")]
    pub what_to_do: String,
    /// Legal values as ranges, both ends included; empty: any.
    #[serde(default)]
    pub legal: Vec<[i64; 2]>,
    /// What its file shows where nobody set it; `None` where that differs between drivers, or there is no file.
    #[serde(default)]
    pub unset: Option<String>,
    /// Permission bits of its file under `/sys/module`; `None` where there is none.
    #[serde(default)]
    pub mode: Option<u32>,
    /// The driver copies the value when it takes a GPU: a write at run time changes nothing.
    #[serde(default)]
    pub latched: bool,
    /// ISAs, by their beginning, where the driver uses it; empty: all.
    #[serde(default)]
    pub only: Vec<String>,
    /// What is in force where nobody sets it; the first row that fits.
    #[serde(default, rename = "default")]
    pub defaults: Vec<ParameterDefault>,
    /// Who says so.
    pub source: Source,
}

/// What the value of a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterKind {
    /// A number.
    Int,
    /// Bits, written in any base.
    Mask,
    /// Text.
    Text,
    /// A word of the kernel's command line that is no module's.
    Boot,
}

/// The value that is in force where nobody sets one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterDefault {
    /// ISAs, by their beginning; empty: all.
    #[serde(default)]
    pub gfx: Vec<String>,
    /// First kernel.
    #[serde(default)]
    pub from: Option<MajorMinor>,
    /// First kernel for which it is no longer so.
    #[serde(default)]
    pub until: Option<MajorMinor>,
    /// The value.
    pub value: String,
    /// Who says so.
    pub source: Source,
}

impl Parameter {
    /// Name of the module whose parameter it is, and its name there; `None` for a word of the kernel itself.
    pub fn module(&self) -> Option<(&str, &str)> {
        match self.kind {
            ParameterKind::Boot => None,
            ParameterKind::Int | ParameterKind::Mask | ParameterKind::Text => self.name.split_once('.'),
        }
    }

    /// What is in force on this ISA with this kernel where nobody sets it; `None`: nobody knows. A kernel that cannot be
    /// told fits only rows that hold for every kernel.
    pub fn default_on(&self, gfx: &str, kernel: Option<MajorMinor>) -> Option<&ParameterDefault> {
        let fits = |row: &&ParameterDefault| {
            let time = match kernel {
                Some(kernel) => kernel.within(row.from, row.until),
                None => row.from.is_none() && row.until.is_none(),
            };
            time && is_among(&row.gfx, gfx)
        };
        self.defaults.iter().find(fits)
    }

    /// Whether the driver uses it on this ISA.
    pub fn used_on(&self, gfx: &str) -> bool {
        is_among(&self.only, gfx)
    }

    /// Whether this is a legal value.
    pub fn allows(&self, value: &str) -> bool {
        match self.kind {
            ParameterKind::Text | ParameterKind::Boot => true,
            ParameterKind::Int | ParameterKind::Mask => number(value).is_some_and(|number| {
                self.legal.is_empty() || self.legal.iter().any(|[low, high]| (*low..=*high).contains(&number))
            }),
        }
    }

    /// Whether two spellings are one value: numbers in any base; of a list of timeouts only the first, since the driver
    /// cuts its own copy there.
    pub fn same(&self, left: &str, right: &str) -> bool {
        match self.kind {
            ParameterKind::Int | ParameterKind::Mask => match (number(left), number(right)) {
                (Some(left), Some(right)) => left == right,
                (_, _) => left == right,
            },
            ParameterKind::Text => left.split(',').next() == right.split(',').next(),
            ParameterKind::Boot => left == right,
        }
    }

    /// Whether its file takes a write at run time.
    pub fn writable(&self) -> bool {
        self.mode.is_some_and(|mode| mode & 0o200 != 0)
    }

    /// Id of its entry: `param.noretry`; of another module's `param.ttm.pages_limit`.
    pub fn entry_id(&self) -> String {
        format!("param.{}", self.name.strip_prefix("amdgpu.").unwrap_or(&self.name))
    }
}

/// A number as the kernel reads it: decimal, `0x` hexadecimal, or octal with a leading 0. Source: `kstrtoint` with base 0.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let lower = digits.to_ascii_lowercase();
    let magnitude = match lower.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None if lower.len() > 1 && lower.starts_with('0') => i64::from_str_radix(&lower, 8),
        None => lower.parse(),
    };
    // `parse` would take a second sign.
    magnitude.ok().filter(|_| lower.starts_with(|c: char| c.is_ascii_digit())).map(|number| sign * number)
}

/// Every parameter.
pub fn parameters() -> &'static [Parameter] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        parameter: Vec<Parameter>,
    }
    static TABLE: LazyLock<File> =
        LazyLock::new(|| embedded::table("kernel_parameters.toml", include_str!("../data/kernel_parameters.toml")));
    &TABLE.parameter
}

/// The parameter with this name, as on the kernel's command line.
pub fn parameter(name: &str) -> Option<&'static Parameter> {
    parameters().iter().find(|each| each.name == name)
}

pub(super) fn entries() -> impl Iterator<Item = Entry> {
    parameters().iter().map(|each| Entry {
        id: each.entry_id(),
        title: format!("Kernel parameter {}", each.name),
        what: format!("{}{}", each.what, facts(each)),
        why: each.why.clone(),
        source: each.source.clone(),
        what_to_do: each.what_to_do.clone(),
        see: super::mitigations()
            .iter()
            .filter(|mitigation| mitigation.set.contains_key(&each.name))
            .map(super::Mitigation::entry_id)
            .collect(),
    })
}

/// Legal values, defaults, where it counts and how it is set, as sentences.
fn facts(each: &Parameter) -> String {
    let mut text = String::new();
    if !each.legal.is_empty() {
        let range = |[low, high]: &[i64; 2]| match (low == high, *high == i64::from(i32::MAX)) {
            (true, _) => low.to_string(),
            (false, true) => format!("{low} and more"),
            (false, false) => format!("{low} to {high}"),
        };
        text.push_str(&format!(" Legal: {}.", each.legal.iter().map(range).collect::<Vec<_>>().join(", ")));
    }
    if let Some(unset) = &each.unset {
        text.push_str(&format!(" Its file shows {:?} where nobody set it.", unset));
    }
    for row in &each.defaults {
        let on = if row.gfx.is_empty() { String::new() } else { format!(" on {}x", row.gfx.join("x, ")) };
        let time = match (row.from, row.until) {
            (None, None) => String::new(),
            (Some(from), None) => format!(" from Linux {from} on"),
            (None, Some(until)) => format!(" before Linux {until}"),
            (Some(from), Some(until)) => format!(" from Linux {from} to before {until}"),
        };
        text.push_str(&format!(" Default{on}{time}: {} ({}).", row.value, row.source.confidence));
    }
    if !each.only.is_empty() {
        text.push_str(&format!(" Used on {} only.", each.only.join(", ")));
    }
    if let Some(mode) = each.mode {
        let written = match (each.writable(), each.latched) {
            (true, true) => ": a write at run time shows and changes nothing",
            (true, false) => ": it can be written at run time",
            (false, _) => ": at load time only",
        };
        text.push_str(&format!(" File mode {mode:04o}{written}."));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_depends_on_the_isa_and_the_kernel() {
        let default = |name: &str, gfx: &str, kernel: &str| {
            let parameter = parameter(&format!("amdgpu.{name}")).unwrap();
            parameter.default_on(gfx, kernel.parse().ok()).map(|row| row.value.clone())
        };
        for (name, gfx, kernel, expected) in [
            ("noretry", "gfx1010", "5.10.0", Some("0")),
            ("noretry", "gfx1010", "6.8.0-60-generic", Some("0")),
            ("noretry", "gfx1030", "5.15.0", Some("0")),
            ("noretry", "gfx1030", "5.17.2", Some("0")),
            // The commits are dated between the two.
            ("noretry", "gfx1030", "5.18.0", None),
            ("noretry", "gfx1030", "5.19.0", Some("1")),
            ("noretry", "gfx1031", "6.8.0", Some("1")),
            ("noretry", "gfx1031", "unreadable", None),
            ("noretry", "gfx942", "6.8.0", None),
            ("vm_fragment_size", "gfx1100", "6.8.0", Some("9")),
            ("vm_fragment_size", "gfx803", "4.14.0", None),
            ("cwsr_enable", "gfx1030", "unreadable", Some("1")),
            ("runpm", "gfx1030", "6.8.0", None),
        ] {
            assert_eq!(default(name, gfx, kernel).as_deref(), expected, "{name} {gfx} {kernel}");
        }
    }

    #[test]
    fn legal_values_are_numbers_in_any_base() {
        for (name, value, legal) in [
            ("vm_fragment_size", "9", true),
            ("vm_fragment_size", "-1", true),
            ("vm_fragment_size", "0x9", true),
            ("vm_fragment_size", "3", false),
            ("vm_fragment_size", "10", false),
            ("vm_fragment_size", "nine", false),
            ("vm_fragment_size", "--1", false),
            ("noretry", "2", false),
            ("ppfeaturemask", "0xffffffff", true),
            ("ppfeaturemask", "all", false),
            ("lockup_timeout", "10000,60000", true),
        ] {
            assert_eq!(parameter(&format!("amdgpu.{name}")).unwrap().allows(value), legal, "{name}={value}");
        }
        let mask = parameter("amdgpu.ppfeaturemask").unwrap();
        assert!(mask.same("0xFFF7BFFF", "4294426623") && !mask.same("0x1", "0x2"));
        assert!(parameter("amdgpu.lockup_timeout").unwrap().same("10000,60000", "10000"));
    }

    #[test]
    fn a_value_that_nobody_set_is_legal_and_names_are_distinct() {
        for (at, each) in parameters().iter().enumerate() {
            let unset = each.unset.as_deref();
            assert!(unset.is_none_or(|value| each.allows(value)), "{}", each.name);
            assert!(each.defaults.iter().all(|row| each.allows(&row.value)), "{}", each.name);
            assert!(parameters()[..at].iter().all(|other| other.name != each.name), "{} twice", each.name);
            assert_eq!(each.module().is_none(), !each.name.contains('.'), "{}", each.name);
            assert!(!each.latched || each.writable(), "{}: nothing is written there", each.name);
        }
    }
}
