//! A run with several workers: every case that computes is run by each of them.

use crate::scenario::{Axis, Case, Step};

/// The name of the axis in ids, after those of the scenario.
const AXIS: &str = "worker";

/// Every case that runs probes once for each worker, by its name, and side by side: what drifts while a run goes on drifts for
/// all of them. Other cases stay as they are.
pub(super) fn spread(cases: Vec<Case>, workers: &[String]) -> Vec<Case> {
    if workers.is_empty() {
        return cases;
    }
    let mut all = Vec::new();
    for case in cases {
        if computes(&case) {
            all.extend(workers.iter().map(|worker| by(&case, worker)));
        } else {
            all.push(case);
        }
    }
    all
}

/// Whether a case runs a probe.
pub(super) fn computes(case: &Case) -> bool {
    case.steps.iter().any(|step| match step {
        Step::Probe(_) => true,
        Step::Set(_) | Step::Reload | Step::Hold | Step::Release | Step::Run(_) => false,
    })
}

fn by(case: &Case, worker: &str) -> Case {
    let separator = if case.variant.is_empty() { "::" } else { "," };
    let mut other = case.clone();
    other.id = format!("{}{separator}{AXIS}={worker}", case.id);
    other.variant.push(Axis { name: AXIS.to_owned(), value: worker.to_owned() });
    other.worker = Some(worker.to_owned());
    other
}

/// The id of a case without the worker that ran it: what it has in common with the same case by another.
pub fn without_worker<'a>(id: &'a str, worker: Option<&str>) -> &'a str {
    let Some(worker) = worker else { return id };
    let piece = |separator: &str| id.strip_suffix(&format!("{separator}{AXIS}={worker}"));
    piece(",").or_else(|| piece("::")).unwrap_or(id)
}
