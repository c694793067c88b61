//! `[[check]]`: what is judged, and what the scenario expects of it.

use crate::domain::{CheckId, CheckSpec, Expect, KernelRules};

use super::super::Check;
use super::super::tree::Node;
use super::Problems;
use super::demand::{self, Named};
use super::simulate::optional;
use super::values::{Fields, array, line, number, parsed, text, word};

/// Keys that every `[[check]]` may have.
const COMMON: [&str; 4] = ["id", "expect", "finding", "reason"];

/// Largest size in MiB that a check can be told to expect: 1 PiB.
const MIB_LIMIT: u32 = 1 << 30;

/// The parameters of a check, by the names of the file.
pub(in super::super) const fn parameters(id: CheckId) -> &'static [&'static str] {
    match id {
        CheckId::PartitionModes => &["compute", "memory"],
        CheckId::PartitionLegal => &["kernel"],
        CheckId::DevicesCount => &["per-gpu"],
        CheckId::MemoryPerDevice => &["mib"],
        CheckId::AmdSmiVersion => &["version"],
        CheckId::SetRefused => &["status"],
        CheckId::KernelParameters | CheckId::EnvironmentVariables => &["required", "banned"],
        CheckId::EnvironmentPairing => &["torch"],
        CheckId::PartitionProfiles
        | CheckId::DevicesIds
        | CheckId::AmdSmiJson
        | CheckId::AmdSmiExitCode
        | CheckId::SetApplied
        | CheckId::WitnessModes
        | CheckId::WitnessCount
        | CheckId::WitnessMemory
        | CheckId::WitnessRenderNodes
        | CheckId::WitnessOrder
        | CheckId::WitnessHive
        | CheckId::WitnessReadable
        | CheckId::ProbeOutcome
        | CheckId::ProbeNumbers
        | CheckId::ProbeMemory
        | CheckId::FallbackTaken
        | CheckId::FallbackWorks
        | CheckId::KernelEffective => &[],
    }
}

pub(super) fn check(node: &Node, problems: &mut Problems<'_>) -> Option<Check> {
    let Some(id) = node.get("id") else {
        // Says that it is not a table, or that the id is missing.
        let every: Vec<&str> = CheckId::ALL.iter().flat_map(|&id| parameters(id)).copied().chain(COMMON).collect();
        return Fields::of(node, "[[check]]", &every, problems)
            .and_then(|fields| fields.require("id", problems))
            .and(None);
    };
    let id: CheckId = word(id, "id", problems)?;
    let valid: Vec<&str> = COMMON.iter().chain(parameters(id)).copied().collect();
    let fields = Fields::of(node, place(id), &valid, problems)?;
    let spec = spec(id, &fields, problems);
    let expect = expect(&fields, problems);
    Some(Check { spec: spec?, expect: expect? })
}

/// How messages call the table of a check.
const fn place(id: CheckId) -> &'static str {
    match id {
        CheckId::PartitionModes => "[[check]] partition.modes",
        CheckId::PartitionLegal => "[[check]] partition.legal",
        CheckId::PartitionProfiles => "[[check]] partition.profiles",
        CheckId::DevicesCount => "[[check]] devices.count",
        CheckId::DevicesIds => "[[check]] devices.ids",
        CheckId::MemoryPerDevice => "[[check]] memory.per-device",
        CheckId::AmdSmiJson => "[[check]] amd-smi.json",
        CheckId::AmdSmiExitCode => "[[check]] amd-smi.exit-code",
        CheckId::AmdSmiVersion => "[[check]] amd-smi.version",
        CheckId::SetApplied => "[[check]] set.applied",
        CheckId::SetRefused => "[[check]] set.refused",
        CheckId::WitnessModes => "[[check]] witness.modes",
        CheckId::WitnessCount => "[[check]] witness.count",
        CheckId::WitnessMemory => "[[check]] witness.memory",
        CheckId::WitnessRenderNodes => "[[check]] witness.render-nodes",
        CheckId::WitnessOrder => "[[check]] witness.order",
        CheckId::WitnessHive => "[[check]] witness.hive",
        CheckId::WitnessReadable => "[[check]] witness.readable",
        CheckId::ProbeOutcome => "[[check]] probe.outcome",
        CheckId::ProbeNumbers => "[[check]] probe.numbers",
        CheckId::ProbeMemory => "[[check]] probe.memory",
        CheckId::FallbackTaken => "[[check]] fallback.taken",
        CheckId::FallbackWorks => "[[check]] fallback.works",
        CheckId::KernelParameters => "[[check]] kernel.parameters",
        CheckId::KernelEffective => "[[check]] kernel.effective",
        CheckId::EnvironmentVariables => "[[check]] environment.variables",
        CheckId::EnvironmentPairing => "[[check]] environment.pairing",
    }
}

fn spec(id: CheckId, fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<CheckSpec> {
    Some(match id {
        CheckId::PartitionModes => {
            let compute = fields.get("compute").map(|node| word(node, "compute", problems));
            let memory = fields.get("memory").map(|node| word(node, "memory", problems));
            CheckSpec::PartitionModes { compute: optional(compute)?, memory: optional(memory)? }
        }
        CheckId::PartitionLegal => CheckSpec::PartitionLegal {
            kernel: match fields.get("kernel") {
                Some(node) => word(node, "kernel", problems)?,
                None => KernelRules::default(),
            },
        },
        CheckId::PartitionProfiles => CheckSpec::PartitionProfiles,
        CheckId::DevicesCount => {
            let per_gpu = fields.get("per-gpu").map(|node| number(node, "per-gpu", 1..=64, problems));
            CheckSpec::DevicesCount { per_gpu: optional(per_gpu)? }
        }
        CheckId::DevicesIds => CheckSpec::DevicesIds,
        CheckId::MemoryPerDevice => CheckSpec::MemoryPerDevice {
            mib: match fields.get("mib") {
                Some(node) => Some(sizes(node, problems)?),
                None => None,
            },
        },
        CheckId::AmdSmiJson => CheckSpec::AmdSmiJson,
        CheckId::AmdSmiExitCode => CheckSpec::AmdSmiExitCode,
        CheckId::AmdSmiVersion => {
            let version = fields.get("version").map(|node| parsed(node, "version", problems));
            CheckSpec::AmdSmiVersion { version: optional(version)? }
        }
        CheckId::SetApplied => CheckSpec::SetApplied,
        CheckId::SetRefused => CheckSpec::SetRefused {
            status: match fields.get("status") {
                Some(node) => Some(line(node, "status", problems)?),
                None => None,
            },
        },
        CheckId::WitnessModes => CheckSpec::WitnessModes,
        CheckId::WitnessCount => CheckSpec::WitnessCount,
        CheckId::WitnessMemory => CheckSpec::WitnessMemory,
        CheckId::WitnessRenderNodes => CheckSpec::WitnessRenderNodes,
        CheckId::WitnessOrder => CheckSpec::WitnessOrder,
        CheckId::WitnessHive => CheckSpec::WitnessHive,
        CheckId::WitnessReadable => CheckSpec::WitnessReadable,
        CheckId::ProbeOutcome => CheckSpec::ProbeOutcome,
        CheckId::ProbeNumbers => CheckSpec::ProbeNumbers,
        CheckId::ProbeMemory => CheckSpec::ProbeMemory,
        CheckId::FallbackTaken => CheckSpec::FallbackTaken,
        CheckId::FallbackWorks => CheckSpec::FallbackWorks,
        CheckId::KernelParameters => {
            let demand = demand::demand(fields, Named::Parameter, problems)?;
            if demand.is_empty() {
                problems
                    .add(fields.node.span.clone(), "`required` or `banned` is missing in [[check]] kernel.parameters");
                return None;
            }
            CheckSpec::KernelParameters { demand }
        }
        CheckId::KernelEffective => CheckSpec::KernelEffective,
        CheckId::EnvironmentVariables => {
            CheckSpec::EnvironmentVariables { demand: demand::demand(fields, Named::Variable, problems)? }
        }
        CheckId::EnvironmentPairing => {
            let torch = fields.get("torch").map(|node| parsed(node, "torch", problems));
            CheckSpec::EnvironmentPairing { torch: optional(torch)? }
        }
    })
}

/// MiB of every device of one GPU: 1 to 8 numbers.
fn sizes(node: &Node, problems: &mut Problems<'_>) -> Option<Vec<u64>> {
    let items = array(node, "mib", problems)?;
    if !(1..=8).contains(&items.len()) {
        problems.add(node.span.clone(), "`mib` lists the 1 to 8 devices of one GPU");
        return None;
    }
    items.iter().map(|item| number(item, "mib", 1..=MIB_LIMIT, problems).map(u64::from)).collect()
}

fn expect(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Expect> {
    let node = fields.get("expect");
    let expect = match node {
        Some(node) => text(node, "expect", problems)?,
        None => "met",
    };
    let (needs, read): (Option<&str>, fn(String) -> Expect) = match expect {
        "met" => (None, |_| Expect::Met),
        "unmet" => (Some("finding"), |finding| Expect::Unmet { finding }),
        "doubtful" => (Some("finding"), |finding| Expect::Doubtful { finding }),
        "not-evaluated" => (Some("reason"), |reason| Expect::NotEvaluated { reason }),
        other => {
            let title = format!("`{}` is not an expectation", super::values::shown(other));
            let span = node.map_or(0..0, |node| node.span.clone());
            problems.add(span, title).help = Some("one of: met, unmet, doubtful, not-evaluated".to_owned());
            return None;
        }
    };
    for key in ["finding", "reason"] {
        if let Some(node) = fields.get(key).filter(|_| needs != Some(key)) {
            let goes = if key == "finding" { "\"unmet\" or \"doubtful\"" } else { "\"not-evaluated\"" };
            problems.add(node.span.clone(), format!("`{key}` goes with expect = {goes} only"));
            return None;
        }
    }
    match needs {
        None => Some(read(String::new())),
        Some(key) => fields.require(key, problems).and_then(|node| line(node, key, problems)).map(read),
    }
}
