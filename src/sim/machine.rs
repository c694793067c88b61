//! A simulated machine as it is described: by a machine file, or by the options of `validate shim`.

use serde::{Deserialize, Serialize};

use crate::domain::{AllocMode, Bytes, ComputeMode, MemoryMode, Platform, ToolVersion};
use crate::facts::{Part, part};

use super::{Fault, Tuning, modes};

/// What a machine is. A host directory holds it as `machine.toml`, in full; nothing in it changes between calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// Name, for reports.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// The part, by machine name (`mi300x`).
    pub part: String,
    /// Physical GPUs, 1 to 8.
    #[serde(default = "one_gpu")]
    #[schemars(range(min = 1, max = 8))]
    pub gpus: u32,
    /// Where the operating system runs.
    #[serde(default)]
    pub platform: Platform,
    /// Compute partition at the start.
    #[serde(default = "spx")]
    pub compute: ComputeMode,
    /// Memory partition at the start.
    #[serde(default = "nps1")]
    pub memory: MemoryMode,
    /// Policy of the driver's `compute_partition_mem_alloc_mode` at the start; left out, the driver has no such file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alloc_mode: Option<AllocMode>,
    /// Pages of 4 KiB that GPUs may take of the system's memory (`pages_limit`), for an APU; left out, the default of
    /// AMD's driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 268_435_456))]
    pub pages_limit: Option<u64>,
    /// How the GPUs are wired to each other.
    #[serde(default)]
    pub hives: Hives,
    /// amd-smi tool version that the shim speaks.
    #[serde(default = "default_tool")]
    #[schemars(with = "String", regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+(\+.*)?$"))]
    pub amd_smi: ToolVersion,
    /// Who calls.
    #[serde(default)]
    pub caller: Caller,
    /// Where this machine differs from the facts on purpose.
    #[serde(default)]
    pub quirks: Quirks,
    /// What goes wrong: `compute=EBUSY`, `hang`; `validate shim --help` lists them.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(max = 64))]
    pub faults: Vec<Fault>,
    /// A client holds every GPU open from the start (EBUSY on a mode change).
    #[serde(default)]
    pub busy: bool,
    /// What was set on it: kernel, parameters, modprobe.d, environment, ROCm.
    #[serde(default, skip_serializing_if = "Tuning::is_plain")]
    pub tuning: Tuning,
}

/// XGMI hives of a machine with several Instinct GPUs. A memory mode is still asked for by all of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hives {
    /// One hive of all GPUs.
    #[default]
    One,
    /// Two hives of half the GPUs each.
    Two,
    /// One hive, with the last GPU outside of it.
    LastOutside,
}

/// Who calls the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// As root, whoever runs the test.
    #[default]
    Root,
    /// As a user without write permission.
    User,
    /// Whoever really calls.
    Actual,
}

/// Deviations from the facts. All off for a machine that follows them; `reference-*` machines switch some on
/// because the tree that the real tool was run over (`make-sysfs.py`) has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Quirks {
    /// The tree of the recorded reference transcripts: whole VRAM per KFD node in NPS1 and VRAM / devices otherwise,
    /// render minors in steps of 1, every mode available in every NPS, no DRM facts, made-up ids.
    pub reference_tree: bool,
}

/// The part behind a machine, with what the simulator needs to know about it.
pub type Model = Part;

/// Most physical GPUs in one machine.
pub const MAX_GPUS: u32 = 8;

/// Most pages that an APU's limit may name: 1 TiB.
const MAX_PAGES: u64 = 1 << 28;

/// Most faults of one machine.
const MAX_FAULTS: usize = 64;

/// A machine that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// No such part or machine.
    #[error("no machine is called {name:?}; nearest: {nearest}. Known: {}", super::preset::names().join(", "))]
    UnknownMachine {
        /// What was asked for.
        name: String,
        /// The nearest name.
        nearest: String,
    },
    /// A value that no machine has.
    #[error("{field}: {problem}")]
    Invalid {
        /// Which key.
        field: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The text is not a machine file.
    #[error("{0}")]
    Syntax(String),
}

impl Machine {
    /// The newest version that was run byte for byte and still has `reset -r`.
    pub const DEFAULT_TOOL: ToolVersion = ToolVersion::new(26, 2, 1);

    /// Reads a machine file. Errors name the line and the key.
    pub fn parse(text: &str) -> Result<Self, MachineError> {
        if text.len() > 1 << 16 {
            return Err(MachineError::Syntax("a machine file is at most 64 KiB long".to_owned()));
        }
        let machine: Self = toml::from_str(text).map_err(|error| MachineError::Syntax(error.to_string()))?;
        machine.check()?;
        Ok(machine)
    }

    /// The machine file of this machine, in full.
    pub fn to_toml(&self) -> Result<String, MachineError> {
        toml::to_string(self).map_err(|error| MachineError::Syntax(error.to_string()))
    }

    /// The part.
    pub fn model(&self) -> Result<&'static Model, MachineError> {
        part(&self.part).ok_or_else(|| invalid("part", format!("no part is called {:?}", shorten(&self.part))))
    }

    /// Whether this machine can be, and can be in the modes it starts in.
    pub fn check(&self) -> Result<(), MachineError> {
        let model = self.model()?;
        if self.name.is_empty() || self.name.len() > 64 || self.name.chars().any(char::is_control) {
            return Err(invalid("name", "1 to 64 printable characters".to_owned()));
        }
        if !(1..=MAX_GPUS).contains(&self.gpus) {
            return Err(invalid("gpus", format!("{} is not between 1 and {MAX_GPUS}", self.gpus)));
        }
        if self.faults.len() > MAX_FAULTS {
            return Err(invalid("faults", format!("at most {MAX_FAULTS}")));
        }
        if self.platform == Platform::VirtualFunction && model.vf_pci_ids.is_empty() {
            return Err(invalid("platform", format!("no virtual function of {} is known", model.id)));
        }
        if let Some(problem) = self.tuning.problem() {
            return Err(invalid("tuning", problem));
        }
        self.check_memory_policy(model)?;
        if self.quirks.reference_tree {
            return self.check_reference(model);
        }
        self.check_modes(model)
    }

    fn check_memory_policy(&self, model: &Model) -> Result<(), MachineError> {
        if self.alloc_mode.is_some() && !model.partitionable {
            return Err(invalid("alloc-mode", format!("{} has no partitions to share memory", model.id)));
        }
        match self.pages_limit {
            None => Ok(()),
            Some(_) if !model.apu => {
                Err(invalid("pages-limit", format!("{} is no APU: it has memory of its own", model.id)))
            }
            Some(pages) if !(u64::from(self.gpus)..=MAX_PAGES).contains(&pages) => {
                Err(invalid("pages-limit", format!("{pages} is not between one for each GPU and {MAX_PAGES}")))
            }
            Some(_) => Ok(()),
        }
    }

    /// What one APU may take of the system's memory, where the machine says it: every APU is a NUMA node, and they share
    /// the limit evenly. Source: facts/partitions.md 3.4 [C].
    pub fn apu_memory(&self) -> Option<Bytes> {
        let pages = self.pages_limit?;
        Some(Bytes(pages.saturating_mul(Bytes::PAGE.0) / u64::from(self.gpus.max(1))))
    }

    fn check_reference(&self, model: &Model) -> Result<(), MachineError> {
        if super::reference::describes(model) {
            return Ok(());
        }
        Err(invalid(
            "quirks.reference-tree",
            format!("the reference tree knows MI300X and RX 5700 XT, not {}", model.id),
        ))
    }

    fn check_modes(&self, model: &Model) -> Result<(), MachineError> {
        if !model.partitionable {
            return match (self.compute, self.memory) {
                (ComputeMode::Spx, MemoryMode::Nps1) => Ok(()),
                (compute, memory) => {
                    Err(invalid("compute", format!("{} has no partitions: {compute}/{memory} cannot be set", model.id)))
                }
            };
        }
        let known = model.compute_modes();
        if !known.contains(&self.compute) {
            let (compute, known) = (self.compute, modes::list(known));
            return Err(invalid(
                "compute",
                format!("{} with {} XCCs has {known}, not {compute}", model.id, model.xccs),
            ));
        }
        if !model.memory_modes.contains(&self.memory) {
            let (memory, known) = (self.memory, modes::list(&model.memory_modes));
            return Err(invalid("memory", format!("firmware of {} offers {known}, not {memory}", model.id)));
        }
        if modes::accepts(model, self.compute, self.memory) {
            return Ok(());
        }
        let legal = modes::list(&modes::available(model, self.memory));
        let (compute, memory) = (self.compute, self.memory);
        Err(invalid("compute", format!("{compute} is not legal with {memory} on {}; with {memory}: {legal}", model.id)))
    }
}

fn invalid(field: &'static str, problem: String) -> MachineError {
    MachineError::Invalid { field, problem }
}

fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

const fn one_gpu() -> u32 {
    1
}

const fn spx() -> ComputeMode {
    ComputeMode::Spx
}

const fn nps1() -> MemoryMode {
    MemoryMode::Nps1
}

const fn default_tool() -> ToolVersion {
    Machine::DEFAULT_TOOL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_file_reads_back_in_full() {
        let machine =
            Machine::parse("name = 'x'\npart = 'mi300x'\nfaults = ['compute=EBUSY', 'after=2:hang']").unwrap();
        assert_eq!(Machine::parse(&machine.to_toml().unwrap()), Ok(machine));
    }

    #[test]
    fn a_machine_that_cannot_be_is_refused_with_the_reason() {
        for (text, part) in [
            (
                "part = 'mi300x'\ncompute = 'SPX'\nmemory = 'NPS4'",
                "SPX is not legal with NPS4 on MI300X; with NPS4: QPX, CPX",
            ),
            ("part = 'mi300x'\ncompute = 'TPX'", "8 XCCs has SPX, DPX, QPX, CPX"),
            ("part = 'mi355x'\ncompute = 'CPX'\nmemory = 'NPS4'", "offers NPS1, NPS2"),
            ("part = 'rx6600'\ncompute = 'CPX'", "no partitions"),
            ("part = 'mi300'", "no part is called"),
            ("part = 'mi300x'\ngpus = 9", "between 1 and 8"),
            ("part = 'mi300x'\ngpu = 1", "unknown field"),
            ("part = 'mi250x'\nplatform = 'virtual-function'", "no virtual function"),
            ("part = 'rx6600'\nalloc-mode = 'ALL'", "no partitions to share"),
            ("part = 'mi300x'\nalloc-mode = 'SOME'", "alloc-mode"),
            ("part = 'mi300x'\npages-limit = 100", "no APU"),
            ("part = 'mi300a'\ngpus = 4\npages-limit = 3", "between one for each GPU"),
            ("part = 'mi300a'\npages-limit = 999999999999", "between one for each GPU"),
            ("part = 'mi300x'\nhives = 'three'", "hives"),
            ("part = 'mi308x'\n[quirks]\nreference-tree = true", "not MI308X"),
            ("part = 'mi300x'\nfaults = ['hangs']", "nearest: hang"),
            ("part = 'rx6600'\n[tuning]\nkernel = '/'", "tuning: kernel"),
            ("part = 'rx6600'\n[tuning]\nkernal = '6'", "unknown field"),
            ("part = ", "TOML"),
        ] {
            let error = Machine::parse(&format!("name = 'x'\n{text}")).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
