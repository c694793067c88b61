//! What of a scenario can be asked of a CPU.

use crate::domain::{CheckId, DeviceKind};
use crate::probe::spec::Work;
use crate::scenario::{Applies, Case, Step};

/// Checks that ask of a probe nothing but what it computed.
const OF_NUMBERS: [CheckId; 2] = [CheckId::ProbeOutcome, CheckId::ProbeNumbers];

/// Checks of where a probe ran: on a CPU that was asked for there is nothing to ask.
const OF_PLACE: [CheckId; 1] = [CheckId::FallbackTaken];

/// Has everything computed on the CPU, and leaves out the checks of where it ran.
///
/// # Errors
/// Why the case is for a GPU only; it stays as it was.
pub(super) fn on_cpu(case: &mut Case) -> Result<(), &'static str> {
    let why = match &case.scenario.applies {
        None => Some("the scenario has no [applies], so it is for its simulated machine only"),
        Some(applies) if *applies != Applies::default() => Some("it is for certain GPUs"),
        Some(_) => None,
    };
    if let Some(why) = why.or_else(|| needs_gpu(case)) {
        return Err(why);
    }
    for step in &mut case.steps {
        if let Step::Probe(probe) = step {
            probe.on = DeviceKind::Cpu;
        }
    }
    case.checks.retain(|check| !OF_PLACE.contains(&check.spec.id()));
    Ok(())
}

fn needs_gpu(case: &Case) -> Option<&'static str> {
    let of_step = |step: &Step| match step {
        Step::Probe(probe) if probe.specs.iter().any(|spec| matches!(spec.work, Work::Memory { .. })) => {
            Some("it uses a GPU's memory")
        }
        Step::Probe(probe) if !probe.env.is_empty() => Some("it sets variables of a GPU's stack"),
        Step::Probe(_) => None,
        Step::Set(_) | Step::Reload | Step::Hold | Step::Release | Step::Run(_) => Some("it does more than compute"),
    };
    let other = |id: CheckId| !OF_NUMBERS.contains(&id) && !OF_PLACE.contains(&id);
    if case.steps.is_empty() {
        return Some("it computes nothing");
    }
    let by_checks = case.checks.iter().any(|check| other(check.spec.id()));
    case.steps.iter().find_map(of_step).or_else(|| by_checks.then_some("it asks more than what was computed"))
}
