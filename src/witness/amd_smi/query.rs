//! The commands that the witness asks.

use serde::{Deserialize, Serialize};

use crate::domain::{ComputeMode, MemoryMode};

/// A command that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Query {
    /// `version`.
    Version,
    /// `list`.
    List,
    /// `static --partition`.
    StaticPartition,
    /// `partition` (as root, `-a` writes `xcp_config`: facts/amd-smi.md 1.4).
    Partition,
    /// `static --vram`.
    StaticVram,
    /// `metric -m`.
    MetricMemory,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Text for people.
    Human,
    /// `--json`.
    Json,
    /// `--csv`.
    Csv,
}

/// A request to change a mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetRequest {
    /// `set -C`.
    Compute {
        /// Which mode.
        mode: ComputeMode,
        /// `-g`: an index, or all GPUs.
        gpu: Option<u32>,
    },
    /// `set -M`.
    Memory {
        /// Which mode.
        mode: MemoryMode,
        /// Answer to the prompt.
        confirm: bool,
    },
}

impl Query {
    /// Arguments after the program name.
    pub fn args(self, format: Format) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Version => &["version"],
            Self::List => &["list"],
            Self::StaticPartition => &["static", "--partition"],
            Self::Partition => &["partition"],
            Self::StaticVram => &["static", "--vram"],
            Self::MetricMemory => &["metric", "-m"],
        };
        with_format(words.iter().map(|&word| word.to_owned()).collect(), format)
    }
}

impl SetRequest {
    /// Arguments after the program name. `-g all` is always given: tools before 6.4 need it.
    pub fn args(&self, format: Format) -> Vec<String> {
        let words = match self {
            Self::Compute { mode, gpu } => {
                let gpu = gpu.map_or_else(|| "all".to_owned(), |index| index.to_string());
                vec!["set".to_owned(), "-g".to_owned(), gpu, "-C".to_owned(), mode.name().to_owned()]
            }
            Self::Memory { mode, .. } => {
                ["set", "-g", "all", "-M", mode.name()].iter().map(|&word| word.to_owned()).collect()
            }
        };
        with_format(words, format)
    }

    /// What to write to the tool's standard input.
    pub const fn stdin(&self) -> &'static str {
        match self {
            Self::Compute { .. } => "",
            Self::Memory { confirm: true, .. } => "y\n",
            Self::Memory { confirm: false, .. } => "n\n",
        }
    }
}

fn with_format(mut words: Vec<String>, format: Format) -> Vec<String> {
    match format {
        Format::Human => {}
        Format::Json => words.push("--json".to_owned()),
        Format::Csv => words.push("--csv".to_owned()),
    }
    words
}
