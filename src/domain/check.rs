//! What a scenario may ask of a machine: check ids, their typed parameters, and what the scenario expects of each.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ComputeMode, Demand, MemoryMode, ToolVersion, TorchVersion};

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $id:literal),+ $(,)?) => {
        /// A check, by id. One file each under `src/check/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum CheckId {
            $($(#[$doc])* #[serde(rename = $id)] $variant),+
        }

        impl CheckId {
            /// Every check.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The id used in scenario files and reports.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }
        }
    };
}

checks! {
    /// amd-smi's modes against the expectation.
    PartitionModes = "partition.modes",
    /// Compute x memory is a pair that the part, its kernel and its firmware allow.
    PartitionLegal = "partition.legal",
    /// The profiles that `partition -a` lists against the facts.
    PartitionProfiles = "partition.profiles",
    /// How many logical devices there are.
    DevicesCount = "devices.count",
    /// Indexes, partition numbers, addresses and UUIDs are complete and distinct.
    DevicesIds = "devices.ids",
    /// Memory of each logical device against the formula.
    MemoryPerDevice = "memory.per-device",
    /// `--json` gives one valid document.
    AmdSmiJson = "amd-smi.json",
    /// Failed means a non-zero exit code, and the reverse.
    AmdSmiExitCode = "amd-smi.exit-code",
    /// The tool says which version it is, and it is the one expected.
    AmdSmiVersion = "amd-smi.version",
    /// A set request is in force when it is read back.
    SetApplied = "set.applied",
    /// An illegal request is refused and leaves the state as it was.
    SetRefused = "set.refused",
    /// amd-smi, sysfs and KFD tell the same modes.
    WitnessModes = "witness.modes",
    /// Every witness counts as many devices.
    WitnessCount = "witness.count",
    /// Every witness shows the same memory of each device.
    WitnessMemory = "witness.memory",
    /// Each device's render node is there and hangs on that device.
    WitnessRenderNodes = "witness.render-nodes",
    /// amd-smi, HIP and PCI addresses name devices in one order.
    WitnessOrder = "witness.order",
    /// The GPUs of a hive belong together, by every witness and in their memory mode.
    WitnessHive = "witness.hive",
    /// Each witness can be asked, by this caller, now.
    WitnessReadable = "witness.readable",
    /// Every probe lived, said everything, and the kernel logged no fault.
    ProbeOutcome = "probe.outcome",
    /// The numbers of every probe are right.
    ProbeNumbers = "probe.numbers",
    /// Memory that probes used gave what it must and held what was written.
    ProbeMemory = "probe.memory",
    /// What was to run on the GPU ran there.
    FallbackTaken = "fallback.taken",
    /// What was to run on the CPU in place of the GPU did, and how much slower it is.
    FallbackWorks = "fallback.works",
    /// Kernel parameters that must be in force, and those that must not.
    KernelParameters = "kernel.parameters",
    /// A kernel parameter that is set is in force and no no-op.
    KernelEffective = "kernel.effective",
    /// Variables in the environment of probes act, and do what they are set for.
    EnvironmentVariables = "environment.variables",
    /// torch, ROCm, the GPU and the kernel go together.
    EnvironmentPairing = "environment.pairing",
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// A check with its parameters. A parameter left out means "by the facts" and is documented with the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckSpec {
    /// See [`CheckId::PartitionModes`]. A mode left out is compared with what sysfs shows.
    PartitionModes {
        /// Expected compute mode.
        compute: Option<ComputeMode>,
        /// Expected memory mode.
        memory: Option<MemoryMode>,
    },
    /// See [`CheckId::PartitionLegal`].
    PartitionLegal {
        /// Which kernel's rules; the newest when left out.
        kernel: KernelRules,
    },
    /// See [`CheckId::PartitionProfiles`].
    PartitionProfiles,
    /// See [`CheckId::DevicesCount`]. Left out: the devices of the mode in force.
    DevicesCount {
        /// Expected devices of each GPU.
        per_gpu: Option<u32>,
    },
    /// See [`CheckId::DevicesIds`].
    DevicesIds,
    /// See [`CheckId::MemoryPerDevice`]. Left out: the formula.
    MemoryPerDevice {
        /// Expected MiB of every device of one GPU, in partition order.
        mib: Option<Vec<u64>>,
    },
    /// See [`CheckId::AmdSmiJson`].
    AmdSmiJson,
    /// See [`CheckId::AmdSmiExitCode`].
    AmdSmiExitCode,
    /// See [`CheckId::AmdSmiVersion`]. Left out: any version that is known.
    AmdSmiVersion {
        /// Expected tool version.
        version: Option<ToolVersion>,
    },
    /// See [`CheckId::SetApplied`].
    SetApplied,
    /// See [`CheckId::SetRefused`].
    SetRefused {
        /// The status name that the refusal must give (`AMDSMI_STATUS_BUSY`); any when left out.
        status: Option<String>,
    },
    /// See [`CheckId::WitnessModes`].
    WitnessModes,
    /// See [`CheckId::WitnessCount`].
    WitnessCount,
    /// See [`CheckId::WitnessMemory`].
    WitnessMemory,
    /// See [`CheckId::WitnessRenderNodes`].
    WitnessRenderNodes,
    /// See [`CheckId::WitnessOrder`].
    WitnessOrder,
    /// See [`CheckId::WitnessHive`].
    WitnessHive,
    /// See [`CheckId::WitnessReadable`].
    WitnessReadable,
    /// See [`CheckId::ProbeOutcome`].
    ProbeOutcome,
    /// See [`CheckId::ProbeNumbers`].
    ProbeNumbers,
    /// See [`CheckId::ProbeMemory`].
    ProbeMemory,
    /// See [`CheckId::FallbackTaken`].
    FallbackTaken,
    /// See [`CheckId::FallbackWorks`].
    FallbackWorks,
    /// See [`CheckId::KernelParameters`].
    KernelParameters {
        /// Parameters by their names on the kernel's command line; never empty.
        demand: Demand,
    },
    /// See [`CheckId::KernelEffective`].
    KernelEffective,
    /// See [`CheckId::EnvironmentVariables`].
    EnvironmentVariables {
        /// Variables that must be exported, and those that must not.
        demand: Demand,
    },
    /// See [`CheckId::EnvironmentPairing`].
    EnvironmentPairing {
        /// The torch that would run.
        torch: Option<TorchVersion>,
    },
}

impl CheckSpec {
    /// Which check it is.
    pub const fn id(&self) -> CheckId {
        match self {
            Self::PartitionModes { .. } => CheckId::PartitionModes,
            Self::PartitionLegal { .. } => CheckId::PartitionLegal,
            Self::PartitionProfiles => CheckId::PartitionProfiles,
            Self::DevicesCount { .. } => CheckId::DevicesCount,
            Self::DevicesIds => CheckId::DevicesIds,
            Self::MemoryPerDevice { .. } => CheckId::MemoryPerDevice,
            Self::AmdSmiJson => CheckId::AmdSmiJson,
            Self::AmdSmiExitCode => CheckId::AmdSmiExitCode,
            Self::AmdSmiVersion { .. } => CheckId::AmdSmiVersion,
            Self::SetApplied => CheckId::SetApplied,
            Self::SetRefused { .. } => CheckId::SetRefused,
            Self::WitnessModes => CheckId::WitnessModes,
            Self::WitnessCount => CheckId::WitnessCount,
            Self::WitnessMemory => CheckId::WitnessMemory,
            Self::WitnessRenderNodes => CheckId::WitnessRenderNodes,
            Self::WitnessOrder => CheckId::WitnessOrder,
            Self::WitnessHive => CheckId::WitnessHive,
            Self::WitnessReadable => CheckId::WitnessReadable,
            Self::ProbeOutcome => CheckId::ProbeOutcome,
            Self::ProbeNumbers => CheckId::ProbeNumbers,
            Self::ProbeMemory => CheckId::ProbeMemory,
            Self::FallbackTaken => CheckId::FallbackTaken,
            Self::FallbackWorks => CheckId::FallbackWorks,
            Self::KernelParameters { .. } => CheckId::KernelParameters,
            Self::KernelEffective => CheckId::KernelEffective,
            Self::EnvironmentVariables { .. } => CheckId::EnvironmentVariables,
            Self::EnvironmentPairing { .. } => CheckId::EnvironmentPairing,
        }
    }
}

/// Generations of the kernel's compute x memory rules. Source: facts/partitions.md 2.4 [C].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KernelRules {
    /// torvalds/linux @d1c13e80: by range count; NPS4 comes up in QPX; DPX + NPS4 slips through.
    First,
    /// ROCm/ROCK-Kernel-Driver @0ed23508: the same, with a list per XCC count; NPS4 comes up in CPX.
    Rock,
    /// torvalds/linux @04141c05 (2025): a mask per mode; NPS2 for QPX and CPX only in virtual functions.
    Mask2025,
    /// ROCm/amdgpu @1fb20f11 (389d79a): NPS2 for QPX and CPX on GC 9.5.0.
    #[default]
    Latest,
}

/// What a scenario expects of one check.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "expect", rename_all = "kebab-case")]
pub enum Expect {
    /// Evaluated, and met.
    #[default]
    Met,
    /// Evaluated, and not met, for this reason.
    Unmet {
        /// Finding id that must be among the findings (`whole-gpu-on-partition-0`).
        finding: String,
    },
    /// The device is as expected, and a witness is known to be wrong about it.
    Doubtful {
        /// Finding id that must be among the findings.
        finding: String,
    },
    /// Not evaluated, for this reason.
    NotEvaluated {
        /// Text that the reason must contain.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_shown_and_stored_by_its_id() {
        for &id in CheckId::ALL {
            assert_eq!(id.to_string(), id.id());
            assert_eq!(serde_json::to_value(id).unwrap(), id.id());
        }
        assert_eq!(format!("{:>20}|", CheckId::DevicesIds), "         devices.ids|");
    }
}
