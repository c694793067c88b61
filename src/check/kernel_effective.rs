//! `kernel.effective`: a kernel parameter that is set is one, changes something, and is in force.

use crate::domain::{CheckId, Confidence, Reading};
use crate::facts;
use crate::tuning::{Asks, Effect, Ground, Ineffective, Standing, asks, repeated, standing, standings};
use crate::witness::{ModuleState, Observations, Snapshot};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};

pub(super) const ABOUT: About = About {
    id: CheckId::KernelEffective,
    what: "Every parameter of amdgpu, amdttm and ttm that somebody set is known to the driver, differs from the default of this GPU and kernel, and is what the driver goes by.",
    why: "Most advice for crashes is a parameter that changes nothing here; a machine that carries one is believed to be treated.",
    source: "facts/rdna.md section 3",
    confidence: Confidence::Certain,
    needs: Needs { sysfs: true, kfd: true, system: true, tuning: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "no-op",
            what: "A parameter is set to what is in force anyway.",
            next: "take it out, so that nobody takes it for a cure",
        },
        FindingAbout {
            id: "other-gpu-only",
            what: "A parameter changes nothing on this GPU, and something on another one of the same machine.",
            next: "decide by the other GPU: it is one setting for all of them, and to take it out changes that one; name it with the results of each",
        },
        FindingAbout {
            id: "not-effective",
            what: "A parameter is set, and the driver does not go by it: written at run time, not legal, of another GPU, or not loaded.",
            next: "take it out, or set it so that it counts: on the kernel's command line, with a reboot",
        },
        FindingAbout {
            id: "unknown-name",
            what: "The driver has no such parameter.",
            next: "correct the name: the kernel log says `unknown parameter` and goes on without it",
        },
        FindingAbout {
            id: "duplicate",
            what: "A parameter is set twice to the same value.",
            next: "keep one place, so that a change is one change",
        },
        FindingAbout {
            id: "contradictory",
            what: "A parameter is set twice to different values, or two parameters ask for opposites.",
            next: "keep one; of one parameter the last counts, and the command line comes after modprobe.d",
        },
        FindingAbout {
            id: "log-differs",
            what: "The kernel log shows another fragment size than the parameters make.",
            next: "believe the log: it says what the driver did when it was loaded; look for a second load with other parameters",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    if refused(&mut collector, look) {
        return collector.finish();
    }
    let ground = Ground::of(look);
    let asks = asks(look, &ground);
    unread(&mut collector, &asks);
    let standings = standings(look, &ground, &asks);
    for standing in &standings {
        judge(&mut collector, standing, &standing.counts_on(&standings));
    }
    for (first, later) in repeated(&asks) {
        let observed = format!("{} ({}), then {} ({})", first.value, first.place, later.value, later.place);
        let same = facts::parameter_holds(&first.name, &first.value, &later.value);
        let id = if same { "duplicate" } else { "contradictory" };
        collector.unmet(id, first.name.as_str(), "set once", observed);
    }
    opposites(&mut collector, look, &ground, &asks);
    fragment(&mut collector, look, &standings);
    if standings.iter().all(|standing| standing.effect == Effect::NotSet) && asks.unread.is_empty() {
        collector.met("the driver", "parameters that count", "none is set: the driver's defaults");
    }
    collector.finish()
}

/// Says why nothing of parameters can be judged, and whether that is so.
pub(super) fn refused(collector: &mut Collector, look: &Snapshot) -> bool {
    let Some(driver) = &look.driver else {
        collector.gap(GapKind::NotReported, "the driver", "nobody asked");
        return true;
    };
    let why = match &driver.module {
        ModuleState::Live | ModuleState::BuiltIn => None,
        ModuleState::NotLoaded => Some("amdgpu is not loaded: it holds no parameters".to_owned()),
        ModuleState::Changing(state) => Some(format!("the driver is changing ({state})")),
        ModuleState::Unreadable(problem) => Some(problem.clone()),
    };
    let parameters = look.tuning.as_ref().map_or(&Reading::NotReported, |tuning| &tuning.parameters);
    let why = why.or_else(|| parameters.absence().map(|why| format!("/sys/module/amdgpu/parameters: {why}")));
    match why {
        Some(why) => {
            collector.gap(kind_of(&why), "the driver", why.as_str());
            true
        }
        None => false,
    }
}

/// One gap for each place where something may be set that nobody could read.
pub(super) fn unread(collector: &mut Collector, asks: &Asks) {
    for problem in &asks.unread {
        collector.gap(kind_of(problem), "what was asked for", problem.as_str());
    }
}

/// A reading that was refused is a gap of another kind than one that is broken.
pub(super) fn kind_of(why: &str) -> GapKind {
    let refused = ["ermission denied", "not permitted"].iter().any(|words| why.contains(words));
    if refused { GapKind::NoPermission } else { GapKind::NotReported }
}

fn judge(collector: &mut Collector, standing: &Standing, elsewhere: &[&Standing]) {
    let subject = match (&standing.asked, standing.gfx.as_str()) {
        (Some(ask), "") if ask.value.is_empty() => standing.name.clone(),
        (Some(ask), "") => format!("{}={}", standing.name, ask.value),
        (Some(ask), gfx) => format!("{}={} on {gfx}", standing.name, ask.value),
        (None, "") => standing.name.clone(),
        (None, gfx) => format!("{} on {gfx}", standing.name),
    };
    let observed = match &standing.asked {
        Some(ask) => format!("{} ({})", standing.effect, ask.place),
        None => standing.effect.to_string(),
    };
    if !elsewhere.is_empty() {
        let others = elsewhere.iter().map(|other| format!("on {}: {}", other.gfx, other.effect)).collect::<Vec<_>>();
        let observed = format!("{observed}; {}", others.join("; "));
        collector.unmet("other-gpu-only", subject, "a change", observed);
        return;
    }
    match &standing.effect {
        Effect::NotSet => {}
        Effect::NoOp { .. } => collector.unmet("no-op", subject, "a change", observed),
        Effect::Changes { .. } => collector.met(subject, "a change that is in force", observed),
        Effect::NotEffective(Ineffective::NoSuch { .. } | Ineffective::Comment) => {
            collector.unmet("unknown-name", subject, "a parameter of the driver", observed);
        }
        Effect::NotEffective(
            Ineffective::WrittenAtRunTime { .. }
            | Ineffective::Contested { .. }
            | Ineffective::Rejected { .. }
            | Ineffective::WrongAsic { .. }
            | Ineffective::Overridden { .. }
            | Ineffective::NotLoaded { .. },
        ) => collector.unmet("not-effective", subject, "in force", observed),
        Effect::Unreadable { why } => collector.gap(kind_of(why), subject, why.as_str()),
        Effect::Undecided { why, .. } => collector.gap(GapKind::Unknown, subject, why.as_str()),
    }
}

/// Settings of which one takes away what the other asks for.
fn opposites(collector: &mut Collector, look: &Snapshot, ground: &Ground, asks: &Asks) {
    let in_force = |[name, value]: &[String; 2]| {
        let found = standing(name, look, ground, asks).into_iter().filter_map(|standing| standing.in_force);
        found.into_iter().any(|found| facts::parameter_holds(name, &found, value))
    };
    for each in facts::opposites() {
        if in_force(&each.asked) && in_force(&each.against) {
            let observed = format!("{} (/proc/cmdline)", each.against.join("="));
            collector.unmet("contradictory", each.asked.join("="), each.wants.as_str(), observed);
        }
    }
}

/// The driver logs the fragment size of every GPU: what it did, whatever was asked.
fn fragment(collector: &mut Collector, look: &Snapshot, standings: &[Standing]) {
    const NAME: &str = "amdgpu.vm_fragment_size";
    let Some(parameter) = facts::parameter(NAME) else { return };
    let lines = look.tuning.as_ref().map_or(&Reading::NotReported, |tuning| &tuning.vm);
    let ours: Vec<&Standing> = standings.iter().filter(|each| each.name == parameter.name).collect();
    let Some(expected) = ours.first().and_then(|each| each.in_force.as_ref()) else { return };
    let subject = "fragment size";
    match lines {
        Reading::Value(lines) => {
            let others: Vec<String> = lines
                .iter()
                .map(|line| line.fragment_bits.to_string())
                .filter(|bits| !parameter.same(bits, expected))
                .collect();
            let observed = format!("{} GPUs (kernel log)", lines.len());
            match others.first() {
                None => collector.met(subject, format!("{expected} bits"), observed),
                Some(other) => collector.unmet(
                    "log-differs",
                    subject,
                    format!("{expected} bits"),
                    format!("{other} bits on {} of {observed}", others.len()),
                ),
            }
        }
        // Without the line the parameter's own file is all there is; that matters where somebody set it.
        absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
            if ours.iter().any(|each| each.asked.is_some()) {
                let why = absent.absence().unwrap_or_default();
                collector.gap(kind_of(&why), subject, format!("the driver's line in the kernel log: {why}"));
            }
        }
    }
}
