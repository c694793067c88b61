//! `--baseline FILE`: what is known before a run, applied to its plan and to what came of it.

use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::compare::{Baseline, next_baseline, of_worker, workers};
use crate::domain::Status;
use crate::plan::{Plan, without_worker};
use crate::run::{CaseRecord, Clock, Environment, RunRecord};
use crate::scenario::Case;
use crate::witness::tree::Tree;

use super::console;
use super::exit::Failure;
use super::results;

/// Reads a baseline.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read(path: &Path) -> Result<Baseline, Failure> {
    let read = || -> anyhow::Result<Baseline> {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = Tree::open(folder)?.read(&name, Baseline::LIMIT).map_err(|error| anyhow!(error.problem))?;
        Ok(Baseline::parse(&String::from_utf8(bytes)?, &Clock::now())?)
    };
    read().with_context(|| format!("read the baseline {}", path.display())).map_err(Failure::usage)
}

/// Takes out of a plan what the baseline says not to run; tells of entries that do nothing.
pub fn skip(baseline: &Baseline, plan: &mut Plan, host: Option<&Environment>) -> Vec<CaseRecord> {
    let planned = plan.cases.iter().chain(plan.undecided.iter().map(|undecided| &undecided.case));
    let read: Vec<&str> = planned.chain(plan.not_selected.iter().map(|other| &other.case)).map(shared_id).collect();
    for line in baseline.idle(&read) {
        console::note(&format!("note: baseline: {line}"));
    }
    let mut skipped = Vec::new();
    plan.cases.retain(|case| match baseline.skips(shared_id(case), &environment(case, host)) {
        None => true,
        Some(reason) => {
            let reason = format!("by the baseline: {reason}");
            skipped.push(CaseRecord::unfinished(case, Status::Skip { reason }));
            false
        }
    });
    skipped
}

/// Says of every case what the baseline knows of it; tells of entries that the run contradicts.
pub fn mark(baseline: &Baseline, cases: &mut [CaseRecord], host: Option<&Environment>) {
    let nothing = Environment::default();
    for case in cases.iter_mut() {
        case.known = baseline.knows(case, case.environment.as_ref().or(host).unwrap_or(&nothing));
    }
    let cases: Vec<(&CaseRecord, &Environment)> =
        cases.iter().map(|case| (case, case.environment.as_ref().or(host).unwrap_or(&nothing))).collect();
    for line in baseline.contradicted(&cases) {
        console::note(&format!("note: baseline: {line}"));
    }
}

/// Leaves the next baseline in the run's folder.
///
/// # Errors
/// It cannot be written.
pub fn leave(record: &RunRecord, before: Option<&Baseline>, folder: &Path) -> Result<(), Failure> {
    // Of two workers the second one is what is to be.
    let candidate = workers(record).get(1).and_then(|worker| of_worker(record, worker));
    let text =
        next_baseline(candidate.as_ref().unwrap_or(record), before).map_err(|error| Failure::from(anyhow!(error)))?;
    results::write(&folder.join("baseline.toml"), text.as_bytes())
}

fn shared_id(case: &Case) -> &str {
    without_worker(&case.id, case.worker.as_deref())
}

fn environment(case: &Case, host: Option<&Environment>) -> Environment {
    let own = || case.simulate.resolve().map(|machine| Environment::simulated(&machine)).unwrap_or_default();
    host.cloned().unwrap_or_else(own)
}
