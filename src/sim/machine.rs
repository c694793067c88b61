//! A simulated machine as it is described: by a machine file, or by the options of `validate shim`.

use serde::{Deserialize, Serialize};

use crate::domain::{ComputeMode, MemoryMode, ToolVersion};
use crate::facts::Part;

use super::Fault;

/// What a machine is. A host directory holds it as `machine.toml`, in full; nothing in it changes between calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// Name, for reports.
    pub name: String,
    /// The part, by machine name (`mi300x`).
    pub part: String,
    /// Physical GPUs, 1 to 8.
    pub gpus: u32,
    /// Where the operating system runs.
    pub platform: Platform,
    /// Compute partition at the start.
    pub compute: ComputeMode,
    /// Memory partition at the start.
    pub memory: MemoryMode,
    /// amd-smi tool version that the shim speaks.
    pub amd_smi: ToolVersion,
    /// Who calls.
    pub caller: Caller,
    /// Where this machine differs from the facts on purpose.
    #[serde(default)]
    pub quirks: Quirks,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// A client holds every GPU open from the start (EBUSY on a mode change).
    #[serde(default)]
    pub busy: bool,
}

/// Where the operating system runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// On the metal.
    BareMetal,
    /// In a virtual machine that owns the whole physical function.
    Passthrough,
    /// In a virtual machine with an SR-IOV virtual function.
    VirtualFunction,
}

/// Who calls the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// As root, whoever runs the test.
    Root,
    /// As a user without write permission.
    User,
    /// Whoever really calls.
    Actual,
}

/// Deviations from the facts. All off for a machine that follows them; `reference-*` machines switch some on
/// because the tree that the real tool was run over (`make-sysfs.py`) has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Quirks {
    /// The tree of the recorded reference transcripts: whole VRAM per KFD node in NPS1 and VRAM / devices otherwise,
    /// render minors in steps of 1, every mode available in every NPS, no DRM facts, made-up ids.
    pub reference_tree: bool,
}

/// The part behind a machine, with what the simulator needs to know about it.
pub type Model = Part;

/// A machine that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// No such part or machine.
    #[error("no machine is called {name:?}; nearest: {nearest}. `validate list --machines` lists them")]
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
}
