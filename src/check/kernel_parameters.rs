//! `kernel.parameters`: parameters that a scenario requires are in force, and those that it bans are not.

use crate::domain::{Ban, CheckId, Confidence, Demand, Reading};
use crate::facts::{self, ParameterKind};
use crate::tuning::{Asks, Effect, Ground, Standing, asks, standing};
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
    let of = |name: &str| match facts::parameter(name).filter(|each| each.kind != ParameterKind::Boot) {
        Some(parameter) => standing(parameter, look, &ground, &asks),
        None => vec![bare(name, &asks, shown(seen, name))],
    };
    for (name, value) in demand.required() {
        for standing in of(name) {
            require(&mut collector, &standing, value, &asks);
        }
    }
    for ban in demand.banned() {
        for standing in of(&ban.name) {
            forbid(&mut collector, &standing, ban);
        }
    }
    // What cannot be read may hold what is banned; what is required shows in the driver.
    if !demand.banned().is_empty() {
        unread(&mut collector, &asks);
    }
    collector.finish()
}

/// A parameter of which no table says anything, or a word of the command line: as it was asked, or as its file shows.
fn bare(name: &str, asks: &Asks, shown: Reading<String>) -> Standing {
    let asked = asks.of(name).last().map(|ask| (*ask).clone());
    let in_force =
        shown.value().cloned().or_else(|| asked.as_ref().filter(|_| !name.contains('.')).map(|ask| ask.value.clone()));
    let effect = match (&shown, &asked) {
        (Reading::Malformed { problem, .. }, _) => Effect::Unreadable { why: problem.clone() },
        (_, Some(ask)) => Effect::Changes { value: ask.value.clone(), default: None },
        (_, None) => Effect::NotSet,
    };
    Standing { name: name.to_owned(), gfx: String::new(), asked, effect, in_force }
}

fn shown(seen: &Observations, name: &str) -> Reading<String> {
    let files = seen.after.tuning.as_ref().and_then(|tuning| tuning.parameters.value());
    files.and_then(|files| files.get(name)).cloned().unwrap_or(Reading::NotReported)
}

fn subject(standing: &Standing) -> String {
    if standing.gfx.is_empty() { standing.name.clone() } else { format!("{} on {}", standing.name, standing.gfx) }
}

fn require(collector: &mut Collector, standing: &Standing, value: &str, asks: &Asks) {
    let subject = subject(standing);
    if let Effect::Unreadable { why } = &standing.effect {
        collector.gap(super::kernel_effective::kind_of(why), subject, why.as_str());
        return;
    }
    let parameter = facts::parameter(&standing.name);
    let same = |found: &str| parameter.map_or(found == value, |parameter| parameter.same(found, value));
    let observed = match (&standing.effect, &standing.in_force) {
        (Effect::NotSet, Some(default)) => format!("{default}, the default"),
        (effect, _) => effect.to_string(),
    };
    // Of a word of the command line any occurrence counts.
    let said = standing.gfx.is_empty()
        && asks.of(&standing.name).iter().any(|ask| !ask.name.contains('.') && ask.value == value);
    match (&standing.in_force, &standing.effect) {
        (Some(found), _) if same(found) || said => collector.met(subject, value, observed),
        (_, Effect::NotEffective(_)) => collector.unmet("not-in-force", subject, value, observed),
        (None, Effect::NotSet) if parameter.is_some_and(|each| !each.defaults.is_empty()) => {
            let reason = "nobody set it, and its default on this ISA and kernel is not known";
            collector.gap(GapKind::Unknown, subject, reason);
        }
        (_, _) => collector.unmet("other-value", subject, value, observed),
    }
}

fn forbid(collector: &mut Collector, standing: &Standing, ban: &Ban) {
    let subject = subject(standing);
    if let Effect::Unreadable { why } = &standing.effect {
        collector.gap(super::kernel_effective::kind_of(why), subject, why.as_str());
        return;
    }
    let expected = format!("not {ban}");
    let parameter = facts::parameter(&standing.name);
    let banned = match (&ban.value, &standing.in_force) {
        (None, _) => standing.effect != Effect::NotSet,
        (Some(value), Some(found)) => parameter.map_or(found == value, |parameter| parameter.same(found, value)),
        (Some(_), None)
            if standing.effect == Effect::NotSet && parameter.is_some_and(|each| !each.defaults.is_empty()) =>
        {
            collector.gap(
                GapKind::Unknown,
                subject,
                "nobody set it, and its default on this ISA and kernel is not known",
            );
            return;
        }
        (Some(_), None) => false,
    };
    let observed = match (&standing.effect, &standing.in_force) {
        (Effect::NotSet, Some(default)) => format!("{default}, the default"),
        (effect, _) => effect.to_string(),
    };
    if banned {
        collector.unmet("banned", subject, expected, observed);
    } else {
        collector.met(subject, expected, observed);
    }
}
