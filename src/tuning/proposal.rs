//! What a parameter or a variable would do on a machine, before anybody sets it: a change, nothing, the opposite of what it
//! is for.

use std::collections::BTreeMap;

use crate::facts::{self, Parameter};

use super::environment::{Trait, effective_isas, settings};
use super::standing::{kernel, of_boot as of_boot_line, on};
use super::{Ask, Asks, Ground, Standing};

/// One parameter or variable with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// `amdgpu.noretry=0`.
    pub shown: String,
    /// What would come of it.
    pub comes: Comes,
    /// Why, in words.
    pub why: String,
}

/// What would come of setting something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comes {
    /// Another value is in force than without it.
    Change,
    /// Nobody can say.
    Unknown,
    /// It is in force already, or is used on other machines only.
    Nothing,
    /// Nobody who runs here reads it.
    Folklore,
    /// The opposite of what it is set for.
    Opposite,
    /// The value is none that means something.
    Illegal,
}

impl Comes {
    /// In a word or two.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Change => "changes",
            Self::Unknown => "unknown",
            Self::Nothing => "no-op",
            Self::Folklore => "folklore",
            Self::Opposite => "contradicts its aim",
            Self::Illegal => "illegal",
        }
    }

    /// Whether all is as without it.
    pub const fn is_nothing(self) -> bool {
        match self {
            Self::Nothing | Self::Folklore => true,
            Self::Change | Self::Unknown | Self::Opposite | Self::Illegal => false,
        }
    }

    /// Whether it is no setting that could help.
    pub const fn is_contradiction(self) -> bool {
        match self {
            Self::Opposite | Self::Illegal => true,
            Self::Change | Self::Unknown | Self::Nothing | Self::Folklore => false,
        }
    }
}

/// What these words of the kernel's command line would do beside those that are asked for already.
pub fn proposed_parameters(words: &BTreeMap<String, String>, ground: &Ground, asks: &Asks) -> Vec<Proposal> {
    let of = |(name, value): (&String, &String)| {
        let asked = asks.of(name).last().copied();
        let (comes, why) = match facts::parameter(name) {
            None => (Comes::Unknown, "no facts about this parameter".to_owned()),
            Some(known) if !known.allows(value) => (Comes::Illegal, "no legal value".to_owned()),
            Some(known) if known.module().is_none() => of_boot(known, value, asks),
            Some(known) => everywhere(&ground.isas, |gfx| of_parameter(known, value, asked, gfx, ground)),
        };
        let (comes, why) = match (comes, asks.unread.as_slice()) {
            // Something may have been set there.
            (Comes::Nothing, [unread, ..]) => (Comes::Unknown, format!("{why}, if it is not set elsewhere ({unread})")),
            (comes, _) => (comes, why),
        };
        Proposal { shown: format!("{name}={value}"), comes, why }
    };
    words.iter().map(of).collect()
}

/// What these variables would do to processes that have `common` already, on these GPUs.
pub fn proposed_variables(
    variables: &BTreeMap<String, String>,
    common: &BTreeMap<String, String>,
    ground: &Ground,
) -> Vec<Proposal> {
    let mut all = common.clone();
    all.extend(variables.clone());
    // Who passes for another chip may be served as that one.
    let mut served = ground.clone();
    served.isas.extend(effective_isas(&all, ground).into_iter().map(|isa| isa.effective));
    served.isas.sort_unstable();
    served.isas.dedup();
    let of = |(name, value): (&String, &String)| {
        let one = [(name.clone(), value.clone())].into();
        let ground = if name.starts_with("HSA_OVERRIDE_GFX_VERSION") { ground } else { &served };
        let told = settings(&one, ground, None);
        let comes = told.iter().map(|setting| comes(setting.kind)).min_by_key(|comes| rank(*comes));
        let comes = comes.unwrap_or(Comes::Unknown);
        let mut why: Vec<String> = told.iter().map(|setting| setting.why.clone()).collect();
        why.dedup();
        let why = if why.is_empty() { "no facts about this variable".to_owned() } else { why.join("; ") };
        let shown = told.first().map_or_else(|| format!("{name}={value}"), |setting| setting.shown.clone());
        match common.get(name) {
            Some(before) if before == value => {
                Proposal { shown, comes: Comes::Nothing, why: "every process has it".to_owned() }
            }
            // The default is a change where something else is in force.
            Some(before) if comes == Comes::Nothing => {
                Proposal { shown, comes: Comes::Change, why: format!("in place of {before}; {why}") }
            }
            Some(_) | None => Proposal { shown, comes, why },
        }
    };
    variables.iter().map(of).collect()
}

/// Of what differs between GPUs the first of these counts.
const fn rank(comes: Comes) -> u8 {
    match comes {
        Comes::Illegal => 0,
        Comes::Opposite => 1,
        Comes::Change => 2,
        Comes::Unknown => 3,
        Comes::Folklore => 4,
        Comes::Nothing => 5,
    }
}

const fn comes(kind: Trait) -> Comes {
    match kind {
        Trait::Acts | Trait::Hides | Trait::TakesEvidence | Trait::OtherIsa | Trait::SameIsa => Comes::Change,
        Trait::Folklore | Trait::BuildTime => Comes::Folklore,
        Trait::NoOp => Comes::Nothing,
        Trait::Contrary => Comes::Opposite,
        Trait::Invalid => Comes::Illegal,
        Trait::Slip => Comes::Unknown,
    }
}

/// A word of the kernel itself: it has no file that would show a default.
fn of_boot(parameter: &Parameter, value: &str, asks: &Asks) -> (Comes, String) {
    let Standing { asked, in_force, .. } = of_boot_line(parameter, asks);
    match (asked, in_force) {
        (Some(ask), Some(found)) if parameter.holds(&found, value) => {
            (Comes::Nothing, format!("{} says so already", ask.place))
        }
        (Some(ask), Some(found)) => (Comes::Change, format!("{} says {found}", ask.place)),
        (_, _) => (Comes::Change, "it is not on the command line".to_owned()),
    }
}

/// On every ISA of the machine; nothing comes of it where nothing does on each.
fn everywhere(isas: &[String], on: impl Fn(&str) -> (Comes, String)) -> (Comes, String) {
    let none = [String::new()];
    let isas = if isas.is_empty() { &none[..] } else { isas };
    let each: Vec<(Comes, String)> = isas.iter().map(|gfx| on(gfx)).collect();
    let comes = each.iter().map(|(comes, _)| *comes).min_by_key(|comes| rank(*comes)).unwrap_or(Comes::Unknown);
    let mut why: Vec<String> = each.into_iter().map(|(_, why)| why).collect();
    why.dedup();
    (comes, why.join("; "))
}

fn of_parameter(
    parameter: &Parameter,
    value: &str,
    asked: Option<&Ask>,
    gfx: &str,
    ground: &Ground,
) -> (Comes, String) {
    let default = ground.default_of(parameter, gfx);
    let meant = |value: &str| {
        let by_driver = parameter.unset.as_ref().is_some_and(|unset| parameter.same(unset, value));
        if by_driver { default.map(|row| row.value.clone()) } else { Some(value.to_owned()) }
    };
    // What is no legal value is not taken.
    let asked = asked.filter(|ask| parameter.allows(&ask.value));
    let now = match asked {
        Some(ask) => meant(&ask.value),
        None => default.map(|row| row.value.clone()),
    };
    let same = |left: &str, right: &str| parameter.same(left, right);
    match (now, meant(value), asked) {
        _ if !gfx.is_empty() && !parameter.used_on(gfx) => {
            (Comes::Nothing, format!("the driver uses it on {} only, and this is {gfx}", parameter.only.join(", ")))
        }
        (Some(now), Some(then), Some(ask)) if same(&now, &then) => {
            (Comes::Nothing, format!("{} says so already", ask.place))
        }
        (Some(now), Some(then), None) if same(&now, &then) => {
            let sure = default.map(|row| format!(" ({})", row.source.confidence)).unwrap_or_default();
            (Comes::Nothing, format!("{now} is the default{}{sure}", on(gfx)))
        }
        (Some(now), Some(_), Some(ask)) => (Comes::Change, format!("{} says {now}", ask.place)),
        (Some(now), Some(_), None) => (Comes::Change, format!("the default{} is {now}", on(gfx))),
        (None, None, _) => (Comes::Nothing, "the driver chooses by itself either way".to_owned()),
        (None, Some(_), _) | (Some(_), None, _) if parameter.defaults.is_empty() => {
            (Comes::Change, "in place of the driver's own choice".to_owned())
        }
        (None, Some(_), _) | (Some(_), None, _) => {
            (Comes::Unknown, format!("its default{} with {} is not known", on(gfx), kernel(ground)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(isas: &[&str], kernel: &str) -> Ground {
        Ground {
            isas: isas.iter().map(|gfx| (*gfx).to_owned()).collect(),
            kernel: kernel.parse().ok(),
            ..Ground::default()
        }
    }

    fn asks(words: &[(&str, &str)]) -> Asks {
        let ask = |(name, value): &(&str, &str)| Ask {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            place: "/proc/cmdline".to_owned(),
        };
        Asks { list: words.iter().map(ask).collect(), unread: Vec::new() }
    }

    #[test]
    fn a_parameter_is_a_change_where_something_else_is_in_force_and_nothing_elsewhere() {
        let (noretry, fragment) = ("amdgpu.noretry", "amdgpu.vm_fragment_size");
        for (name, value, isas, kernel, asked, comes, why) in [
            (fragment, "9", &["gfx1010"][..], "6.8", &[][..], Comes::Nothing, "9 is the default on gfx1010"),
            (
                fragment,
                "9",
                &["gfx1030", "gfx1100"],
                "6.8",
                &[],
                Comes::Nothing,
                "on gfx1030 (certain); 9 is the default",
            ),
            (fragment, "4", &["gfx1010"], "6.8", &[], Comes::Change, "the default on gfx1010 is 9"),
            (fragment, "3", &["gfx1010"], "6.8", &[], Comes::Illegal, "no legal value"),
            (noretry, "0", &["gfx1010"], "6.8", &[], Comes::Nothing, "0 is the default on gfx1010"),
            (noretry, "0", &["gfx1030"], "6.8", &[], Comes::Change, "the default on gfx1030 is 1"),
            (noretry, "0", &["gfx1030"], "5.15", &[], Comes::Nothing, "0 is the default on gfx1030"),
            (noretry, "0", &["gfx1030"], "5.18", &[], Comes::Unknown, "with Linux 5.18 is not known"),
            (noretry, "0", &["gfx1010", "gfx1030"], "6.8", &[], Comes::Change, "the default on gfx1030 is 1"),
            (noretry, "-1", &["gfx1030"], "6.8", &[], Comes::Nothing, "is the default"),
            // What is set already decides, and not the default.
            (noretry, "0", &["gfx1010"], "6.8", &[(noretry, "1")], Comes::Change, "/proc/cmdline says 1"),
            (noretry, "0", &["gfx1030"], "6.8", &[(noretry, "0")], Comes::Nothing, "/proc/cmdline says so already"),
            (noretry, "0", &["gfx1030"], "6.8", &[(noretry, "0"), (noretry, "1")], Comes::Change, "says 1"),
            (noretry, "0", &["gfx1010"], "6.8", &[(noretry, "7")], Comes::Nothing, "0 is the default"),
            (noretry, "0", &[], "6.8", &[], Comes::Unknown, "its default with Linux 6.8 is not known"),
            ("iommu", "pt", &["gfx1010"], "6.8", &[], Comes::Change, "not on the command line"),
            ("iommu", "pt", &["gfx1010"], "6.8", &[("iommu", "pt")], Comes::Nothing, "says so already"),
            ("iommu", "pt", &["gfx1010"], "6.8", &[("iommu", "soft,pt")], Comes::Nothing, "says so already"),
            (
                "iommu",
                "pt",
                &["gfx1010"],
                "6.8",
                &[("iommu", "nopt"), ("iommu", "soft")],
                Comes::Change,
                "says nopt,soft",
            ),
            ("amdgpu.tea", "1", &["gfx1010"], "6.8", &[], Comes::Unknown, "no facts"),
        ] {
            let words = [(name.to_owned(), value.to_owned())].into();
            let found = proposed_parameters(&words, &ground(isas, kernel), &asks(asked));
            assert_eq!(found[0].comes, comes, "{name}={value} {isas:?} {kernel} {asked:?}: {}", found[0].why);
            assert!(found[0].why.contains(why), "{name}={value} {isas:?} {kernel} {asked:?}: {}", found[0].why);
        }
    }

    #[test]
    fn where_what_is_set_cannot_be_read_nothing_is_a_no_op() {
        let words = [("amdgpu.vm_fragment_size".to_owned(), "9".to_owned())].into();
        let unread = Asks { list: Vec::new(), unread: vec!["modprobe.d: denied".to_owned()] };
        let found = proposed_parameters(&words, &ground(&["gfx1010"], "6.8"), &unread);
        assert_eq!(found[0].comes, Comes::Unknown);
        assert!(found[0].why.contains("modprobe.d: denied"), "{}", found[0].why);
    }

    #[test]
    fn a_variable_is_told_for_what_it_does_beside_those_that_every_process_has() {
        let (fine, sdma) = ("HSA_FORCE_FINE_GRAIN_PCIE", "HSA_ENABLE_SDMA");
        for (name, value, common, comes) in [
            (fine, "1", &[][..], Comes::Opposite),
            (fine, "0", &[], Comes::Nothing),
            (fine, "0", &[(fine, "1")], Comes::Change),
            (sdma, "0", &[], Comes::Change),
            (sdma, "0", &[(sdma, "0")], Comes::Nothing),
            (sdma, "1", &[(sdma, "0")], Comes::Change),
            ("HIP_FORCE_COARSE_GRAIN", "1", &[], Comes::Folklore),
            ("PYTORCH_ROCM_ARCH", "gfx1010", &[], Comes::Folklore),
            ("HSA_XNACK", "1", &[], Comes::Nothing),
            ("HSA_XNACK", "yes", &[], Comes::Illegal),
            ("HSA_OVERRIDE_GFX_VERSION", "10.3.0", &[], Comes::Change),
            ("HSA_OVERRIDE_GFX_VERSION", "10.1.0", &[], Comes::Nothing),
            ("MIOPEN_FIND_MODE", "5", &[], Comes::Nothing),
            ("MIOPEN_FIND_MODE", "2", &[], Comes::Change),
            ("MIOPEN_DEBUG_CONV_TEA", "0", &[], Comes::Unknown),
            // As the chip that it passes for it may do something.
            ("HSA_XNACK", "1", &[("HSA_OVERRIDE_GFX_VERSION", "9.0.10")], Comes::Change),
        ] {
            let owned = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
                list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
            };
            let found = proposed_variables(&owned(&[(name, value)]), &owned(common), &ground(&["gfx1010"], "6.8"));
            assert_eq!(found[0].comes, comes, "{name}={value} {common:?}: {}", found[0].why);
            assert!(!found[0].why.is_empty() && found[0].shown == format!("{name}={value}"), "{found:?}");
        }
    }
}
