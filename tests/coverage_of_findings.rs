//! The corpus says of every finding, of every missing reading and of every fault how it comes about: a finding or a
//! fault without a scenario, and a scenario that names no finding, fail here. Nothing is run.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use rocvet::check::about;
use rocvet::domain::{CheckId, Expect};
use rocvet::scenario::{self, Case, Check};
use rocvet::sim::fault::{Fault, spellings};

/// Findings that no simulated machine can show yet, each with the reason.
const NOT_SIMULATED: &[(CheckId, &str, &str)] = &[
    (
        CheckId::PartitionLegal,
        "unlisted-by-facts",
        "available_memory_partition of a simulated machine follows the facts",
    ),
    (
        CheckId::PartitionLegal,
        "partitions-on-unpartitionable",
        "a simulated part without partitions has no partition files",
    ),
    (CheckId::PartitionProfiles, "order-differs", "the simulated profiles follow the part's own order"),
    (CheckId::PartitionProfiles, "resources-differ", "no fault takes an XCC away from a simulated GPU"),
    (
        CheckId::PartitionProfiles,
        "partitions-differ",
        "the simulated gpu_metrics count what the mode makes, or nothing",
    ),
    (
        CheckId::KernelEffective,
        "other-gpu-only",
        "the GPUs of a simulated machine are of one model; src/check/tests/ makes two",
    ),
    (CheckId::DevicesIds, "index-hole", "the simulated tool numbers what it lists, as the real one does"),
    (CheckId::WitnessCount, "hip-differs", "a simulated machine has no HIP runtime; src/check/tests/ makes it"),
    (CheckId::WitnessMemory, "hip-differs", "a simulated machine has no HIP runtime; src/check/tests/ makes it"),
    (CheckId::WitnessOrder, "hip-order", "a simulated machine has no HIP runtime; src/check/tests/ makes it"),
    (CheckId::ProbeOutcome, "raised", "no fault makes a simulated engine raise but for want of memory"),
    (CheckId::ProbeOutcome, "rust-panic", "the panic of a worker wraps a cause, which decides"),
    (CheckId::ProbeOutcome, "python-exception", "a simulated worker is no Python; tests/probes.rs has one"),
    (CheckId::ProbeOutcome, "host-fault", "no signature has SIGBUS; src/probe/classify/tests.rs has it"),
    (CheckId::ProbeOutcome, "host-illegal-instruction", "no signature has SIGILL; src/probe/classify/tests.rs has it"),
    (CheckId::ProbeOutcome, "gpu-hang-unkillable", "nothing that is simulated survives SIGKILL"),
    (CheckId::ProbeOutcome, "killed", "no fault sends SIGTERM from outside; src/probe/classify/tests.rs has it"),
    (CheckId::EnvironmentPairing, "mixed-stack", "a simulated worker maps no HIP; src/check/tests/ makes it"),
    (CheckId::FallbackWorks, "not-taken", "the simulated engine computes where it is asked to, or on the CPU"),
    (CheckId::MemoryPerDevice, "not-reported-by-amd-smi", "no fault makes the total of `metric -m` N/A"),
];

/// Checks that have a verdict on every simulated machine, each with the reason.
const ALWAYS_EVALUATED: &[(CheckId, &str)] = &[(
    CheckId::AmdSmiExitCode,
    "however a call ends is its finding; only a program that cannot be started leaves it open, and a simulated host has one",
)];

fn cases() -> Vec<Case> {
    scenario::load(&[]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn checks(cases: &[Case]) -> impl Iterator<Item = (&Case, &Check)> {
    cases.iter().flat_map(|case| case.checks.iter().map(move |check| (case, check)))
}

/// The finding that a scenario expects of a check.
fn expected(check: &Check) -> Option<&str> {
    match &check.expect {
        Expect::Unmet { finding } | Expect::Doubtful { finding } => Some(finding),
        Expect::Met | Expect::NotEvaluated { .. } => None,
    }
}

#[test]
fn every_finding_of_every_check_has_a_scenario_that_makes_it() {
    let cases = cases();
    let made: BTreeSet<(CheckId, &str)> =
        checks(&cases).filter_map(|(_, check)| Some((check.spec.id(), expected(check)?))).collect();
    let mut wrong = Vec::new();
    for &id in CheckId::ALL {
        for finding in about(id).findings {
            let excuse = NOT_SIMULATED.iter().find(|(check, name, _)| (*check, *name) == (id, finding.id));
            match (made.contains(&(id, finding.id)), excuse) {
                (true, None) | (false, Some(_)) => {}
                (false, None) => wrong.push(format!("{id} [{}] has no scenario", finding.id)),
                (true, Some(_)) => wrong.push(format!("{id} [{}] has a scenario: take it off the list", finding.id)),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_scenario_and_every_excuse_names_a_finding_that_there_is() {
    let cases = cases();
    let by_scenarios =
        checks(&cases).filter_map(|(case, check)| Some((case.id.as_str(), check.spec.id(), expected(check)?)));
    let by_excuses = NOT_SIMULATED.iter().map(|&(check, finding, _)| ("NOT_SIMULATED", check, finding));
    let unknown: Vec<_> =
        by_scenarios.chain(by_excuses).filter(|(_, id, name)| about(*id).finding(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_check_has_a_scenario_without_its_reading() {
    let cases = cases();
    let open: BTreeSet<CheckId> = checks(&cases)
        .filter(|(_, check)| matches!(check.expect, Expect::NotEvaluated { .. }))
        .map(|(_, check)| check.spec.id())
        .collect();
    for &id in CheckId::ALL {
        let excuse = ALWAYS_EVALUATED.iter().any(|(check, _)| *check == id);
        assert!(open.contains(&id) != excuse, "{id}: a scenario without its reading: {}", open.contains(&id));
    }
}

/// Faults that no run of scenarios can tell, each with who plants it.
const ELSEWHERE: [(&str, &str); 2] = [
    ("probe=reboot", "the machine goes down with the run that would tell of it: tests/cli/matrix.rs"),
    (
        "worker_memory",
        "a worker may take more memory; that an upgrade makes it so is told by a comparison: tests/cli/diff_memory.rs",
    ),
];

#[test]
fn every_fault_is_planted_by_a_scenario() {
    let cases = cases();
    let mut planted = BTreeMap::new();
    for case in &cases {
        for fault in &case.simulate.faults {
            // A fault that begins later is planted as much as one that is there from the start.
            let mut left = Some(fault);
            while let Some(fault) = left {
                planted.entry(kind(fault)).or_insert(&case.id);
                left = if let Fault::After { fault: later, .. } = fault { Some(later) } else { None };
            }
        }
    }
    let files = ["current_compute", "available_compute", "current_memory", "available_memory"];
    let files = files.map(|file| format!("read_{file}_partition=EIO"));
    let examples = spellings().into_iter().map(|spelling| spelling.example).chain(files);
    let missing: Vec<String> = examples
        .filter(|example| {
            let fault: Fault = example.parse().expect("a spelling reads back");
            planted.contains_key(&kind(&fault)) == ELSEWHERE.iter().any(|(elsewhere, _)| *elsewhere == kind(&fault))
        })
        .collect();
    assert!(missing.is_empty(), "no scenario plants, or one does and is excused: {missing:#?}");
}

/// The spelling up to its parameter: `delay`, `read_current_compute_partition`, `hang`. What goes wrong with a probe is
/// itself the parameter.
fn kind(fault: &Fault) -> String {
    let text = fault.to_string();
    if let Fault::Probe { fault, .. } = fault {
        return format!("probe={}", fault.name());
    }
    text.split_once('=').map_or(text.as_str(), |(kind, _)| kind).to_owned()
}

#[test]
fn a_third_of_all_cases_plants_a_fault_and_each_of_them_expects_to_see_it() {
    let cases = cases();
    let faults: Vec<&Case> = cases.iter().filter(|case| case.id.starts_with("faults/")).collect();
    assert!(faults.len() * 3 >= cases.len(), "{} of {} cases", faults.len(), cases.len());
    for case in faults {
        assert!(case.checks.iter().any(|check| check.expect != Expect::Met), "{}: nothing goes wrong in it", case.id);
    }
}
