//! Checks: expectations x observations -> findings. Pure; one file each.
//!
//! To add one: a variant in `domain::check`, a file here with `ABOUT`, `NEEDS` and `evaluate`, a line in [`entry`],
//! a scenario under `scenarios/faults/` that makes it fail and one that takes its reading away.

mod about;
mod amd_smi_exit_code;
mod amd_smi_json;
mod amd_smi_memory;
mod amd_smi_version;
mod calls;
mod devices_count;
mod devices_ids;
mod environment_pairing;
mod environment_variables;
mod evaluation;
mod fallback_taken;
mod fallback_works;
mod kernel_effective;
mod kernel_parameters;
mod memory_per_device;
mod partition_legal;
mod partition_modes;
mod partition_profiles;
mod probe_memory;
mod probe_numbers;
mod probe_outcome;
mod probes;
mod set_applied;
mod set_refused;
mod verdict;
mod voices;
mod witness_count;
mod witness_hive;
mod witness_memory;
mod witness_modes;
mod witness_order;
mod witness_readable;
mod witness_render_nodes;

pub use about::{About, FindingAbout, Needs};
pub use evaluation::{Evaluation, Finding, Gap, GapKind, Judgement};
pub use verdict::{Judged, Verdict};

use crate::domain::{CheckId, CheckSpec};
use crate::topology::join;
use crate::witness::Observations;

/// What a check is about: what it looks at, why, and every finding it can make.
pub const fn about(id: CheckId) -> &'static About {
    match id {
        CheckId::PartitionModes => &partition_modes::ABOUT,
        CheckId::PartitionLegal => &partition_legal::ABOUT,
        CheckId::PartitionProfiles => &partition_profiles::ABOUT,
        CheckId::DevicesCount => &devices_count::ABOUT,
        CheckId::DevicesIds => &devices_ids::ABOUT,
        CheckId::MemoryPerDevice => &memory_per_device::ABOUT,
        CheckId::AmdSmiJson => &amd_smi_json::ABOUT,
        CheckId::AmdSmiExitCode => &amd_smi_exit_code::ABOUT,
        CheckId::AmdSmiVersion => &amd_smi_version::ABOUT,
        CheckId::SetApplied => &set_applied::ABOUT,
        CheckId::SetRefused => &set_refused::ABOUT,
        CheckId::WitnessModes => &witness_modes::ABOUT,
        CheckId::WitnessCount => &witness_count::ABOUT,
        CheckId::WitnessMemory => &witness_memory::ABOUT,
        CheckId::WitnessRenderNodes => &witness_render_nodes::ABOUT,
        CheckId::WitnessOrder => &witness_order::ABOUT,
        CheckId::WitnessHive => &witness_hive::ABOUT,
        CheckId::WitnessReadable => &witness_readable::ABOUT,
        CheckId::ProbeOutcome => &probe_outcome::ABOUT,
        CheckId::ProbeNumbers => &probe_numbers::ABOUT,
        CheckId::ProbeMemory => &probe_memory::ABOUT,
        CheckId::FallbackTaken => &fallback_taken::ABOUT,
        CheckId::FallbackWorks => &fallback_works::ABOUT,
        CheckId::KernelParameters => &kernel_parameters::ABOUT,
        CheckId::KernelEffective => &kernel_effective::ABOUT,
        CheckId::EnvironmentVariables => &environment_variables::ABOUT,
        CheckId::EnvironmentPairing => &environment_pairing::ABOUT,
    }
}

/// Evaluates one check.
pub fn evaluate(spec: &CheckSpec, seen: &Observations) -> Evaluation {
    match spec {
        CheckSpec::PartitionModes { compute, memory } => partition_modes::evaluate(*compute, *memory, seen),
        CheckSpec::PartitionLegal { kernel } => partition_legal::evaluate(*kernel, seen),
        CheckSpec::PartitionProfiles => partition_profiles::evaluate(seen),
        CheckSpec::DevicesCount { per_gpu } => devices_count::evaluate(*per_gpu, seen),
        CheckSpec::DevicesIds => devices_ids::evaluate(seen),
        CheckSpec::MemoryPerDevice { mib } => memory_per_device::evaluate(mib.as_deref(), seen),
        CheckSpec::AmdSmiJson => amd_smi_json::evaluate(seen),
        CheckSpec::AmdSmiExitCode => amd_smi_exit_code::evaluate(seen),
        CheckSpec::AmdSmiVersion { version } => amd_smi_version::evaluate(*version, seen),
        CheckSpec::SetApplied => set_applied::evaluate(seen),
        CheckSpec::SetRefused { status } => set_refused::evaluate(status.as_deref(), seen),
        CheckSpec::WitnessModes => witness_modes::evaluate(seen),
        CheckSpec::WitnessCount => witness_count::evaluate(seen),
        CheckSpec::WitnessMemory => witness_memory::evaluate(seen),
        CheckSpec::WitnessRenderNodes => witness_render_nodes::evaluate(seen),
        CheckSpec::WitnessOrder => witness_order::evaluate(seen),
        CheckSpec::WitnessHive => witness_hive::evaluate(seen),
        CheckSpec::WitnessReadable => witness_readable::evaluate(seen),
        CheckSpec::ProbeOutcome => probe_outcome::evaluate(seen),
        CheckSpec::ProbeNumbers => probe_numbers::evaluate(seen),
        CheckSpec::ProbeMemory => probe_memory::evaluate(seen),
        CheckSpec::FallbackTaken => fallback_taken::evaluate(seen),
        CheckSpec::FallbackWorks => fallback_works::evaluate(seen),
        CheckSpec::KernelParameters { demand } => kernel_parameters::evaluate(demand, seen),
        CheckSpec::KernelEffective => kernel_effective::evaluate(seen),
        CheckSpec::EnvironmentVariables { demand } => environment_variables::evaluate(demand, seen),
        CheckSpec::EnvironmentPairing { torch } => environment_pairing::evaluate(*torch, seen),
    }
}

#[cfg(test)]
mod tests;
