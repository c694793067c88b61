//! Kernel parameters and variables that do something else than those who set them believe.

use crate::doctor::diagnosis::Seen;
use crate::doctor::obstacle::{Obstacle, Weight, obstacle};
use crate::domain::{Provenance, Reading};
use crate::facts;
use crate::tuning::{Effect, Ground, Standing, Trait, asks, repeated, settings, standings};

pub(super) fn obstacles(seen: &Seen<'_>) -> Vec<Obstacle> {
    parameters(seen).into_iter().chain(variables(seen)).collect()
}

fn parameters(seen: &Seen<'_>) -> Vec<Obstacle> {
    let ground = Ground::of(seen.look);
    let asks = asks(seen.look, &ground);
    let set = standings(seen.look, &ground, &asks);
    let mut found: Vec<Obstacle> = set.iter().filter_map(|standing| of_parameter(standing, &set)).collect();
    found.extend(repeated(&asks).into_iter().map(|(first, later)| {
        let what = format!(
            "{} is set twice: {} in {}, then {} in {}, which counts",
            first.name, first.value, first.place, later.value, later.place
        );
        note("kernel-parameter", what, "keep one of the two".to_owned(), "facts/rdna.md section 3")
    }));
    found
}

/// One note for each parameter that somebody set. What cannot be read is told only where somebody asked for it.
fn of_parameter(standing: &Standing, all: &[Standing]) -> Option<Obstacle> {
    let name = match (&standing.asked, standing.gfx.as_str()) {
        (_, "") => standing.name.clone(),
        (_, gfx) => format!("{} on {gfx}", standing.name),
    };
    let what = match &standing.effect {
        Effect::NotSet => return None,
        Effect::Unreadable { .. } if standing.asked.is_none() => return None,
        Effect::NoOp { .. }
        | Effect::Changes { .. }
        | Effect::NotEffective(_)
        | Effect::Unreadable { .. }
        | Effect::Undecided { .. } => format!("{name}: {}", standing.effect),
    };
    let next = facts::parameter(&standing.name).map_or_else(
        || "correct or remove it: no facts about a parameter of this name".to_owned(),
        |parameter| {
            let elsewhere = standing.counts_on(all);
            let advice = match standing.effect {
                Effect::NoOp { .. } | Effect::NotEffective(_) if !elsewhere.is_empty() => {
                    "it counts on another GPU of this machine: name it with every result"
                }
                Effect::NoOp { .. } | Effect::NotEffective(_) => "remove it, so that nobody takes it for a cure",
                Effect::NotSet | Effect::Changes { .. } | Effect::Unreadable { .. } | Effect::Undecided { .. } => {
                    "name it with every result"
                }
            };
            format!("{advice}; `validate explain {}`", parameter.entry_id())
        },
    );
    let source = facts::parameter(&standing.name).map_or("", |parameter| parameter.source.cite.as_str());
    Some(note("kernel-parameter", what, next, source))
}

/// Variables of whoever asks, which a probe would inherit. Filters have a rule of their own.
fn variables(seen: &Seen<'_>) -> Vec<Obstacle> {
    if seen.environment.provenance != Provenance::Hardware {
        return Vec::new();
    }
    let Some(tuning) = &seen.look.tuning else { return Vec::new() };
    let Reading::Value(environment) = &tuning.environment else { return Vec::new() };
    let rocm = match tuning.rocm.as_slice() {
        [one] => one.parse().ok(),
        [] | [_, ..] => None,
    };
    let found = settings(environment, &Ground::of(seen.look), rocm);
    let told = found.into_iter().filter(|setting| match setting.kind {
        Trait::Acts | Trait::SameIsa | Trait::Hides => false,
        Trait::Folklore
        | Trait::BuildTime
        | Trait::NoOp
        | Trait::Contrary
        | Trait::Invalid
        | Trait::TakesEvidence
        | Trait::OtherIsa
        | Trait::Slip => true,
    });
    told.map(|setting| {
        let name = setting.shown.split('=').next().unwrap_or_default();
        let next = format!("unset it; `validate explain env.{name}`");
        note("environment-variable", format!("{}: {}", setting.shown, setting.why), next, "facts/rdna.md section 4")
    })
    .collect()
}

fn note(id: &'static str, what: String, next: String, source: &str) -> Obstacle {
    obstacle(id, Weight::Note, what, next, source)
}
