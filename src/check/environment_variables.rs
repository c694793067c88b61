//! `environment.variables`: what is set in the environment of probes is read, means something, and does what it is set for.

use std::collections::BTreeMap;

use crate::domain::{CheckId, Confidence, Demand, MajorMinor, Reading};
use crate::tuning::{Build, Ground, Setting, Trait, loaded, settings, shown};
use crate::witness::tuning::WorkerEnvironment;
use crate::witness::{Observations, TuningFacts};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};
use super::probes::{Group, environment_of, groups};

pub(super) const ABOUT: About = About {
    id: CheckId::EnvironmentVariables,
    what: "Every variable of ROCm and torch in the environment of the case's probes has a consumer, a legal value and an effect on these GPUs; required ones are exported, banned ones are not; what was set for a probe is in its process. Without probes: in the environment that they would inherit.",
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
        FindingAbout {
            id: "not-in-the-process",
            what: "A variable that was set for the probe is not in its process, or has another value there.",
            next: "look at what starts the worker: a wrapper, sudo, a container; nothing that this probe showed was with that variable",
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
    let ground = Ground::of(look);
    if seen.probes.is_empty() {
        match &tuning.environment {
            Reading::Value(environment) => {
                judge(&mut collector, demand, environment, &On { ground: &ground, rocm: installed(tuning), whose: "" });
            }
            absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
                collector.gap(GapKind::NotReported, "the environment", absent.absence().unwrap_or_default());
            }
        }
        return collector.finish();
    }
    let environments = groups(&mut collector, &seen.probes, &|process| {
        let rocm = match loaded(&process.libraries).map(|loaded| loaded.build) {
            Some(Build::Rocm(rocm)) => Some(rocm),
            Some(Build::Without(_) | Build::Unsaid) | None => installed(tuning),
        };
        environment_of(process).map(|environment| (environment, rocm))
    });
    for Group { whose, first: (environment, rocm) } in environments {
        let whose = format!(" in {whose}");
        given(&mut collector, environment, &whose);
        judge(&mut collector, demand, &environment.has, &On { ground: &ground, rocm, whose: &whose });
    }
    collector.finish()
}

/// On what an environment is judged, and whose it is: nothing, or ` in matmul/f32/8x8x8 on the GPU`.
struct On<'a> {
    ground: &'a Ground,
    rocm: Option<MajorMinor>,
    whose: &'a str,
}

/// The one ROCm below `/opt`.
fn installed(tuning: &TuningFacts) -> Option<MajorMinor> {
    match tuning.rocm.as_slice() {
        [one] => one.parse().ok(),
        [] | [_, _, ..] => None,
    }
}

/// What was set for a worker is in its process.
fn given(collector: &mut Collector, environment: &WorkerEnvironment, whose: &str) {
    let WorkerEnvironment { given, has } = environment;
    for (name, value) in given {
        let subject = format!("{name}{whose}");
        let expected = format!("{}, as it was set for it", shown(value));
        match has.get(name) {
            Some(found) if found == value => collector.met(subject, expected, "in its process"),
            Some(found) => collector.unmet("not-in-the-process", subject, expected, shown(found)),
            None => collector.unmet("not-in-the-process", subject, expected, "not in the environment of its process"),
        }
    }
}

fn judge(collector: &mut Collector, demand: &Demand, environment: &BTreeMap<String, String>, on: &On<'_>) {
    let &On { ground, rocm, whose } = on;
    for (name, value) in demand.required() {
        let subject = format!("{name}{whose}");
        match environment.get(name) {
            Some(found) if found == value => collector.met(subject, value.as_str(), "exported"),
            Some(found) => collector.unmet("other-value", subject, value.as_str(), shown(found)),
            None => collector.unmet("not-exported", subject, value.as_str(), "not in the environment"),
        }
    }
    for ban in demand.banned() {
        let subject = format!("{}{whose}", ban.name);
        let expected = format!("not {ban}");
        match environment.get(&ban.name) {
            Some(found) if ban.value.as_ref().is_none_or(|value| value == found) => {
                collector.unmet("banned", subject, expected, shown(found));
            }
            Some(found) => collector.met(subject, expected, shown(found)),
            None => collector.met(subject, expected, "not in the environment"),
        }
    }
    let all = format!("the environment{whose}");
    if ground.isas.is_empty() && !environment.is_empty() {
        collector.gap(GapKind::NotReported, all.as_str(), "no GPU is known: what changes nothing here cannot be told");
    }
    let found = settings(environment, ground, rocm);
    if found.is_empty() && environment.is_empty() {
        collector.met(all, "variables that act", "none of ROCm or torch is set");
    }
    for setting in found {
        told(collector, setting, whose);
    }
}

fn told(collector: &mut Collector, setting: Setting, whose: &str) {
    let Setting { shown, kind, why } = setting;
    let shown = format!("{shown}{whose}");
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
