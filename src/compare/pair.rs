//! Which records of the two sides are of the same case.

use std::collections::BTreeMap;

use crate::run::{CaseRecord, RunRecord};

/// One record of a case, with the run that it is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) run: &'a RunRecord,
    pub(super) case: &'a CaseRecord,
}

/// All records of one case on both sides; at least one side has some.
#[derive(Debug, Default)]
pub(super) struct Pair<'a> {
    pub(super) base: Vec<Record<'a>>,
    pub(super) candidate: Vec<Record<'a>>,
}

impl<'a> Pair<'a> {
    fn is_whole(&self) -> bool {
        !self.base.is_empty() && !self.candidate.is_empty()
    }

    fn records(&self) -> impl Iterator<Item = &Record<'a>> {
        self.base.iter().chain(&self.candidate)
    }
}

/// Pairs by id. What has no counterpart then is paired by what it asks of the one host that it ran on: there the id names
/// the amd-smi version that would have been simulated, and two stacks are named after two.
pub(super) fn pairs<'a>(base: &'a [RunRecord], candidate: &'a [RunRecord]) -> Vec<Pair<'a>> {
    let mut by_id: BTreeMap<&str, Pair<'a>> = BTreeMap::new();
    for (runs, side) in [(base, pick_base as Pick), (candidate, pick_candidate as Pick)] {
        for run in runs {
            for case in &run.cases {
                side(by_id.entry(&case.id).or_default()).push(Record { run, case });
            }
        }
    }
    let (mut whole, halves): (Vec<_>, Vec<_>) = by_id.into_values().partition(Pair::is_whole);
    let mut by_question: BTreeMap<(&str, &str), Pair<'a>> = BTreeMap::new();
    for half in halves {
        let asked = half.records().next().copied().and_then(question);
        match asked {
            Some(asked) => {
                let pair = by_question.entry(asked).or_default();
                pair.base.extend(half.base);
                pair.candidate.extend(half.candidate);
            }
            None => whole.push(half),
        }
    }
    whole.extend(by_question.into_values());
    whole
}

type Pick = for<'p, 'a> fn(&'p mut Pair<'a>) -> &'p mut Vec<Record<'a>>;

fn pick_base<'p, 'a>(pair: &'p mut Pair<'a>) -> &'p mut Vec<Record<'a>> {
    &mut pair.base
}

fn pick_candidate<'p, 'a>(pair: &'p mut Pair<'a>) -> &'p mut Vec<Record<'a>> {
    &mut pair.candidate
}

/// The scenario and what it asks, of a case that ran on a given host.
fn question(record: Record<'_>) -> Option<(&str, &str)> {
    record.run.environment.as_ref()?;
    let asks = &record.case.question.as_ref()?.asks;
    let scenario = record.case.id.split("::").next()?;
    Some((scenario, asks))
}
