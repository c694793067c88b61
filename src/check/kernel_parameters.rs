//! `kernel.parameters`: parameters that a scenario requires are in force, and those that it bans are not.

use crate::domain::{Ban, CheckId, Confidence, Demand};
use crate::facts;
use crate::tuning::{Effect, Ground, Ineffective, Standing, asks, standing};
use crate::witness::Observations;

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};
use super::kernel_effective::{refused, unread};

pub(super) const ABOUT: About = About {
    id: CheckId::KernelParameters,
    what: "Each required kernel parameter is in force with its value, set or by default, and no banned one is.",
    why: "A result is of one setting: a parameter that was asked for and is not in force makes it somebody else's.",
    source: "facts/rdna.md section 3 (Reading the truth)",
    confidence: Confidence::Certain,
    needs: Needs { sysfs: true, kfd: true, system: true, tuning: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "not-in-force",
            what: "A required parameter was set, and the driver does not go by it.",
            next: "`validate explain param.NAME` says when it takes effect; `kernel.effective` says why it does not",
        },
        FindingAbout {
            id: "other-value",
            what: "A required parameter has another value, or nobody set it and the default is another one.",
            next: "put it on the kernel's command line and reboot: `validate explain param.NAME` has the lines",
        },
        FindingAbout {
            id: "banned",
            what: "A banned parameter is set, or a banned value is in force.",
            next: "take it off the kernel's command line and out of modprobe.d, make the initramfs again, and reboot",
        },
    ],
};

pub(super) fn evaluate(demand: &Demand, seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    if refused(&mut collector, look) {
        return collector.finish();
    }
    let ground = Ground::of(look);
    let asks = asks(look, &ground);
    for (name, value) in demand.required() {
        for standing in standing(name, look, &ground, &asks) {
            require(&mut collector, &standing, value);
        }
    }
    for ban in demand.banned() {
        for standing in standing(&ban.name, look, &ground, &asks) {
            forbid(&mut collector, &standing, ban);
        }
    }
    // What cannot be read may hold what is banned; what is required shows in the driver.
    if !demand.banned().is_empty() {
        unread(&mut collector, &asks);
    }
    collector.finish()
}

fn subject(standing: &Standing) -> String {
    if standing.gfx.is_empty() { standing.name.clone() } else { format!("{} on {}", standing.name, standing.gfx) }
}

fn require(collector: &mut Collector, standing: &Standing, value: &str) {
    let subject = subject(standing);
    match (&standing.in_force, &standing.effect) {
        (_, Effect::Unreadable { why }) => collector.gap(super::kernel_effective::kind_of(why), subject, why.as_str()),
        (Some(found), _) if facts::parameter_holds(&standing.name, found, value) => {
            collector.met(subject, value, observed(standing));
        }
        (None, _) if let Some(why) = open(standing) => collector.gap(GapKind::Unknown, subject, why),
        (_, Effect::NotEffective(_)) => collector.unmet("not-in-force", subject, value, observed(standing)),
        (_, Effect::NotSet | Effect::NoOp { .. } | Effect::Changes { .. } | Effect::Undecided { .. }) => {
            collector.unmet("other-value", subject, value, observed(standing));
        }
    }
}

fn forbid(collector: &mut Collector, standing: &Standing, ban: &Ban) {
    let subject = subject(standing);
    let expected = format!("not {ban}");
    let is_banned =
        |found: &str| ban.value.as_ref().is_none_or(|value| facts::parameter_holds(&standing.name, found, value));
    let banned = match (&ban.value, &standing.in_force, &standing.effect) {
        (_, _, Effect::Unreadable { why }) => {
            collector.gap(super::kernel_effective::kind_of(why), subject, why.as_str());
            return;
        }
        (None, _, effect) => *effect != Effect::NotSet,
        (Some(_), Some(found), _) => is_banned(found),
        // The driver holds what it may not go by.
        (Some(_), None, Effect::NotEffective(Ineffective::Rejected { value, shown })) => {
            is_banned(value) || is_banned(shown)
        }
        (Some(_), None, _) => match open(standing) {
            Some(why) => {
                collector.gap(GapKind::Unknown, subject, why);
                return;
            }
            None => false,
        },
    };
    if banned {
        collector.unmet("banned", subject, expected, observed(standing));
    } else {
        collector.met(subject, expected, observed(standing));
    }
}

fn observed(standing: &Standing) -> String {
    match (&standing.effect, &standing.in_force) {
        (Effect::NotSet, Some(default)) => format!("{default}, the default"),
        (effect, _) => effect.to_string(),
    }
}

/// Why nobody knows what is in force, where that is so.
fn open(standing: &Standing) -> Option<String> {
    let has_defaults = || facts::parameter(&standing.name).is_some_and(|each| !each.defaults.is_empty());
    match &standing.effect {
        Effect::NotSet => {
            has_defaults().then(|| "nobody set it, and its default on this ISA and kernel is not known".to_owned())
        }
        Effect::NoOp { .. } => has_defaults().then(|| "it is left to the driver, whose choice is not known".to_owned()),
        effect @ (Effect::NotEffective(Ineffective::Contested { .. }) | Effect::Undecided { .. }) => {
            Some(effect.to_string())
        }
        Effect::Unreadable { why } => Some(why.clone()),
        Effect::Changes { .. }
        | Effect::NotEffective(
            Ineffective::WrittenAtRunTime { .. }
            | Ineffective::Rejected { .. }
            | Ineffective::WrongAsic { .. }
            | Ineffective::Overridden { .. }
            | Ineffective::NotLoaded { .. }
            | Ineffective::Comment
            | Ineffective::NoSuch { .. },
        ) => None,
    }
}
