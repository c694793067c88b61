//! Every fault scenario fails for its own reason: with what it plants taken away, none of the checks that it expects
//! to fail or to stay open comes out as it says.
//!
//! What is taken away, by the first rule that finds something: faults; clients, the caller and the platform; the
//! differences of a reference machine; what the scenario asks to be done; what it claims; the partitioning. Cases that
//! plant by nothing but the tool's version have nothing to take away and are reported as ignored.

#![allow(clippy::expect_used, clippy::panic)]

mod bed;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rocvet::domain::{CheckSpec, ComputeMode, Demand, Expect, KernelRules, MemoryMode};
use rocvet::run::Bed;
use rocvet::scenario::{self, Case, MachineRef, Simulate, Step};
use rocvet::sim::{Caller, Platform, Tuning};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let (_scratch, bed) = bed::simulated();
    let cases = scenario::load(&[]).unwrap_or_else(|problems| panic!("{problems}"));
    let faults = cases.into_iter().filter(|case| case.id.starts_with("faults/"));
    let trials = faults.map(|case| {
        let bed = Arc::clone(&bed);
        Trial::ignorable_test(case.id.clone(), move || flip(&bed, case))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn flip(bed: &Bed, case: Case) -> Result<Completion, Failed> {
    let Some(well) = without_its_fault(case) else {
        return Ok(Completion::ignored_with("it plants by the tool's version alone"));
    };
    let record = bed.run(&well);
    let still: Vec<String> = record
        .findings
        .iter()
        .filter(|check| check.expect != Expect::Met && check.as_expected)
        .map(|check| format!("{} still comes out as {:?}", check.check, check.expect))
        .collect();
    if still.is_empty() { Ok(Completion::Completed) } else { Err(Failed::from(still.join("\n"))) }
}

/// The same case on a machine that is well; `None` where nothing is planted that could be taken away.
fn without_its_fault(case: Case) -> Option<Case> {
    // A deadline belongs to what is planted: a machine that is well answers when it answers.
    let case = Case { deadline: None, ..case };
    [without_faults, without_circumstances, without_quirks, without_requests, without_claims, without_partitions]
        .into_iter()
        .find_map(|rule| rule(case.clone()))
}

/// Faults alone, whatever else is planted: a fault that makes no difference is found here.
fn without_faults(case: Case) -> Option<Case> {
    let planted = !case.simulate.faults.is_empty();
    let simulate = Simulate { faults: Vec::new(), ..case.simulate };
    planted.then_some(Case { simulate, ..case })
}

fn without_circumstances(case: Case) -> Option<Case> {
    let simulate = &case.simulate;
    let client = |step: &Step| matches!(step, Step::Hold | Step::Release);
    let planted = simulate.busy
        || simulate.caller != Caller::Root
        || simulate.hives.is_some()
        || simulate.alloc_mode.is_some()
        || simulate.pages_limit.is_some()
        || !simulate.tuning.is_plain()
        || simulate.platform.is_some_and(|platform| platform != Platform::BareMetal)
        || case.steps.iter().any(client);
    let simulate = Simulate {
        busy: false,
        caller: Caller::Root,
        platform: None,
        hives: None,
        alloc_mode: None,
        pages_limit: None,
        tuning: Tuning::default(),
        ..case.simulate
    };
    let steps = case.steps.into_iter().filter(|step| !client(step)).collect();
    planted.then_some(Case { simulate, steps, ..case })
}

/// The machine that follows the facts in place of a reference machine, in the modes that it starts in where it cannot
/// be in the others.
fn without_quirks(case: Case) -> Option<Case> {
    let MachineRef::Named(name) = &case.simulate.machine else { return None };
    let machine = MachineRef::Named(name.strip_prefix("reference-")?.to_owned());
    let simulate = Simulate { machine, ..case.simulate };
    let simulate =
        if simulate.resolve().is_ok() { simulate } else { Simulate { compute: None, memory: None, ..simulate } };
    Some(Case { simulate, ..case })
}

fn without_requests(case: Case) -> Option<Case> {
    (!case.steps.is_empty()).then(|| Case { steps: Vec::new(), ..case })
}

fn without_claims(mut case: Case) -> Option<Case> {
    let mut claimed = false;
    for check in &mut case.checks {
        let plain = match &check.spec {
            CheckSpec::PartitionModes { .. } => CheckSpec::PartitionModes { compute: None, memory: None },
            CheckSpec::PartitionLegal { .. } => CheckSpec::PartitionLegal { kernel: KernelRules::default() },
            CheckSpec::DevicesCount { .. } => CheckSpec::DevicesCount { per_gpu: None },
            CheckSpec::MemoryPerDevice { .. } => CheckSpec::MemoryPerDevice { mib: None },
            CheckSpec::AmdSmiVersion { .. } => CheckSpec::AmdSmiVersion { version: None },
            CheckSpec::SetRefused { .. } => CheckSpec::SetRefused { status: None },
            CheckSpec::EnvironmentVariables { .. } => CheckSpec::EnvironmentVariables { demand: Demand::default() },
            CheckSpec::EnvironmentPairing { .. } => CheckSpec::EnvironmentPairing { torch: None },
            CheckSpec::KernelParameters { .. } => CheckSpec::KernelParameters { demand: Demand::default() },
            spec @ (CheckSpec::PartitionProfiles
            | CheckSpec::DevicesIds
            | CheckSpec::AmdSmiJson
            | CheckSpec::AmdSmiExitCode
            | CheckSpec::SetApplied
            | CheckSpec::WitnessModes
            | CheckSpec::WitnessCount
            | CheckSpec::WitnessMemory
            | CheckSpec::WitnessRenderNodes
            | CheckSpec::WitnessOrder
            | CheckSpec::WitnessHive
            | CheckSpec::WitnessReadable
            | CheckSpec::ProbeOutcome
            | CheckSpec::ProbeNumbers
            | CheckSpec::ProbeMemory
            | CheckSpec::FallbackTaken
            | CheckSpec::FallbackWorks
            | CheckSpec::KernelEffective) => spec.clone(),
        };
        claimed |= plain != check.spec && check.expect != Expect::Met;
        check.spec = plain;
    }
    claimed.then_some(case)
}

fn without_partitions(case: Case) -> Option<Case> {
    let partitioned = case.simulate.compute.is_some_and(|mode| mode != ComputeMode::Spx);
    let simulate = Simulate { compute: Some(ComputeMode::Spx), memory: Some(MemoryMode::Nps1), ..case.simulate };
    partitioned.then_some(Case { simulate, ..case })
}
