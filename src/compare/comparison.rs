//! Two sides, compared whole: the document behind every format of the report.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::Provenance;
use crate::run::{Exit, RunRecord};

use super::case::CaseChange;
use super::class::Class;
use super::drift::{Drift, Shapes, drift};
use super::facts::{self, FactChange};
use super::memory::Memories;
use super::pair::pairs;
use super::timing::{Timing, Timings};

/// Format name and major version of the JSON document.
pub const SCHEMA: &str = "rocvet.diff/1";

/// One side: what is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Its runs; at least one.
    pub runs: Vec<RunRecord>,
    /// What its amd-smi printed.
    pub shapes: Shapes,
}

/// When a change is called.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Rules {
    /// Where a side is mixed, the probability by chance alone below which it counts as changed.
    pub significance: f64,
    /// Least number of durations, and of processes whose memory was counted, on each side.
    pub samples: usize,
    /// How much longer a case has to take, as a share: 0.2 is a fifth.
    pub threshold: f64,
    /// How much more or less memory has to be, as a share.
    pub memory_threshold: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { significance: 0.05, samples: 5, threshold: 0.2, memory_threshold: 0.1 }
    }
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was compared.
    pub sides: Sides,
    /// By what.
    pub rules: Rules,
    /// How many cases are of each class; none is left out.
    pub counts: BTreeMap<Class, usize>,
    /// Every case, the worst class first, then by id.
    pub cases: Vec<CaseChange>,
    /// Durations.
    pub timings: Timings,
    /// Memory of the probes.
    pub memory: Memories,
    /// Facts of the hosts that changed.
    pub facts: Vec<FactChange>,
    /// How amd-smi's JSON drifted.
    pub drift: Drift,
    /// Exit code, and why.
    pub exit: Exit,
}

/// Both sides, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Sides {
    /// What was.
    pub base: Vec<SideRun>,
    /// What is to be.
    pub candidate: Vec<SideRun>,
}

/// One run of a side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct SideRun {
    /// Its id.
    pub id: String,
    /// On what, in words.
    pub host: String,
    /// What kind of host.
    pub provenance: Provenance,
    /// Whether only its CPU was asked.
    pub cpu_only: bool,
    /// `amd-smi 26.2.1, driver 6.16.6`, as far as the run says.
    pub stack: String,
    /// Cases.
    pub cases: usize,
    /// Why it came to no end, where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<String>,
}

/// Compares.
pub fn compare(base: &Side, candidate: &Side, rules: Rules) -> Comparison {
    let pairs = pairs(&base.runs, &candidate.runs);
    let mut cases: Vec<CaseChange> = pairs.iter().filter_map(|pair| CaseChange::of(pair, rules.significance)).collect();
    let comparable = |change: &CaseChange| !matches!(change.class, Class::NotComparable | Class::Missing);
    let both = || pairs.iter().zip(&cases).filter(|(_, change)| comparable(change)).map(|(pair, _)| pair);
    let (timings, memory) = (Timings::of(both(), &rules), Memories::of(both(), &rules));
    cases.sort_by(|left, right| (left.class, &left.id).cmp(&(right.class, &right.id)));
    let mut counts: BTreeMap<Class, usize> = Class::ALL.into_iter().map(|class| (class, 0)).collect();
    for case in &cases {
        *counts.entry(case.class).or_default() += 1;
    }
    let sides = Sides {
        base: base.runs.iter().map(SideRun::from).collect(),
        candidate: candidate.runs.iter().map(SideRun::from).collect(),
    };
    let exit = exit(&sides, &counts, &timings, &memory);
    Comparison {
        schema: SCHEMA.to_owned(),
        sides,
        rules,
        counts,
        cases,
        timings,
        memory,
        facts: facts::of_runs(&base.runs, &candidate.runs),
        drift: drift(&base.shapes, &candidate.shapes),
        exit,
    }
}

impl Comparison {
    /// The weakest word that may be said of what was compared.
    pub fn provenance(&self) -> Provenance {
        let all: Vec<Provenance> =
            self.sides.base.iter().chain(&self.sides.candidate).map(|run| run.provenance).collect();
        let some = |wanted: Provenance| all.contains(&wanted);
        if some(Provenance::Simulated) {
            Provenance::Simulated
        } else if some(Provenance::Recorded) || all.is_empty() {
            Provenance::Recorded
        } else {
            Provenance::Hardware
        }
    }

    /// Whether no GPU was asked on one side or both.
    pub fn cpu_only(&self) -> bool {
        self.sides.base.iter().chain(&self.sides.candidate).any(|run| run.cpu_only)
    }
}

impl From<&RunRecord> for SideRun {
    fn from(run: &RunRecord) -> Self {
        let stack = run.environment.as_ref().map(|environment| &environment.stack);
        let named =
            ["amd-smi", "torch", "driver", "kernel"].into_iter().filter_map(|name| Some((name, stack?.get(name)?)));
        Self {
            id: run.run.id.clone(),
            host: run.host.description.clone(),
            provenance: run.provenance,
            cpu_only: run.host.cpu_only,
            stack: named.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "),
            cases: run.cases.len(),
            cut_off: (!run.exit.is_an_end()).then(|| run.exit.reason.clone()),
        }
    }
}

/// The worst decides, as for a run: a regression, then what nobody can tell, then what became better.
fn exit(sides: &Sides, counts: &BTreeMap<Class, usize>, timings: &Timings, memory: &Memories) -> Exit {
    let sum = |wanted: fn(Class) -> bool| -> usize {
        counts.iter().filter(|(class, _)| wanted(**class)).map(|(_, count)| count).sum()
    };
    let regressions = sum(Class::is_regression);
    let slower = timings.changes.iter().filter(|change| change.change == Timing::Slower).count();
    let memory = memory.changes.iter().filter(|change| change.worse).count();
    let untold = sum(Class::is_untold);
    let fixed = sum(|class| class == Class::Fixed);
    let all: usize = counts.values().sum();
    let measured = [(slower, "slower"), (memory, "with less memory to spare")];
    let measured: Vec<_> = measured.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let worse = regressions + slower + memory;
    let (code, reason) = if worse > 0 {
        let measured = if measured.is_empty() { String::new() } else { format!(" ({})", measured.join(", ")) };
        (1, format!("{worse} worse{measured}"))
    } else if all == 0 {
        (4, "there is no case on either side".to_owned())
    } else if untold > 0 {
        (3, format!("{untold} could not be compared"))
    } else if let Some(run) = sides.base.iter().chain(&sides.candidate).find(|run| run.cut_off.is_some()) {
        (3, format!("run {} came to no end: what it would have shown was not compared", run.id))
    } else if fixed > 0 {
        (2, format!("{fixed} fixed, and nothing worse"))
    } else {
        (0, "every case was compared, and none is worse".to_owned())
    };
    Exit { code, reason }
}
