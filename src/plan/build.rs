//! The plan: which cases run, in what order, and why the others do not.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::Provenance;
use crate::scenario::{Case, Level, Scenario, Step};

use super::cpu::on_cpu;
use super::host::Fit;
use super::workers::spread;
use super::{Filter, Shard, Target};

/// What the caller asks for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// `-E`.
    pub filter: Option<Filter>,
    /// `--shard`.
    pub shard: Option<Shard>,
    /// `--shuffle`: the seed.
    pub shuffle: Option<u64>,
    /// `--interaction`: how far cases may go; [`Target::default_level`] when `None`.
    pub level: Option<Level>,
    /// Names of the workers, where there are several: then only what computes is run, by each of them.
    pub workers: Vec<String>,
}

/// What is run, in this order, and what is not.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Cases to run, in order.
    pub cases: Vec<Case>,
    /// Cases that may well be for the given host, where what decides it could not be read: not evaluated, rather than
    /// not selected. In the order of the files.
    pub undecided: Vec<Undecided>,
    /// Cases that are not run, in the order of the files.
    pub not_selected: Vec<Excluded>,
}

/// A case that cannot be told to be for the given host, or not to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Undecided {
    /// Which.
    pub case: Case,
    /// What could not be read.
    pub why: String,
}

/// A case that is not run.
#[derive(Debug, Clone, PartialEq)]
pub struct Excluded {
    /// Which.
    pub case: Case,
    /// Why.
    pub reason: Reason,
}

/// Why a case is not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// `-E` leaves it out.
    #[error("the filter leaves it out")]
    Filter,
    /// It is in another shard.
    #[error("it is in another shard than {0}")]
    Shard(Shard),
    /// It goes further than it may.
    #[error("it needs --interaction {needs}, and {allowed} is allowed")]
    Level {
        /// How far it goes.
        needs: Level,
        /// How far it may go.
        allowed: Level,
    },
    /// It plants something that only a simulated machine of its own can have.
    #[error("only a simulated machine can have what it plants: {0}")]
    SimulatedOnly(&'static str),
    /// It takes minutes to simulate and says nothing that a faster one does not.
    #[error("it takes minutes to simulate, and runs where -E asks about tag(slow)")]
    Slow,
    /// It is for other machines, or says nothing about which.
    #[error("does not apply: {0}")]
    DoesNotApply(String),
    /// It is for a GPU, and the CPU is asked.
    #[error("needs a GPU: {0}")]
    NeedsGpu(&'static str),
    /// Several workers are compared, and it has nothing to do with either.
    #[error("it computes nothing, and is the same whichever worker there is")]
    ComputesNothing,
    /// On one given host it asks the same as another case: they differ in what they simulate.
    #[error("on this host the same as {0}")]
    SameAs(String),
}

impl Reason {
    /// The kind of reason, as it follows a number of cases in a summary.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Filter => "left out by the filter",
            Self::Shard(_) => "in another shard",
            Self::Level { .. } => "going further than --interaction allows",
            Self::Slow => "that take minutes to simulate and run with -E 'tag(slow)'",
            Self::SimulatedOnly(_) => "with something that only a simulated machine of their own can have",
            Self::DoesNotApply(_) => "for other machines",
            Self::NeedsGpu(_) => "for a GPU",
            Self::ComputesNothing => "that compute nothing, whichever worker there is",
            Self::SameAs(_) => "the same as another one on this host",
        }
    }
}

impl Plan {
    /// Chooses and orders. The filter is asked first, the shard last, so that the shards of one selection share it.
    /// Order: as the cases come in, or shuffled by the seed (the same order for the same seed, cases and version).
    pub fn build(cases: Vec<Case>, selection: &Selection, target: &Target) -> Self {
        let mut not_selected = Vec::new();
        let mut chosen = Vec::new();
        let mut asked = HashMap::new();
        let mut cases: Vec<(usize, Case)> = spread(cases, &selection.workers).into_iter().enumerate().collect();
        // Of variants that ask the same, the one named after this host's own tool is taken.
        cases.sort_by_key(|(_, case)| !speaks_as(case, target));
        for (position, mut case) in cases {
            if selection.filter.as_ref().is_some_and(|filter| !filter.matches(&case)) {
                not_selected.push((position, Excluded { case, reason: Reason::Filter }));
                continue;
            }
            if let Err(reason) = on_target(&mut case, target) {
                not_selected.push((position, Excluded { case, reason }));
                continue;
            }
            let choice = match choose(&case, selection, target) {
                Choice::Refused(reason) => Err(reason),
                Choice::Chosen(unknown) => duplicate(&case, target, &mut asked).map_or(Ok(unknown), Err),
            };
            match choice {
                Ok(unknown) => chosen.push((position, case, unknown)),
                Err(reason) => not_selected.push((position, Excluded { case, reason })),
            }
        }
        chosen.sort_by_key(|&(position, ..)| position);
        if let Some(shard) = selection.shard {
            let total = chosen.len();
            let mut kept = Vec::new();
            for (rank, (position, case, unknown)) in chosen.into_iter().enumerate() {
                if shard.holds(&case.id, rank, total) {
                    kept.push((position, case, unknown));
                } else {
                    not_selected.push((position, Excluded { case, reason: Reason::Shard(shard) }));
                }
            }
            chosen = kept;
        }
        not_selected.sort_by_key(|&(position, _)| position);
        let (mut cases, mut undecided) = (Vec::new(), Vec::new());
        for (_, case, unknown) in chosen {
            match unknown {
                None => cases.push(case),
                Some(why) => undecided.push(Undecided { case, why }),
            }
        }
        if let Some(seed) = selection.shuffle {
            fastrand::Rng::with_seed(seed).shuffle(&mut cases);
        }
        let not_selected = not_selected.into_iter().map(|(_, excluded)| excluded).collect();
        Self { cases, undecided, not_selected }
    }
}

/// Makes of a case what the target has computed.
fn on_target(case: &mut Case, target: &Target) -> Result<(), Reason> {
    match target {
        Target::Simulated | Target::Given { .. } => Ok(()),
        Target::Cpu => on_cpu(case).map_err(Reason::NeedsGpu),
    }
}

enum Choice {
    /// With what could not be read of the host, where that decides whether the case is for it.
    Chosen(Option<String>),
    Refused(Reason),
}

fn choose(case: &Case, selection: &Selection, target: &Target) -> Choice {
    if *target == Target::Simulated && case.scenario.is_slow() && !names_slow(selection) {
        return Choice::Refused(Reason::Slow);
    }
    if !selection.workers.is_empty() && case.worker.is_none() {
        return Choice::Refused(Reason::ComputesNothing);
    }
    if let Some(what) = target.provenance().and_then(|provenance| planted(case, provenance)) {
        return Choice::Refused(Reason::SimulatedOnly(what));
    }
    let mut unknown = None;
    if let Target::Given { host, .. } = target {
        let Some(applies) = &case.scenario.applies else {
            let problem = "the scenario has no [applies], so it is for its simulated machine only";
            return Choice::Refused(Reason::DoesNotApply(problem.to_owned()));
        };
        match host.fits(applies) {
            Fit::Yes => {}
            Fit::No(why) => return Choice::Refused(Reason::DoesNotApply(why)),
            Fit::CannotTell(why) => unknown = Some(why),
        }
    }
    let (needs, allowed) = (case.scenario.level, selection.level.unwrap_or_else(|| target.default_level()));
    if needs > allowed {
        return Choice::Refused(Reason::Level { needs, allowed });
    }
    Choice::Chosen(unknown)
}

/// Whether somebody decided about what is slow.
fn names_slow(selection: &Selection) -> bool {
    selection.filter.as_ref().is_some_and(|filter| filter.names_tag(Scenario::SLOW))
}

/// What of a case only a simulated machine of its own can have.
fn planted(case: &Case, provenance: Provenance) -> Option<&'static str> {
    let client = case.steps.iter().any(|step| match step {
        Step::Hold | Step::Release => true,
        Step::Set(_) | Step::Reload | Step::Run(_) | Step::Probe(_) => false,
    });
    let reload = match provenance {
        Provenance::Simulated => false,
        Provenance::Recorded | Provenance::Hardware => case.steps.contains(&Step::Reload),
    };
    if !case.simulate.faults.is_empty() {
        Some("faults")
    } else if case.simulate.busy || client {
        Some("a client that holds the GPUs")
    } else if reload {
        Some("a driver that is reloaded by a test")
    } else {
        None
    }
}

/// Whether a case simulates the amd-smi version that the given host has.
fn speaks_as(case: &Case, target: &Target) -> bool {
    match target {
        Target::Simulated | Target::Cpu => false,
        Target::Given { host, .. } => host.tool.value() == Some(&case.simulate.amd_smi),
    }
}

/// Cases of one scenario that already were chosen for a given host.
type Chosen = HashMap<*const Scenario, Vec<Case>>;

/// On a given host, the variants of a scenario that differ only in what they simulate ask the same: one is enough.
fn duplicate(case: &Case, target: &Target, chosen: &mut Chosen) -> Option<Reason> {
    match target {
        Target::Simulated => return None,
        Target::Given { .. } | Target::Cpu => {}
    }
    let before = chosen.entry(Arc::as_ptr(&case.scenario)).or_default();
    let same = before.iter().find(|other| {
        (&other.steps, &other.checks, &other.ask, other.format, &other.worker)
            == (&case.steps, &case.checks, &case.ask, case.format, &case.worker)
    });
    if let Some(other) = same {
        return Some(Reason::SameAs(other.id.clone()));
    }
    before.push(case.clone());
    None
}
