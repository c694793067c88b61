//! Each check on observations made by hand: a healthy machine, and one thing wrong with it at a time.

mod devices;
mod machine;
mod memory;
mod modes;
mod probes;
mod set;
mod tool;
mod tuning;
mod witness;
mod witness_devices;

use machine::healthy;

use super::{Judged, Judgement, Verdict, about, evaluate};
use crate::domain::{CheckId, CheckSpec, Expect};
use crate::witness::Observations;

/// One thing wrong, and everything but "met" that the check must say of it: `unmet one-short GPU 0000:05:00.0`,
/// `gap malformed GPU 1`.
struct Case {
    name: &'static str,
    wrong: fn(&mut Observations),
    said: &'static [&'static str],
}

const fn case(name: &'static str, wrong: fn(&mut Observations), said: &'static [&'static str]) -> Case {
    Case { name, wrong, said }
}

/// Every case on a healthy machine of two MI300X in DPX/NPS1.
fn judge(spec: &CheckSpec, cases: &[Case]) {
    for Case { name, wrong, said } in cases {
        let mut seen = healthy();
        wrong(&mut seen);
        assert_eq!(told(spec, &seen), *said, "{}: {name}", spec.id());
    }
}

/// What the check says, without what is met; an evaluation is never empty.
fn told(spec: &CheckSpec, seen: &Observations) -> Vec<String> {
    let made = evaluate(spec, seen);
    assert!(made.findings().len() + made.gaps().len() > 0, "{} looked at nothing and said nothing", spec.id());
    assert_eq!(made.complete(), made.gaps().is_empty());
    let findings = made.findings().iter().filter_map(|finding| {
        let word = match finding.judgement() {
            Judgement::Met => return None,
            Judgement::Unmet => "unmet",
            Judgement::Doubtful => "doubtful",
        };
        let declared = about(spec.id()).findings.iter().find(|each| each.id == finding.id()).unwrap();
        assert_eq!(finding.next(), Some(declared.next), "{}: {}", spec.id(), finding.id());
        assert_eq!(finding.source(), about(spec.id()).source);
        assert_ne!(finding.expected(), finding.observed(), "{}: {}", spec.id(), finding.id());
        Some(format!("{word} {} {}", finding.id(), finding.subject()))
    });
    findings.chain(made.gaps().iter().map(|gap| format!("gap {} {}", gap.kind.words(), gap.subject))).collect()
}

#[test]
fn a_healthy_machine_meets_every_check_that_has_something_to_judge() {
    let about_sets = "the case sets nothing";
    for spec in [
        CheckSpec::PartitionModes { compute: None, memory: None },
        CheckSpec::PartitionLegal { kernel: crate::domain::KernelRules::Latest },
        CheckSpec::PartitionProfiles,
        CheckSpec::DevicesCount { per_gpu: None },
        CheckSpec::DevicesIds,
        CheckSpec::MemoryPerDevice { mib: None },
        CheckSpec::AmdSmiJson,
        CheckSpec::AmdSmiExitCode,
        CheckSpec::AmdSmiVersion { version: None },
        CheckSpec::WitnessModes,
        CheckSpec::WitnessCount,
        CheckSpec::WitnessMemory,
        CheckSpec::WitnessRenderNodes,
        CheckSpec::WitnessOrder,
        CheckSpec::WitnessHive,
        CheckSpec::WitnessReadable,
        CheckSpec::KernelParameters { demand: tuning::demand(&[("amdgpu.cwsr_enable", "1")], &["amdgpu.noretry"]) },
        CheckSpec::KernelEffective,
        CheckSpec::EnvironmentVariables { demand: tuning::demand(&[], &["HSA_XNACK"]) },
    ] {
        assert_eq!(told(&spec, &healthy()), [""; 0], "{}", spec.id());
    }
    for spec in [CheckSpec::SetApplied, CheckSpec::SetRefused { status: None }] {
        let made = evaluate(&spec, &healthy());
        assert!(made.findings().is_empty());
        assert_eq!(made.gaps()[0].reason, about_sets);
    }
}

#[test]
fn a_machine_that_shows_nothing_meets_nothing() {
    for spec in [
        CheckSpec::PartitionModes { compute: None, memory: None },
        CheckSpec::PartitionLegal { kernel: crate::domain::KernelRules::Latest },
        CheckSpec::PartitionProfiles,
        CheckSpec::DevicesCount { per_gpu: None },
        CheckSpec::DevicesIds,
        CheckSpec::MemoryPerDevice { mib: None },
        CheckSpec::AmdSmiJson,
        CheckSpec::AmdSmiExitCode,
        CheckSpec::AmdSmiVersion { version: None },
        CheckSpec::SetApplied,
        CheckSpec::SetRefused { status: None },
        CheckSpec::WitnessModes,
        CheckSpec::WitnessCount,
        CheckSpec::WitnessMemory,
        CheckSpec::WitnessRenderNodes,
        CheckSpec::WitnessOrder,
        CheckSpec::WitnessHive,
        CheckSpec::KernelParameters { demand: tuning::demand(&[("iommu", "pt")], &[]) },
        CheckSpec::KernelEffective,
        CheckSpec::EnvironmentVariables { demand: crate::domain::Demand::default() },
        CheckSpec::EnvironmentPairing { torch: None },
        CheckSpec::WitnessReadable,
    ] {
        let mut seen = healthy();
        seen.after = crate::witness::Snapshot::default();
        let made = evaluate(&spec, &seen);
        assert!(made.findings().is_empty() && !made.complete(), "{}", spec.id());
    }
}

#[test]
fn a_verdict_keeps_its_checks_and_says_which_came_out_as_expected() {
    let mut seen = healthy();
    seen.list().pop();
    let made = evaluate(&CheckSpec::DevicesCount { per_gpu: None }, &seen);
    let judged = |expect| Judged { check: CheckId::DevicesCount, expect, evaluation: made.clone() };
    let finding = "amd-smi-differs".to_owned();
    let verdict = Verdict::of(seen.provenance, vec![judged(Expect::Met), judged(Expect::Unmet { finding })]);
    let as_expected: Vec<bool> = verdict.checks().iter().map(Judged::as_expected).collect();
    assert_eq!(as_expected, [false, true]);
}
