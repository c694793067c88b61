//! What of the parameters is in force in this boot, as far as the machine shows it: what is on the command line alone says
//! what was asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts;
use crate::witness::Snapshot;

use super::asks::CMDLINE;
use super::standing::{Effect, Ineffective, Standing, of_boot, standings};
use super::{Asks, Ground};

/// Parameters with what is in force of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InForce {
    parameters: BTreeMap<String, Held>,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    /// A word of the kernel itself: it is in force as it is asked for, each word of a list by itself.
    Word(Option<String>),
    /// On each ISA.
    Each(Vec<Standing>),
    /// It is in no table and nobody asks for it: what its file shows.
    Shown(Option<String>),
}

impl InForce {
    /// Of what a look shows: these parameters, and each that is asked for.
    pub fn of(look: &Snapshot, ground: &Ground, asks: &Asks, named: &BTreeSet<String>) -> Self {
        let all = standings(look, ground, asks);
        let names = named.iter().chain(asks.list.iter().map(|ask| &ask.name));
        let held = |name: &String| {
            let each: Vec<Standing> = all.iter().filter(|standing| standing.name == *name).cloned().collect();
            if let Some(known) = facts::parameter(name).filter(|known| known.module().is_none()) {
                Held::Word(of_boot(known, asks).in_force)
            } else if each.is_empty() {
                let files = look.tuning.as_ref().and_then(|tuning| tuning.parameters.value());
                Held::Shown(files.and_then(|files| files.get(name)?.value().cloned()))
            } else {
                Held::Each(each)
            }
        };
        Self { parameters: names.map(|name| (name.clone(), held(name))).collect() }
    }

    /// Whether a parameter is so because somebody asked for it, in this boot.
    ///
    /// # Errors
    /// It is not, or nothing shows it; says what is there instead.
    pub fn meets(&self, name: &str, value: &str) -> Result<(), String> {
        let met = match self.parameters.get(name) {
            None => false,
            Some(Held::Word(held) | Held::Shown(held)) => {
                held.as_ref().is_some_and(|held| facts::parameter_holds(name, held, value))
            }
            Some(Held::Each(each)) => each.iter().all(|standing| is_so(standing, value)),
        };
        if met { Ok(()) } else { Err(self.instead(name)) }
    }

    /// What is in force, by name, in words that are the same whenever it is the same.
    pub fn told(&self) -> BTreeMap<String, String> {
        self.parameters.keys().map(|name| (name.clone(), self.value(name))).collect()
    }

    /// What is in force of one parameter, in a few words.
    pub fn value(&self, name: &str) -> String {
        match self.parameters.get(name) {
            None => "not known".to_owned(),
            Some(Held::Word(held) | Held::Shown(held)) => held.clone().unwrap_or_else(|| "not set".to_owned()),
            Some(Held::Each(each)) => {
                let mut words: Vec<(&str, String)> = each.iter().map(|one| (one.gfx.as_str(), word(one))).collect();
                if let [(_, first), rest @ ..] = words.as_slice()
                    && rest.iter().all(|(_, other)| other == first)
                {
                    words.truncate(1);
                    words[0].0 = "";
                }
                let each = words.iter().map(|(gfx, word)| format!("{word}{}", super::standing::on(gfx)));
                each.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// What is there where something else is wanted.
    fn instead(&self, name: &str) -> String {
        let now = format!("{name} is {}", self.value(name));
        let Some(Held::Each(each)) = self.parameters.get(name) else { return now };
        let asked = each.iter().find_map(|standing| {
            let ask = standing.asked.as_ref()?;
            Some(format!("{now} though {} asks for {}: {}", ask.place, ask.value, standing.effect))
        });
        let unasked = || each.iter().any(|standing| standing.effect == Effect::NotSet);
        asked.unwrap_or_else(|| if unasked() { format!("{now}, which nobody asked for") } else { now })
    }
}

/// Whether a value is in force, and not merely the default: by what the machine shows, else by a request that nothing
/// contradicts. One of modprobe.d counts only where the machine shows it: an initramfs may have another.
fn is_so(standing: &Standing, value: &str) -> bool {
    let same = |other: &String| facts::parameter_holds(&standing.name, other, value);
    let asked = standing.asked.as_ref();
    let shown = match &standing.effect {
        Effect::NotSet | Effect::Unreadable { .. } => false,
        Effect::NoOp { .. } | Effect::Changes { .. } | Effect::Undecided { .. } => true,
        // The driver took it before its file was written.
        Effect::NotEffective(_) => asked.is_some(),
    };
    let contradicted = match &standing.effect {
        Effect::NotSet => true,
        Effect::NotEffective(Ineffective::WrongAsic { .. }) | Effect::NoOp { .. } | Effect::Changes { .. } => false,
        // Its file shows a part of it.
        Effect::Undecided { .. } => standing.in_force.is_none(),
        Effect::Unreadable { .. } => asked.is_none_or(|ask| ask.place != CMDLINE),
        Effect::NotEffective(_) => true,
    };
    shown && standing.in_force.as_ref().is_some_and(same) || !contradicted && asked.is_some_and(|ask| same(&ask.value))
}

fn word(standing: &Standing) -> String {
    let asked = standing.asked.as_ref().map(|ask| &ask.value);
    match (&standing.in_force, &standing.effect) {
        (Some(value), _) => value.clone(),
        (None, Effect::NotSet) => "the default, which is not known".to_owned(),
        (None, Effect::Unreadable { .. }) => match asked {
            Some(value) => format!("not to be read ({value} is asked for)"),
            None => "not to be read".to_owned(),
        },
        (None, Effect::NotEffective(Ineffective::WrongAsic { .. })) => "not used".to_owned(),
        (None, Effect::NoOp { value, .. } | Effect::Changes { value, .. }) => value.clone(),
        (None, Effect::NotEffective(_) | Effect::Undecided { .. }) => "not known".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reading;
    use crate::tuning::asks;
    use crate::witness::tuning::Options;
    use crate::witness::{KernelFacts, TuningFacts};

    /// A machine with GPUs of these ISAs and Linux 6.8.
    fn in_force(cmdline: &str, shown: &[(&str, &str)], isas: &[&str]) -> InForce {
        let files = shown.iter().map(|(name, value)| ((*name).to_owned(), Reading::Value((*value).to_owned())));
        let look = Snapshot {
            kernel: Some(KernelFacts {
                release: Reading::Value("6.8.0".to_owned()),
                cmdline: Reading::Value(cmdline.to_owned()),
                hypervisor: Reading::NotReported,
                boot_id: Reading::NotReported,
            }),
            tuning: Some(TuningFacts {
                options: Reading::Value(Options::default()),
                parameters: if shown.is_empty() { Reading::NotReported } else { Reading::Value(files.collect()) },
                vm: Reading::NotReported,
                environment: Reading::NotReported,
                rocm: Vec::new(),
            }),
            ..Snapshot::default()
        };
        let ground = Ground {
            isas: isas.iter().map(|gfx| (*gfx).to_owned()).collect(),
            kernel: "6.8".parse().ok(),
            ..Ground::default()
        };
        let asks = asks(&look, &ground);
        let named = ["amdgpu.noretry", "amdgpu.cwsr_enable"].map(str::to_owned).into();
        InForce::of(&look, &ground, &asks, &named)
    }

    #[test]
    fn a_parameter_is_so_where_the_machine_shows_it_and_not_where_it_is_only_asked_for() {
        let (cwsr, noretry) = ("amdgpu.cwsr_enable", "amdgpu.noretry");
        for (cmdline, shown, name, value, met) in [
            ("amdgpu.cwsr_enable=0", &[(cwsr, "0")][..], cwsr, "0", true),
            // The reboot took the words, and the driver something else.
            ("amdgpu.cwsr_enable=0", &[(cwsr, "1")], cwsr, "0", false),
            ("amdgpu.cwsr_enable=0 amdgpu.cwsr-enable=1", &[(cwsr, "1")], cwsr, "0", false),
            // No word on the command line, and in force all the same.
            ("", &[(cwsr, "0")], cwsr, "0", true),
            ("", &[(cwsr, "1")], cwsr, "0", false),
            // Nobody can read it: what was asked counts.
            ("amdgpu.cwsr_enable=0", &[], cwsr, "0", true),
            ("amdgpu.cwsr_enable=1", &[], cwsr, "0", false),
            ("", &[], cwsr, "0", false),
            ("amdgpu.noretry=0", &[(noretry, "0")], noretry, "0", true),
            ("amdgpu.noretry=0", &[(noretry, "0")], noretry, "0x0", true),
            ("iommu=soft,pt", &[(cwsr, "1")], "iommu", "pt", true),
            ("iommu=pt iommu=nopt", &[(cwsr, "1")], "iommu", "pt", false),
            // The default by itself is nobody's setting.
            ("", &[(noretry, "-1")], noretry, "1", false),
            ("amdgpu.noretry=1", &[(noretry, "1")], noretry, "1", true),
        ] {
            let found = in_force(cmdline, shown, &["gfx1030"]).meets(name, value);
            assert_eq!(found.is_ok(), met, "{cmdline} {shown:?} {name}={value}: {found:?}");
        }
        let why = in_force("amdgpu.cwsr_enable=0", &[(cwsr, "1")], &["gfx1030"]).meets(cwsr, "0").unwrap_err();
        assert!(why.contains("is 1 though /proc/cmdline asks for 0"), "{why}");
    }

    #[test]
    fn what_is_in_force_is_told_for_each_isa_that_differs() {
        let told = |cmdline: &str, shown: &[(&str, &str)]| {
            in_force(cmdline, shown, &["gfx1010", "gfx1030"]).value("amdgpu.noretry")
        };
        assert_eq!(told("", &[("amdgpu.noretry", "-1")]), "0 on gfx1010, 1 on gfx1030");
        assert_eq!(told("amdgpu.noretry=0", &[("amdgpu.noretry", "0")]), "0");
        assert_eq!(told("amdgpu.noretry=0", &[]), "not to be read (0 is asked for)");
        let found = in_force("amdgpu.runpm=0", &[("amdgpu.runpm", "0"), ("amdgpu.noretry", "-1")], &["gfx1030"]).told();
        assert_eq!(found.get("amdgpu.runpm").map(String::as_str), Some("0"), "{found:?}");
    }
}
