//! What came of one parameter: not set, a no-op, a change, without effect, or not to be read.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::Reading;
use crate::facts::{self, Parameter, ParameterKind};
use crate::witness::Snapshot;

use super::{Ask, Asks, Ground};

/// One parameter on one ISA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name on the command line.
    pub name: String,
    /// Native ISA; empty where no GPU is known.
    pub gfx: String,
    /// The request that counts.
    pub asked: Option<Ask>,
    /// What came of it.
    pub effect: Effect,
    /// The value that the driver goes by; `None` where it is not known, or the driver does not use it here.
    pub in_force: Option<String>,
}

/// What came of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nobody set it.
    NotSet,
    /// It was set to what is in force anyway.
    NoOp {
        /// The value.
        value: String,
        /// Why it changes nothing.
        why: String,
    },
    /// It was set to something else than the default.
    Changes {
        /// The value.
        value: String,
        /// The default; `None` where the driver chooses by itself.
        default: Option<String>,
    },
    /// It was set, and the driver does not go by it.
    NotEffective(Ineffective),
    /// What the driver holds cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// It was set, and whether that is a change nobody knows.
    Undecided {
        /// The value.
        value: String,
        /// What is not known.
        why: String,
    },
}

/// Why a parameter that was set has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ineffective {
    /// Its file was written after the driver had copied the value.
    WrittenAtRunTime {
        /// What the file shows.
        shown: String,
    },
    /// Its file shows something else than modprobe.d asks for. Either that was written at run time, after the driver had
    /// copied the value, or an initramfs with another modprobe.d loaded the driver with it.
    Contested {
        /// What modprobe.d asks for; `None`: nothing.
        value: Option<String>,
        /// What the file shows.
        shown: String,
    },
    /// The value is not legal.
    Rejected {
        /// What was asked.
        value: String,
        /// What the file shows.
        shown: String,
    },
    /// The driver does not use it on this ISA.
    WrongAsic {
        /// The value.
        value: String,
        /// Where it is used.
        only: Vec<String>,
    },
    /// Something later set it otherwise.
    Overridden {
        /// What was asked.
        value: String,
        /// By what, with its value.
        by: String,
    },
    /// The driver was loaded with another value than is asked now.
    NotLoaded {
        /// What was asked.
        value: String,
        /// What the file shows.
        shown: String,
    },
    /// It is the `#` behind which somebody put a comment: kmod hands it to the driver with the words after it.
    Comment,
    /// The driver has no such parameter.
    NoSuch {
        /// What was asked.
        value: String,
        /// The nearest name that there is.
        nearest: Option<String>,
    },
}

/// Parameters that every module takes, and that have no file.
const OF_EVERY_MODULE: [&str; 2] = ["dyndbg", "async_probe"];

/// Why a file of timeouts does not tell all of them.
const CUT: &str = "its file shows the first value only, and nothing vouches for the others";

/// Below this similarity (Jaro-Winkler, 0 to 1) a name is not worth suggesting.
const SIMILAR: f64 = 0.8;

/// Every parameter of a module that is known or asked for, on every ISA of the machine.
pub fn standings(look: &Snapshot, ground: &Ground, asks: &Asks) -> Vec<Standing> {
    let shown = shown(look);
    let none = [String::new()];
    let isas = if ground.isas.is_empty() { &none[..] } else { &ground.isas };
    let known = facts::parameters().iter().filter(|each| each.module().is_some());
    let of_isa = |gfx: &String| known.clone().map(|each| judged(each, asks, &shown, gfx, ground)).collect::<Vec<_>>();
    let mut all: Vec<Standing> = isas.iter().flat_map(of_isa).collect();
    let mut names: Vec<&str> = asks.list.iter().map(|ask| ask.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let unknown = names.into_iter().filter(|name| facts::parameter(name).is_none() && !has_no_file(name));
    all.extend(unknown.map(|name| unlisted(name, asks, &shown)));
    all
}

/// One parameter by its name on the command line: on every ISA where a table says more of it than that it is one.
pub fn standing(name: &str, look: &Snapshot, ground: &Ground, asks: &Asks) -> Vec<Standing> {
    let shown = shown(look);
    match facts::parameter(name) {
        None => vec![unlisted(name, asks, &shown)],
        Some(parameter) if parameter.module().is_none() => vec![of_boot(parameter, asks)],
        Some(parameter) => {
            let none = [String::new()];
            let isas = if ground.isas.is_empty() { &none[..] } else { &ground.isas };
            isas.iter().map(|gfx| judged(parameter, asks, &shown, gfx, ground)).collect()
        }
    }
}

/// Requests that a later one of the same thing makes void, or repeats: the earlier and the later one. Of a list with
/// commas each word is a request, and the others of its kind leave it as it is.
pub fn repeated(asks: &Asks) -> Vec<(Ask, Ask)> {
    let each: Vec<Ask> = asks.list.iter().flat_map(words).collect();
    let again = |earlier: &Ask, later: &Ask| {
        earlier.name == later.name
            && match facts::parameter(&earlier.name) {
                Some(parameter) if parameter.kind == ParameterKind::BootList => {
                    parameter.one_option(&earlier.value, &later.value)
                }
                Some(_) | None => true,
            }
    };
    let later = |at: usize, ask: &Ask| each[at + 1..].iter().find(|later| again(ask, later)).cloned();
    each.iter().enumerate().filter_map(|(at, ask)| Some((ask.clone(), later(at, ask)?))).collect()
}

/// A request for each word of a list; any other request as it is.
fn words(ask: &Ask) -> Vec<Ask> {
    match facts::parameter(&ask.name) {
        Some(parameter) if parameter.kind == ParameterKind::BootList => {
            facts::list(&ask.value).map(|word| Ask { value: word.to_owned(), ..ask.clone() }).collect()
        }
        Some(_) | None => vec![ask.clone()],
    }
}

/// A word of the kernel itself: no file shows it, and what is on the command line counts.
pub(super) fn of_boot(parameter: &Parameter, asks: &Asks) -> Standing {
    let asked = asks.of(&parameter.name);
    let value = match parameter.kind {
        ParameterKind::BootList => {
            let words = parameter.words_in_force(asked.iter().map(|ask| ask.value.as_str()));
            asked.last().map(|_| words.join(","))
        }
        ParameterKind::Boot | ParameterKind::Int | ParameterKind::Mask | ParameterKind::Timeouts => {
            asked.last().map(|ask| ask.value.clone())
        }
    };
    let effect = match (&value, asks.no_command_line()) {
        (_, Some(why)) => Effect::Unreadable { why: why.to_owned() },
        (Some(value), None) => Effect::Changes { value: value.clone(), default: None },
        (None, None) => Effect::NotSet,
    };
    let (name, gfx) = (parameter.name.clone(), String::new());
    Standing { name, gfx, asked: asked.last().map(|ask| (*ask).clone()), effect, in_force: value }
}

type Shown = Reading<BTreeMap<String, Reading<String>>>;

fn shown(look: &Snapshot) -> Shown {
    look.tuning.as_ref().map_or(Reading::NotReported, |tuning| tuning.parameters.clone())
}

fn file<'a>(shown: &'a Shown, name: &str) -> Reading<&'a String> {
    shown.as_ref().and_then(|files| files.get(name).map_or(Reading::NotReported, Reading::as_ref))
}

fn judged(parameter: &Parameter, asks: &Asks, shown: &Shown, gfx: &str, ground: &Ground) -> Standing {
    let asked = asks.of(&parameter.name).last().copied();
    let (effect, in_force) = effect(parameter, asked, shown, gfx, ground);
    Standing { name: parameter.name.clone(), gfx: gfx.to_owned(), asked: asked.cloned(), effect, in_force }
}

fn effect(
    parameter: &Parameter,
    asked: Option<&Ask>,
    shown: &Shown,
    gfx: &str,
    ground: &Ground,
) -> (Effect, Option<String>) {
    let default = || ground.default_of(parameter, gfx).map(|row| row.value.clone());
    if shown.value().is_none() {
        let why = shown.absence().unwrap_or_default();
        return (Effect::Unreadable { why: format!("/sys/module/amdgpu/parameters: {why}") }, None);
    }
    let now = match file(shown, &parameter.name) {
        Reading::Value(now) => now.clone(),
        Reading::Malformed { problem, .. } => return (Effect::Unreadable { why: problem }, None),
        Reading::NotApplicable | Reading::NotReported => {
            return match asked {
                None => (Effect::NotSet, default()),
                Some(ask) => {
                    let value = ask.value.clone();
                    (Effect::NotEffective(Ineffective::NoSuch { value, nearest: None }), default())
                }
            };
        }
    };
    let untouched = parameter.unset.as_ref().is_none_or(|unset| parameter.same(unset, &now));
    let Some(ask) = asked else {
        return if untouched {
            (Effect::NotSet, default())
        } else if parameter.latched && ground.built_in {
            (Effect::NotEffective(Ineffective::WrittenAtRunTime { shown: now }), default())
        } else if parameter.latched {
            (Effect::NotEffective(Ineffective::Contested { value: None, shown: now }), None)
        } else if parameter.is_cut(&now) {
            (Effect::Undecided { value: now, why: CUT.to_owned() }, None)
        } else {
            of_value(parameter, now, gfx, ground)
        };
    };
    let value = ask.value.clone();
    if !parameter.allows(&value) {
        // What the file of a latched parameter shows may have been written since.
        let in_force = if untouched && !parameter.latched { default() } else { None };
        return (Effect::NotEffective(Ineffective::Rejected { value, shown: now }), in_force);
    }
    if parameter.shows(&now, &value) {
        return if parameter.same(&now, &value) || ask.at_boot() {
            of_value(parameter, value, gfx, ground)
        } else {
            (Effect::Undecided { value, why: CUT.to_owned() }, None)
        };
    }
    if parameter.latched && !ask.at_boot() {
        return (Effect::NotEffective(Ineffective::Contested { value: Some(value), shown: now }), None);
    }
    if parameter.latched {
        let (_, in_force) = of_value(parameter, value, gfx, ground);
        return (Effect::NotEffective(Ineffective::WrittenAtRunTime { shown: now }), in_force);
    }
    let (_, in_force) = of_value(parameter, now.clone(), gfx, ground);
    let ineffective = if parameter.writable() {
        Ineffective::Overridden { value, by: format!("a write at run time ({now})") }
    } else {
        Ineffective::NotLoaded { value, shown: now }
    };
    (Effect::NotEffective(ineffective), in_force)
}

/// What comes of a value that the driver holds.
fn of_value(parameter: &Parameter, value: String, gfx: &str, ground: &Ground) -> (Effect, Option<String>) {
    let default = ground.default_of(parameter, gfx);
    let by_driver = parameter.unset.as_ref().is_some_and(|unset| parameter.same(unset, &value));
    match default {
        Some(row) if parameter.same(&row.value, &value) => {
            let why = format!("{} is the default{} ({})", row.value, on(gfx), row.source.confidence);
            (Effect::NoOp { value: value.clone(), why }, Some(value))
        }
        row if by_driver => {
            let why = "that is what the file shows where nobody set it".to_owned();
            (Effect::NoOp { value, why }, row.map(|row| row.value.clone()))
        }
        _ if !parameter.used_on(gfx) => {
            (Effect::NotEffective(Ineffective::WrongAsic { value, only: parameter.only.clone() }), None)
        }
        Some(row) => (Effect::Changes { value: value.clone(), default: Some(row.value.clone()) }, Some(value)),
        None if parameter.defaults.is_empty() => (Effect::Changes { value: value.clone(), default: None }, Some(value)),
        None => {
            let why = format!("its default{} with {} is not known", on(gfx), kernel(ground));
            (Effect::Undecided { value: value.clone(), why }, Some(value))
        }
    }
}

pub(super) fn on(gfx: &str) -> String {
    if gfx.is_empty() { String::new() } else { format!(" on {gfx}") }
}

pub(super) fn kernel(ground: &Ground) -> String {
    let kernel = ground.kernel.map_or("an unknown kernel".to_owned(), |kernel| format!("Linux {kernel}"));
    let kernel = if ground.backported { format!("{kernel} and the drivers of a later one") } else { kernel };
    match ground.driver {
        Some(driver) => format!("{kernel} and AMD's driver {driver}"),
        None => kernel,
    }
}

/// Whether every module takes it, and none has a file for it.
fn has_no_file(name: &str) -> bool {
    OF_EVERY_MODULE.contains(&own(name))
}

/// A name within its module.
fn own(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, own)| own)
}

/// A parameter that is in no table: nothing to say where the driver has it, a slip where it has not.
fn unlisted(name: &str, asks: &Asks, shown: &Shown) -> Standing {
    let asked = asks.of(name).last().copied();
    let now = file(shown, name);
    let effect = match (asked, shown.value(), &now) {
        (_, None, _) => Effect::Unreadable { why: format!("parameters: {}", shown.absence().unwrap_or_default()) },
        (_, Some(_), Reading::Malformed { problem, .. }) => Effect::Unreadable { why: problem.clone() },
        (None, Some(_), Reading::Value(_) | Reading::NotReported | Reading::NotApplicable) => Effect::NotSet,
        (Some(ask), Some(_), Reading::NotReported | Reading::NotApplicable) if has_no_file(name) => {
            Effect::Undecided { value: ask.value.clone(), why: "no file shows it".to_owned() }
        }
        (Some(_), Some(_), Reading::NotReported | Reading::NotApplicable) if own(name).starts_with('#') => {
            Effect::NotEffective(Ineffective::Comment)
        }
        (Some(ask), Some(files), Reading::NotReported | Reading::NotApplicable) => {
            let nearest = nearest(name, files);
            Effect::NotEffective(Ineffective::NoSuch { value: ask.value.clone(), nearest })
        }
        (Some(ask), Some(_), Reading::Value(now)) if facts::parameter_holds(name, now, &ask.value) => {
            Effect::Undecided { value: ask.value.clone(), why: "no facts about this parameter".to_owned() }
        }
        (Some(ask), Some(_), Reading::Value(now)) => {
            let (value, shown) = (ask.value.clone(), (*now).clone());
            Effect::NotEffective(Ineffective::NotLoaded { value, shown })
        }
    };
    let in_force = now.value().map(|now| (*now).clone());
    Standing { name: name.to_owned(), gfx: String::new(), asked: asked.cloned(), effect, in_force }
}

fn nearest(name: &str, files: &BTreeMap<String, Reading<String>>) -> Option<String> {
    let known = facts::parameters().iter().map(|each| each.name.as_str());
    let names = files.keys().map(String::as_str).chain(known);
    names
        .map(|known| (strsim::jaro_winkler(name, known), known))
        // The module's name alone makes everything similar.
        .filter(|(score, known)| *score >= SIMILAR && own_is_similar(name, known))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, known)| known.to_owned())
}

fn own_is_similar(left: &str, right: &str) -> bool {
    strsim::jaro_winkler(own(left), own(right)) >= SIMILAR
}

impl Standing {
    /// The other ISAs of the machine on which the same setting is a change: it is one setting for all of them.
    pub fn counts_on<'a>(&self, all: &'a [Self]) -> Vec<&'a Self> {
        let nothing = match &self.effect {
            Effect::NoOp { .. } | Effect::NotEffective(Ineffective::WrongAsic { .. }) => true,
            Effect::NotSet
            | Effect::Changes { .. }
            | Effect::NotEffective(
                Ineffective::WrittenAtRunTime { .. }
                | Ineffective::Contested { .. }
                | Ineffective::Rejected { .. }
                | Ineffective::Overridden { .. }
                | Ineffective::NotLoaded { .. }
                | Ineffective::Comment
                | Ineffective::NoSuch { .. },
            )
            | Effect::Unreadable { .. }
            | Effect::Undecided { .. } => false,
        };
        let changed = |other: &&Self| other.name == self.name && matches!(other.effect, Effect::Changes { .. });
        all.iter().filter(|_| nothing).filter(changed).collect()
    }
}

impl Effect {
    /// The verdict in a word or two.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotSet => "not set",
            Self::NoOp { .. } => "no-op",
            Self::Changes { .. } => "changes the default",
            Self::NotEffective(_) => "set but not effective",
            Self::Unreadable { .. } => "unreadable",
            Self::Undecided { .. } => "set, default unknown",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet => f.write_str("not set"),
            Self::NoOp { value, why } => write!(f, "{value}: no-op, {why}"),
            Self::Changes { value, default: Some(default) } => write!(f, "{value}: changes the default {default}"),
            Self::Changes { value, default: None } => write!(f, "{value}: in place of the driver's own choice"),
            Self::NotEffective(why) => write!(f, "{why}"),
            Self::Unreadable { why } => write!(f, "unreadable: {why}"),
            Self::Undecided { value, why } => write!(f, "{value}: {why}"),
        }
    }
}

impl fmt::Display for Ineffective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrittenAtRunTime { shown } => write!(
                f,
                "{shown} is shown and not used: the driver copied the value when it took the GPU, and this was written since"
            ),
            Self::Contested { value, shown } => {
                let asked = value.as_ref().map_or("nothing asks for it".to_owned(), |value| {
                    format!("modprobe.d asks for {value}")
                });
                write!(
                    f,
                    "{shown} is shown and {asked}: either it was written at run time, when the driver had copied the value, or \
                     an initramfs with another modprobe.d loaded the driver with it; which of the two is not known"
                )
            }
            Self::Rejected { value, shown } => write!(f, "{value} is not a legal value; the file shows {shown:?}"),
            Self::WrongAsic { value, only } => write!(f, "{value}: the driver uses it on {} only", only.join(", ")),
            Self::Overridden { value, by } => write!(f, "{value} is overridden by {by}"),
            Self::NotLoaded { value, shown } => write!(
                f,
                "{value} is asked for, and the driver was loaded with {shown:?}: modprobe.d was changed since, or the \
                 initramfs was not made again"
            ),
            Self::Comment => f.write_str(
                "no comment may stand behind an option: the words after # are handed to the driver, and NAME=VALUE among them \
                 counts",
            ),
            Self::NoSuch { value, nearest } => {
                if !value.is_empty() {
                    write!(f, "{value}: ")?;
                }
                f.write_str("the driver has no such parameter")?;
                match nearest {
                    Some(nearest) => write!(f, "; the nearest is {nearest}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
