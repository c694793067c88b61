//! `environment.variables`: what is set in the environment of probes is read, means something, and does what it is set for.

use crate::domain::{CheckId, Confidence, Demand, Reading};
use crate::tuning::{Ground, Setting, Trait, settings};
use crate::witness::Observations;

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};

pub(super) const ABOUT: About = About {
    id: CheckId::EnvironmentVariables,
    what: "Every variable of ROCm and torch in the environment that probes inherit has a consumer, a legal value and an effect on these GPUs; required ones are exported, banned ones are not.",
    why: "Much of what is set against crashes is read by nobody, or changes nothing here; a variable that was set and not exported is a cause of its own (InvokeAI#3967).",
    source: "facts/rdna.md section 4",
    confidence: Confidence::Certain,
    needs: Needs { sysfs: true, kfd: true, tuning: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "folklore",
            what: "Nobody reads the variable.",
            next: "take it out: `validate explain env.NAME` says what was searched",
        },
        FindingAbout {
            id: "build-time-only",
            what: "The variable is read where the stack is built, and not where it runs.",
            next: "take it out of the environment of what runs",
        },
        FindingAbout {
            id: "no-op",
            what: "The variable changes nothing on these GPUs, or with this ROCm.",
            next: "take it out, so that nobody takes it for a cure",
        },
        FindingAbout {
            id: "contradicts-its-aim",
            what: "The value does the opposite of what it is set for.",
            next: "take it out: `validate explain env.NAME` says what it does",
        },
        FindingAbout {
            id: "invalid-value",
            what: "The value is none of those that mean something.",
            next: "correct it: `validate explain env.NAME` has the values",
        },
        FindingAbout {
            id: "hides-devices",
            what: "The variable leaves devices out of what runs.",
            next: "believe KFD for what is there; unset it where all devices are meant",
        },
        FindingAbout {
            id: "takes-evidence",
            what: "The variable takes away what a crash would print.",
            next: "take it out before anything that may crash",
        },
        FindingAbout {
            id: "other-isa",
            what: "A GPU is made to pass for one of another ISA.",
            next: "take a native build in place of the override (`validate explain mitigation.native-build`)",
        },
        FindingAbout {
            id: "unknown-name",
            what: "Nobody reads the variable, and its name is nearly that of one that is read.",
            next: "correct the name",
        },
        FindingAbout {
            id: "not-exported",
            what: "A required variable is not in the environment.",
            next: "export it: a variable that is set and not exported stays in the shell",
        },
        FindingAbout {
            id: "other-value",
            what: "A required variable has another value.",
            next: "find out who sets it last: a wrapper, a service file, the container",
        },
        FindingAbout {
            id: "banned",
            what: "A banned variable is in the environment.",
            next: "unset it in whatever starts the program",
        },
    ],
};

pub(super) fn evaluate(demand: &Demand, seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let Some(tuning) = &look.tuning else {
        collector.gap(GapKind::NotReported, "the environment", "nobody asked");
        return collector.finish();
    };
    let environment = match &tuning.environment {
        Reading::Value(environment) => environment,
        absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
            collector.gap(GapKind::NotReported, "the environment", absent.absence().unwrap_or_default());
            return collector.finish();
        }
    };
    for (name, value) in demand.required() {
        match environment.get(name) {
            Some(found) if found == value => collector.met(name.as_str(), value.as_str(), "exported"),
            Some(found) => collector.unmet("other-value", name.as_str(), value.as_str(), found.as_str()),
            None => collector.unmet("not-exported", name.as_str(), value.as_str(), "not in the environment"),
        }
    }
    for ban in demand.banned() {
        let expected = format!("not {ban}");
        match environment.get(&ban.name) {
            Some(found) if ban.value.as_ref().is_none_or(|value| value == found) => {
                collector.unmet("banned", ban.name.as_str(), expected, found.as_str());
            }
            Some(found) => collector.met(ban.name.as_str(), expected, found.as_str()),
            None => collector.met(ban.name.as_str(), expected, "not in the environment"),
        }
    }
    let isas = Ground::of(look).isas;
    let rocm = match tuning.rocm.as_slice() {
        [one] => one.parse().ok(),
        [] | [_, ..] => None,
    };
    if isas.is_empty() && !environment.is_empty() {
        collector.gap(
            GapKind::NotReported,
            "the environment",
            "no GPU is known: what changes nothing here cannot be told",
        );
    }
    let found = settings(environment, &isas, rocm);
    if found.is_empty() && environment.is_empty() {
        collector.met("the environment", "variables that act", "none of ROCm or torch is set");
    }
    for setting in found {
        told(&mut collector, setting);
    }
    collector.finish()
}

fn told(collector: &mut Collector, setting: Setting) {
    let Setting { shown, kind, why } = setting;
    match kind {
        Trait::Acts | Trait::SameIsa => collector.met(shown, "a variable that acts", why),
        Trait::Folklore => collector.unmet("folklore", shown, "a variable that somebody reads", why),
        Trait::BuildTime => collector.unmet("build-time-only", shown, "a variable that is read at run time", why),
        Trait::NoOp => collector.unmet("no-op", shown, "a change", why),
        Trait::Contrary => collector.unmet("contradicts-its-aim", shown, "what it is set for", why),
        Trait::Invalid => collector.unmet("invalid-value", shown, "a value that means something", why),
        Trait::Hides => collector.doubtful("hides-devices", shown, "every device", why),
        Trait::TakesEvidence => collector.unmet("takes-evidence", shown, "what a crash prints", why),
        Trait::OtherIsa => collector.unmet("other-isa", shown, "code of the GPU's own ISA", why),
        Trait::Slip => collector.unmet("unknown-name", shown, "a variable that somebody reads", why),
    }
}
