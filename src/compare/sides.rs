//! A run with several workers, taken apart: what each of them did, as a run of its own.

use crate::run::{CaseRecord, Coverage, RunInfo, RunRecord, loaded};

/// Names of the workers of a run, in the order in which they come first.
pub fn workers(record: &RunRecord) -> Vec<&str> {
    let mut names = Vec::new();
    for name in record.cases.iter().filter_map(|case| case.worker.as_deref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What one worker did, with the ids that cases have without it, as the run `RUN:WORKER`. `None` where it did nothing.
pub fn of_worker(record: &RunRecord, worker: &str) -> Option<RunRecord> {
    let own = record.cases.iter().filter(|case| case.worker.as_deref() == Some(worker));
    let cases: Vec<CaseRecord> =
        own.map(|case| CaseRecord { id: case.shared_id().to_owned(), ..case.clone() }).collect();
    if cases.is_empty() {
        return None;
    }
    let coverage = Coverage::of(&cases);
    let environment = record.environment.clone().map(|mut shared| {
        shared.stack.extend(loaded(&cases));
        shared
    });
    let run = RunInfo { id: format!("{}:{worker}", record.run.id), ..record.run.clone() };
    Some(RunRecord { run, environment, cases, coverage, ..record.clone() })
}
