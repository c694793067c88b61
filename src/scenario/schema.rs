//! The JSON Schema of scenario files, for editors. A mirror of what [`super::read`] accepts: tests hold the two together.
//! It is the looser of the two where a schema cannot say what the reader checks (`${name}`, levels, machines that can be).

#![allow(dead_code, reason = "these types exist for their schema only; the reader has better messages than serde")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};

use crate::domain::{AllocMode, ComputeMode, DeviceKind, KernelRules, MemoryMode};
use crate::sim::{Caller, Hives, Platform};
use crate::witness::amd_smi::{Format, Query};

use super::Level;

/// The JSON Schema of scenario files.
pub fn schema() -> Schema {
    schema_for!(ScenarioFile)
}

/// One scenario: what is claimed, what to simulate, what to do, what to check.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct ScenarioFile {
    /// One line: what is claimed.
    title: String,
    /// One line: why it is worth checking.
    why: String,
    /// Who says so.
    source: String,
    /// Words to select by.
    #[schemars(default)]
    tags: Vec<String>,
    /// How far it goes.
    #[schemars(default)]
    level: Level,
    /// Which given hosts it is for; without it, the scenario is for its simulated machine only.
    applies: Option<Applies>,
    /// What to simulate where there is no hardware; lists multiply into cases.
    simulate: Simulate,
    /// Further lists that multiply into cases: `${name}` stands for the value.
    #[schemars(default, extend("additionalProperties" = { "type": "array", "minItems": 1, "items": { "type": ["string", "integer", "boolean"] } }))]
    sweep: serde_json::Map<String, serde_json::Value>,
    /// What to ask besides what the checks need.
    observe: Option<Observe>,
    /// What is done, in order.
    #[schemars(default)]
    step: Vec<Step>,
    /// What is judged.
    #[schemars(length(min = 1))]
    check: Vec<Check>,
}

/// Which given hosts a scenario is for.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Applies {
    /// Parts, with wildcards: `MI3*`.
    part: Option<OneOrMore<String>>,
    /// Native ISA, with wildcards: `gfx103x`.
    gfx: Option<OneOrMore<String>>,
    /// Compute mode in force.
    compute: Option<OneOrMore<ComputeMode>>,
    /// Memory mode in force.
    memory: Option<OneOrMore<MemoryMode>>,
    /// amd-smi versions: `>=26, <27`, `26.x`.
    amd_smi: Option<String>,
    /// Where the operating system runs.
    platform: Option<OneOrMore<Platform>>,
}

/// What to simulate.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Simulate {
    /// A machine's name, or the path of a machine file below the scenario's folder.
    machine: OneOrMore<String>,
    /// Compute mode at the start.
    compute: Option<OneOrMore<Or<ComputeMode>>>,
    /// Memory mode at the start.
    memory: Option<OneOrMore<Or<MemoryMode>>>,
    /// Physical GPUs, 1 to 8.
    gpus: Option<OneOrMore<Or<u8>>>,
    /// Where the operating system runs.
    platform: Option<OneOrMore<Or<Platform>>>,
    /// Who calls; root when left out.
    caller: Option<OneOrMore<Or<Caller>>>,
    /// Tool versions that the simulated tool speaks.
    amd_smi: OneOrMore<String>,
    /// A client holds every GPU from the start.
    busy: Option<OneOrMore<Or<bool>>>,
    /// How the GPUs are wired to each other.
    hives: Option<OneOrMore<Or<Hives>>>,
    /// Policy of the driver's `compute_partition_mem_alloc_mode` at the start; left out, the driver has no such file.
    alloc_mode: Option<OneOrMore<Or<AllocMode>>>,
    /// Pages of 4 KiB that GPUs may take of the system's memory, for an APU.
    pages_limit: Option<OneOrMore<Or<u32>>>,
    /// What was set on it: kernel, parameters, modprobe.d, environment, ROCm.
    tuning: Option<Tuning>,
    /// What goes wrong: one list of faults, or a list of such lists.
    faults: Option<Faults>,
}

/// What was set on the simulated machine.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Tuning {
    /// Kernel release: `6.8.0-60-generic`.
    kernel: Option<String>,
    /// The driver is the kernel's own, which shows no version, and not AMD's.
    in_tree: Option<Or<bool>>,
    /// Words added to the kernel's command line: `amdgpu.noretry=0`.
    cmdline: Option<String>,
    /// Files of modprobe.d with their text: `etc/modprobe.d/gpu.conf`.
    #[schemars(default)]
    modprobe: BTreeMap<String, String>,
    /// Parameters written at run time, after the driver was loaded: `amdgpu.noretry`.
    #[schemars(default)]
    written: BTreeMap<String, Setting>,
    /// The environment in which probes start.
    #[schemars(default)]
    environ: BTreeMap<String, Setting>,
    /// Version of ROCm below /opt: `6.2.0`.
    rocm: Option<String>,
    /// torch that the workers of probes say they loaded: `2.5.1+rocm6.2`.
    torch: Option<String>,
}

/// What to ask.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Observe {
    /// Queries besides those that the checks need.
    ask: Option<OneOrMore<Query>>,
    /// Output format of every call; json when left out.
    format: Option<OneOrMore<Format>>,
    /// Milliseconds after which a call of amd-smi is stopped; the run's deadline when left out.
    #[schemars(range(min = 1, max = 600_000))]
    deadline_ms: Option<u32>,
}

/// One value, or a list that multiplies into cases.
#[derive(JsonSchema)]
#[serde(untagged)]
enum OneOrMore<T> {
    One(T),
    More(#[schemars(length(min = 1))] Vec<T>),
}

/// A value, or a string with the `${name}` of a sweep.
#[derive(JsonSchema)]
#[serde(untagged)]
enum Or<T> {
    Value(T),
    Sweep(#[schemars(regex(pattern = r"\$\{[a-z0-9_-]+\}"))] String),
}

/// A value, as text or as a number.
#[derive(JsonSchema)]
#[serde(untagged)]
enum Setting {
    Text(String),
    Number(i64),
}

/// Faults of one machine, or of several.
#[derive(JsonSchema)]
#[serde(untagged)]
enum Faults {
    One(Vec<String>),
    More(Vec<Vec<String>>),
}

/// One thing that is done; each step has exactly one key.
#[derive(JsonSchema)]
#[serde(untagged)]
enum Step {
    Set(SetStep),
    Reload(Reload),
    Hold(Hold),
    Release(Release),
    Run(Run),
    Probe(ProbeStep),
}

/// Asks amd-smi to change a mode.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SetStep {
    set: Set,
}

/// What to change.
#[derive(JsonSchema)]
#[serde(untagged)]
enum Set {
    Compute(SetCompute),
    Memory(SetMemory),
}

/// `set -C`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SetCompute {
    /// Which mode.
    compute: Or<ComputeMode>,
    /// amd-smi's index; all GPUs when left out.
    gpu: Option<Or<u32>>,
}

/// `set -M`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SetMemory {
    /// Which mode.
    memory: Or<MemoryMode>,
    /// Answer to the prompt; yes when left out.
    confirm: Option<Or<bool>>,
}

/// Reloads the driver.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Reload {
    #[schemars(extend("const" = true))]
    reload: bool,
}

/// A client opens the GPUs. Simulated machines only.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Hold {
    #[schemars(extend("const" = true))]
    hold: bool,
}

/// That client closes them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Release {
    #[schemars(extend("const" = true))]
    release: bool,
}

/// Calls amd-smi with these arguments.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Run {
    run: Vec<String>,
}

/// Runs probes, each in a process that may die.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ProbeStep {
    probe: Probe,
}

/// What is computed, where, how often, and with which variables. One of `name` and `work`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Probe {
    /// A name of the catalogue: `conv-boundary`.
    name: Option<String>,
    /// A computation in full, `_` for the format: `conv2d/_/1x16x44x44/32x3x3/s1p1d1g1/forward`.
    work: Option<String>,
    /// Number format; of a name, all that it comes in when left out.
    dtype: Option<String>,
    /// Where; on the GPU when left out.
    on: Option<Or<DeviceKind>>,
    /// How often it is computed in one process; once when left out.
    repeats: Option<Or<u32>>,
    /// In how many processes, one after the other; one when left out.
    processes: Option<Or<u32>>,
    /// Time after which no further repeat is begun: `30m`.
    budget: Option<String>,
    /// Longest time to the first result: `2s`.
    deadline: Option<String>,
    /// Family of MIOpen's solvers that is left to it, or one solver by name; `any` leaves all.
    solver: Option<String>,
    /// Variables of the worker.
    env: Option<BTreeMap<String, String>>,
}

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident = $id:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(JsonSchema)]
            #[schemars(deny_unknown_fields, rename_all = "kebab-case")]
            struct $name {
                #[schemars(extend("const" = $id))]
                id: String,
                /// What is expected of it; met when left out.
                #[schemars(default)]
                expect: Expect,
                /// With `unmet` and `doubtful`: finding id that must be among the findings.
                finding: Option<String>,
                /// With `not-evaluated`: text that the reason must contain.
                reason: Option<String>,
                $($(#[$field_doc])* $field: Option<$type>,)*
            }
        )+

        /// What is judged.
        #[derive(JsonSchema)]
        #[serde(untagged)]
        enum Check { $($name($name)),+ }
    };
}

checks! {
    /// amd-smi's modes against the expectation.
    PartitionModes = "partition.modes" {
        /// Expected compute mode; what sysfs shows when left out.
        compute: Or<ComputeMode>,
        /// Expected memory mode; what sysfs shows when left out.
        memory: Or<MemoryMode>,
    }
    /// Compute x memory is a pair that the part, its kernel and its firmware allow.
    PartitionLegal = "partition.legal" {
        /// Which kernel's rules; the newest when left out.
        kernel: Or<KernelRules>,
    }
    /// The profiles that `partition -a` lists against the facts.
    PartitionProfiles = "partition.profiles" {}
    /// How many logical devices there are.
    DevicesCount = "devices.count" {
        /// Expected devices of each GPU; those of the mode in force when left out.
        per_gpu: Or<u32>,
    }
    /// Indexes, partition numbers, addresses and UUIDs are complete and distinct.
    DevicesIds = "devices.ids" {}
    /// Memory of each logical device against the formula.
    MemoryPerDevice = "memory.per-device" {
        /// Expected MiB of every device of one GPU, in partition order; the formula when left out.
        mib: Vec<Or<u64>>,
    }
    /// `--json` gives one valid document.
    AmdSmiJson = "amd-smi.json" {}
    /// Failed means a non-zero exit code, and the reverse.
    AmdSmiExitCode = "amd-smi.exit-code" {}
    /// The tool says which version it is, and it is the one expected.
    AmdSmiVersion = "amd-smi.version" {
        /// Expected tool version; any that is known when left out.
        version: String,
    }
    /// A set request is in force when it is read back.
    SetApplied = "set.applied" {}
    /// An illegal request is refused and leaves the state as it was.
    SetRefused = "set.refused" {
        /// The status name that the refusal must give; any when left out.
        status: String,
    }
    /// amd-smi, sysfs and KFD tell the same modes.
    WitnessModes = "witness.modes" {}
    /// Every witness counts as many devices.
    WitnessCount = "witness.count" {}
    /// Every witness shows the same memory of each device.
    WitnessMemory = "witness.memory" {}
    /// Each device's render node is there and hangs on that device.
    WitnessRenderNodes = "witness.render-nodes" {}
    /// amd-smi, HIP and PCI addresses name devices in one order.
    WitnessOrder = "witness.order" {}
    /// The GPUs of a hive belong together, by every witness and in their memory mode.
    WitnessHive = "witness.hive" {}
    /// Each witness can be asked, by this caller, now.
    WitnessReadable = "witness.readable" {}
    /// Every probe lived, said everything, and the kernel logged no fault.
    ProbeOutcome = "probe.outcome" {}
    /// The numbers of every probe are right.
    ProbeNumbers = "probe.numbers" {}
    /// Memory that probes used gave what it must and held what was written.
    ProbeMemory = "probe.memory" {}
    /// What was to run on the GPU ran there.
    FallbackTaken = "fallback.taken" {}
    /// What was to run on the CPU in place of the GPU did, and how much slower it is.
    FallbackWorks = "fallback.works" {}
    /// Kernel parameters that must be in force, and those that must not.
    KernelParameters = "kernel.parameters" {
        /// Values that must be in force, by name: `{ noretry = 0, iommu = "pt" }`.
        required: BTreeMap<String, Setting>,
        /// Names that must not be set, or values that must not be in force: `["vm_fragment_size", "noretry=0"]`.
        banned: Vec<String>,
    }
    /// A kernel parameter that is set is in force and no no-op.
    KernelEffective = "kernel.effective" {}
    /// Variables in the environment of probes act, and do what they are set for.
    EnvironmentVariables = "environment.variables" {
        /// Variables that must be exported, with their values.
        required: BTreeMap<String, Setting>,
        /// Variables, or values of them, that must not be.
        banned: Vec<String>,
    }
    /// torch, ROCm, the GPU and the kernel go together.
    EnvironmentPairing = "environment.pairing" {
        /// The torch that would run: `2.5.1+rocm6.2`.
        torch: String,
    }
}

/// What a scenario expects of a check.
#[derive(Default, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Expect {
    #[default]
    Met,
    Unmet,
    Doubtful,
    NotEvaluated,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::read::{
        APPLIES_KEYS, OBSERVE_KEYS, PROBE_KEYS, SIMULATE_KEYS, STEP_KEYS, TOP_KEYS, TUNING_KEYS, parameters,
    };
    use super::schema;
    use crate::domain::CheckId;

    fn keys(definition: &Value) -> BTreeSet<&str> {
        definition["properties"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn the_schema_has_the_keys_of_the_reader_and_no_others() {
        let schema = serde_json::to_value(schema()).unwrap();
        let definitions = &schema["$defs"];
        for (definition, expected) in [
            (&schema, &TOP_KEYS[..]),
            (&definitions["Applies"], &APPLIES_KEYS),
            (&definitions["Simulate"], &SIMULATE_KEYS),
            (&definitions["Observe"], &OBSERVE_KEYS),
            (&definitions["Tuning"], &TUNING_KEYS),
            (&definitions["SetStep"], &STEP_KEYS[..1]),
            (&definitions["Run"], &STEP_KEYS[4..5]),
            (&definitions["ProbeStep"], &STEP_KEYS[5..]),
            (&definitions["Probe"], &PROBE_KEYS),
        ] {
            assert_eq!(keys(definition), expected.iter().copied().collect());
            assert_eq!(definition["additionalProperties"], Value::Bool(false));
        }
    }

    #[test]
    fn the_schema_has_every_check_with_its_parameters() {
        let schema = serde_json::to_value(schema()).unwrap();
        let definitions = schema["$defs"].as_object().unwrap();
        for &id in CheckId::ALL {
            let is_it = |each: &&Value| each["properties"]["id"]["const"] == id.id();
            let definition = definitions.values().find(is_it).unwrap();
            let common = ["id", "expect", "finding", "reason"];
            let expected = common.iter().chain(parameters(id)).copied().collect();
            assert_eq!(keys(definition), expected, "{id}");
        }
    }
}
