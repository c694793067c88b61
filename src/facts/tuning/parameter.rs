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
    /// Words of a list that the same word with `no` before it takes back, and the other way round.
    #[serde(default)]
    switches: Vec<String>,
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
    /// Numbers with commas between them; the driver may show the first of them only.
    Timeouts,
    /// A word of the kernel's command line that is no module's; the last one counts.
    Boot,
    /// One whose value is a list with commas, in which each word of each occurrence counts.
    BootList,
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
            ParameterKind::Boot | ParameterKind::BootList => None,
            ParameterKind::Int | ParameterKind::Mask | ParameterKind::Timeouts => self.name.split_once('.'),
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

    /// Whether each later kernel has the default of this one.
    pub fn default_is_kept(&self, gfx: &str, kernel: Option<MajorMinor>) -> bool {
        let value = |kernel| self.default_on(gfx, kernel).map(|row| &row.value);
        let now = value(kernel);
        let changes = self.defaults.iter().flat_map(|row| [row.from, row.until]).flatten();
        let mut later = changes.filter(|change| kernel.is_none_or(|kernel| *change > kernel));
        later.all(|change| value(Some(change)) == now)
    }

    /// Whether the driver uses it on this ISA.
    pub fn used_on(&self, gfx: &str) -> bool {
        is_among(&self.only, gfx)
    }

    /// Whether this is a legal value.
    pub fn allows(&self, value: &str) -> bool {
        match self.kind {
            ParameterKind::Timeouts | ParameterKind::Boot => true,
            // Words that take each other back are none that can be in force together.
            ParameterKind::BootList => self.holds(&self.words_in_force([value]).join(","), value),
            ParameterKind::Int | ParameterKind::Mask => number(value).is_some_and(|number| {
                self.legal.is_empty() || self.legal.iter().any(|[low, high]| (*low..=*high).contains(&number))
            }),
        }
    }

    /// Whether two spellings are one value: numbers in any base, each of a list of timeouts, the words of a list of words
    /// in any order.
    pub fn same(&self, left: &str, right: &str) -> bool {
        match self.kind {
            ParameterKind::Int | ParameterKind::Mask => same_spelling(left, right),
            ParameterKind::Timeouts => {
                let (left, right): (Vec<&str>, Vec<&str>) = (left.split(',').collect(), right.split(',').collect());
                left.len() == right.len() && left.iter().zip(&right).all(|(left, right)| same_spelling(left, right))
            }
            ParameterKind::Boot => left == right,
            ParameterKind::BootList => self.holds(left, right) && self.holds(right, left),
        }
    }

    /// Whether `value` is in force where `found` is: the same, or one of its words.
    pub fn holds(&self, found: &str, value: &str) -> bool {
        match self.kind {
            ParameterKind::BootList => list(value).all(|word| list(found).any(|other| other == word)),
            ParameterKind::Int | ParameterKind::Mask | ParameterKind::Timeouts | ParameterKind::Boot => {
                self.same(found, value)
            }
        }
    }

    /// Whether its file shows this value where it was loaded with it. The driver takes a list of timeouts apart in its own
    /// copy, and may cut that behind the first. Source: facts/rdna.md section 3; amdgpu_device.c
    /// (`amdgpu_device_get_job_timeout_settings`, `strsep`).
    pub fn shows(&self, shown: &str, value: &str) -> bool {
        self.same(shown, value)
            || self.is_cut(shown) && value.split(',').next().is_some_and(|first| same_spelling(first, shown))
    }

    /// Whether more may be in force than its file shows.
    pub fn is_cut(&self, shown: &str) -> bool {
        match self.kind {
            ParameterKind::Timeouts => !shown.is_empty() && !shown.contains(','),
            ParameterKind::Int | ParameterKind::Mask | ParameterKind::Boot | ParameterKind::BootList => false,
        }
    }

    /// Of values that were asked for one after the other, the words that count in the end: all of them, but for those of
    /// which a later one says otherwise.
    pub fn words_in_force<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> Vec<&'v str> {
        let mut words: Vec<&str> = Vec::new();
        for word in values.into_iter().flat_map(list) {
            words.retain(|earlier| !self.one_option(earlier, word));
            words.push(word);
        }
        words
    }

    /// Whether two words of a list are about one thing: `realloc=off` and `realloc=on`, `pt` and `nopt`.
    pub fn one_option(&self, left: &str, right: &str) -> bool {
        let option = |word: &'_ str| -> String {
            let name = word.split_once('=').map_or(word, |(name, _)| name);
            let switched = name.strip_prefix("no").filter(|name| self.switches.iter().any(|switch| switch == name));
            switched.unwrap_or(name).to_owned()
        };
        option(left) == option(right)
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

/// The words of a list with commas.
pub fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').filter(|word| !word.is_empty())
}

/// Whether two spellings are one value of a parameter of which nothing else is known: numbers in any base, and what the
/// kernel takes for yes or no where one of them is the `Y` or `N` that the file of such a parameter shows. Source: kernel
/// kernel/params.c (`param_get_bool`, `kstrtoint` with base 0), lib/kstrtox.c (`kstrtobool`).
fn same_spelling(left: &str, right: &str) -> bool {
    let shown = |text: &str| matches!(text, "Y" | "N");
    let both = |left: Option<i64>, right: Option<i64>| left.is_some() && left == right;
    left == right
        || if shown(left) || shown(right) {
            both(truth(left).map(i64::from), truth(right).map(i64::from))
        } else {
            both(number(left), number(right))
        }
}

/// Yes or no as the kernel reads it: by the first letter, or the first two.
fn truth(text: &str) -> Option<bool> {
    match text.as_bytes() {
        [b'y' | b'Y' | b't' | b'T' | b'1', ..] | [b'o' | b'O', b'n' | b'N', ..] => Some(true),
        [b'n' | b'N' | b'f' | b'F' | b'0', ..] | [b'o' | b'O', b'f' | b'F', ..] => Some(false),
        _ => None,
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

/// Two settings of which one takes away what the other asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opposites {
    /// Names with the values: `iommu` = `pt`.
    pub asked: [String; 2],
    /// What takes it away: `amd_iommu` = `off`.
    pub against: [String; 2],
    /// What the first one is for.
    pub wants: String,
    /// Who says so.
    pub source: Source,
}

/// The table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    parameter: Vec<Parameter>,
    opposites: Vec<Opposites>,
}

static TABLE: LazyLock<File> =
    LazyLock::new(|| embedded::table("kernel_parameters.toml", include_str!("../data/kernel_parameters.toml")));

/// Every parameter.
pub fn parameters() -> &'static [Parameter] {
    &TABLE.parameter
}

/// Whether a parameter is as in `value` where it is as in `found`, by what is known of it.
pub fn parameter_holds(name: &str, found: &str, value: &str) -> bool {
    parameter(name).map_or_else(|| same_spelling(found, value), |parameter| parameter.holds(found, value))
}

/// Settings that contradict each other.
pub fn opposites() -> &'static [Opposites] {
    &TABLE.opposites
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
    }

    #[test]
    fn two_spellings_are_one_value_where_the_kernel_takes_them_for_one() {
        // Parameter, or none for one of which nothing is known.
        for (name, left, right, same) in [
            (Some("amdgpu.lockup_timeout"), "10000,60000", "10000,0xea60", true),
            (Some("amdgpu.lockup_timeout"), "10000,60000", "10000", false),
            (Some("amdgpu.lockup_timeout"), "10000,60000", "10000,1,1,1", false),
            (Some("amdgpu.lockup_timeout"), "", "", true),
            (Some("iommu"), "pt,nofullflush", "nofullflush,pt", true),
            (Some("iommu"), "pt,off", "pt", false),
            (Some("numa_balancing"), "enable,disable", "disable,enable", false),
            (None, "0x10", "16", true),
            (None, "020", "16", true),
            (None, "0x10", "0x11", false),
            (None, "0", "N", true),
            (None, "1", "Y", true),
            (None, "on", "Y", true),
            (None, "off", "N", true),
            (None, "yes", "Y", true),
            (None, "1", "N", false),
            (None, "maybe", "N", false),
            (None, "", "N", false),
            // Neither is what the file of a yes or no shows.
            (None, "on", "1", false),
            (None, "text", "text", true),
        ] {
            for (left, right) in [(left, right), (right, left)] {
                let found = name.map_or_else(
                    || same_spelling(left, right),
                    |name| parameter(name).expect("in the table").same(left, right),
                );
                assert_eq!(found, same, "{name:?}: {left} {right}");
            }
        }
    }

    #[test]
    fn a_file_shows_what_was_loaded_or_the_first_of_its_timeouts() {
        let timeouts = parameter("amdgpu.lockup_timeout").unwrap();
        for (shown, value, shows, cut) in [
            ("10000", "10000,60000", true, true),
            ("10000", "10000", true, true),
            ("10000,60000", "10000,60000", true, false),
            ("10000,60000", "10000,1", false, false),
            ("2000", "10000,60000", false, true),
            ("", "10000,60000", false, false),
        ] {
            let found = (timeouts.shows(shown, value), timeouts.is_cut(shown));
            assert_eq!(found, (shows, cut), "{shown:?} {value}");
        }
        assert!(!parameter("amdgpu.runpm").unwrap().is_cut("0"));
    }

    #[test]
    fn of_a_list_every_word_counts_but_those_that_are_taken_back() {
        for (name, values, in_force, held, free) in [
            ("pci", &["noaer,realloc=off"][..], "noaer,realloc=off", &["realloc=off", "noaer"][..], &["realloc"][..]),
            ("pci", &["realloc=off", "noaer"], "realloc=off,noaer", &["realloc=off"], &["realloc=on"]),
            ("pci", &["realloc=off", "realloc=on"], "realloc=on", &["realloc=on"], &["realloc=off"]),
            ("pci", &["realloc=off,realloc"], "realloc", &["realloc"], &["realloc=off"]),
            // Two options, though they look like a switch.
            ("pci", &["rom,norom"], "rom,norom", &["rom", "norom"], &[]),
            ("iommu", &["off", "pt"], "off,pt", &["off", "pt", "pt,off"], &["force"]),
            ("iommu", &["pt,nopt"], "nopt", &["nopt"], &["pt"]),
            ("iommu", &["nopt", "pt"], "pt", &["pt"], &["nopt"]),
            ("amd_iommu", &["fullflush,off"], "fullflush,off", &["off"], &["fullflush,on"]),
            ("amd_iommu", &[",,"], "", &[], &["off"]),
        ] {
            let parameter = parameter(name).unwrap();
            let found = parameter.words_in_force(values.iter().copied()).join(",");
            assert_eq!(found, in_force, "{name} {values:?}");
            assert!(held.iter().all(|value| parameter.holds(&found, value)), "{name} {values:?}");
            assert!(!free.iter().any(|value| parameter.holds(&found, value)), "{name} {values:?}");
        }
        assert!(!parameter("iommu").unwrap().allows("pt,nopt"));
        assert!(parameter("iommu").unwrap().allows("pt,off"));
    }

    #[test]
    fn opposites_are_settings_of_the_table() {
        for Opposites { asked, against, .. } in opposites() {
            for [name, value] in [asked, against] {
                assert!(parameter(name).is_some_and(|each| each.allows(value)), "{name}={value}");
            }
        }
        assert!(!opposites().is_empty());
    }

    #[test]
    fn a_value_that_nobody_set_is_legal_and_names_are_distinct() {
        for (at, each) in parameters().iter().enumerate() {
            let unset = each.unset.as_deref();
            assert!(unset.is_none_or(|value| each.allows(value)), "{}", each.name);
            assert!(each.defaults.iter().all(|row| each.allows(&row.value)), "{}", each.name);
            assert!(parameters()[..at].iter().all(|other| other.name != each.name), "{} twice", each.name);
            assert_eq!(each.module().is_none(), !each.name.contains('.'), "{}", each.name);
            assert!(each.switches.is_empty() || each.kind == ParameterKind::BootList, "{}: no list", each.name);
            assert!(!each.latched || each.writable(), "{}: nothing is written there", each.name);
        }
    }
}
