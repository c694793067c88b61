//! The status of a probe, from how its process ended, what the kernel logged, where it ran and what its numbers are.

use crate::domain::{Ended, Limit, Status};
use crate::facts::Class;

use super::fallback::{Ran, ran};
use super::judgement::Judgement;
use super::protocol::{Kind, Outcome, Raised};
use super::supervise::{ProbeOutcome, Supervised};

/// The status of a probe that was asked to run there; `judged` are the results that it carried.
///
/// What took the process down, or the GPU, comes first; then where it ran, since numbers of a CPU say nothing of a GPU;
/// then what its results are worth. A machine that is not set up for the probe was not evaluated.
pub fn status(done: &Supervised, asked: Kind, judged: &[Judgement]) -> Status {
    let class = done.classified.class;
    match &done.outcome {
        ProbeOutcome::Died(Ended::Cancelled) => return Status::Aborted,
        ProbeOutcome::Died(Ended::NotStarted { reason }) => return Status::NotEvaluated { reason: reason.clone() },
        ProbeOutcome::Died(_) | ProbeOutcome::ProtocolBroken(_) | ProbeOutcome::Reported if done.is_collateral() => {
            return Status::Collateral;
        }
        ProbeOutcome::Died(ended @ Ended::Exited { .. }) if done.said.hello.is_none() && is_unexplained(class) => {
            let reason = format!("it ended before it said what it is: {ended}");
            return Status::NotEvaluated { reason };
        }
        ProbeOutcome::Died(ended) => return died(ended, class),
        ProbeOutcome::ProtocolBroken(problem) => return Status::Error { problem: problem.to_string() },
        ProbeOutcome::Reported if class.is_some() => return Status::KernelFault,
        ProbeOutcome::Reported => {}
    }
    let raised = done.said.answers.iter().find_map(|answer| match &answer.outcome {
        Outcome::Raised { kind, text } => Some((*kind, text)),
        Outcome::Numbers(_) | Outcome::Same { .. } | Outcome::Memory(_) => None,
    });
    match (raised, ran(asked, &done.said, &done.outside)) {
        (Some((Raised::Unsupported, text)), _) => Status::NotEvaluated { reason: text.clone() },
        (_, Some(Ran::OnCpu(_) | Ran::Contradicted)) => Status::CpuFallback,
        (Some((Raised::OutOfMemory | Raised::Other, _)), _) => Status::Fail,
        (None, Some(Ran::Unproven)) => {
            Status::NotEvaluated { reason: "nothing shows that it ran on the GPU".to_owned() }
        }
        (None, None) => Status::NotEvaluated { reason: "there is no result".to_owned() },
        (None, Some(Ran::AsAsked)) if judged.is_empty() => {
            Status::NotEvaluated { reason: "no result was judged".to_owned() }
        }
        (None, Some(Ran::AsAsked)) => Judgement::worst(judged).unwrap_or(Status::Pass),
    }
}

/// Whether nothing says what a process ended of. Before its hello that is the wrong program, or one that is not installed
/// well: a GPU kills, hangs, or leaves words that are known.
fn is_unexplained(class: Option<Class>) -> bool {
    matches!(class, None | Some(Class::Unknown | Class::PythonException | Class::RustPanic))
}

fn died(ended: &Ended, class: Option<Class>) -> Status {
    // The installation is wrong, and nothing is known of the device.
    if let Some(class @ (Class::Setup | Class::NoDevice)) = class {
        return Status::NotEvaluated { reason: class.what().to_owned() };
    }
    match ended {
        Ended::Signaled { signal } => Status::Crash { signal: *signal },
        Ended::TimedOut { limit: Limit::Deadline | Limit::Silence } | Ended::Unreaped => Status::Hang,
        Ended::TimedOut { limit: Limit::Output } | Ended::Exited { .. } => Status::Fail,
        Ended::Cancelled => Status::Aborted,
        Ended::NotStarted { reason } => Status::NotEvaluated { reason: reason.clone() },
    }
}

/// The status of several runs of one probe: that of all, or flaky where they disagree. `None` of none.
pub fn of_repeats(each: &[Status]) -> Option<Status> {
    let first = each.first()?;
    Some(if each.iter().all(|status| status == first) { first.clone() } else { Status::Flaky })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Signal;

    #[test]
    fn runs_that_disagree_are_flaky() {
        let crash = Status::Crash { signal: Signal(6) };
        for (each, status) in [
            (vec![], None),
            (vec![Status::Pass, Status::Pass], Some(Status::Pass)),
            (vec![crash.clone(), crash.clone()], Some(crash.clone())),
            (vec![Status::Pass, crash.clone()], Some(Status::Flaky)),
            (vec![crash, Status::Crash { signal: Signal(11) }], Some(Status::Flaky)),
        ] {
            assert_eq!(of_repeats(&each), status);
        }
    }
}
