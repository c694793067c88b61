//! What amd-smi's output means, field by field, as readings.

use crate::domain::{Bdf, Bytes, ComputeMode, MemoryMode, Reading, ToolVersion};

/// The output of one call, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// JSON documents found in standard output (0 for other formats).
    pub documents: usize,
    /// Text in standard output that belongs to no document or table (prompt, `Legend`, version line), bounded.
    pub stray: Option<String>,
    /// The failure that the tool told of, by its sentence and not by its exit code.
    pub failure: Option<ToolError>,
    /// What it said.
    pub value: Reading<T>,
}

/// A failure as the tool words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolError {
    /// `Error code: -3`, or the library status number.
    pub code: Option<i64>,
    /// `AMDSMI_STATUS_BUSY`.
    pub status: Option<String>,
    /// Its sentence, bounded.
    pub text: String,
}

/// `version`.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionReport {
    /// Version of the tool.
    pub tool: Reading<ToolVersion>,
    /// Version of the library: another number.
    pub library: Reading<String>,
    /// ROCm version.
    pub rocm: Reading<String>,
    /// amdgpu version.
    pub driver: Reading<String>,
}

/// One row of `list`.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRow {
    /// amd-smi's index.
    pub gpu: u32,
    /// Address; the function digit is the partition.
    pub bdf: Reading<Bdf>,
    /// UUID.
    pub uuid: Reading<String>,
    /// KFD `gpu_id`.
    pub kfd_id: Reading<u32>,
    /// KFD node.
    pub node_id: Reading<u32>,
    /// Partition number.
    pub partition_id: Reading<u32>,
}

/// One row of `static --partition`.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticPartitionRow {
    /// amd-smi's index.
    pub gpu: u32,
    /// Compute mode.
    pub compute: Reading<ComputeMode>,
    /// Memory mode.
    pub memory: Reading<MemoryMode>,
    /// Partition number.
    pub partition_id: Reading<u32>,
}

/// `partition`; a section is `NotReported` when it was not asked or not printed.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionReport {
    /// CURRENT_PARTITION.
    pub current: Reading<Vec<CurrentRow>>,
    /// MEMORY_PARTITION.
    pub memory: Reading<Vec<MemoryRow>>,
    /// ACCELERATOR_PARTITION_PROFILES.
    pub profiles: Reading<Vec<ProfileRow>>,
}

/// One row of CURRENT_PARTITION.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrentRow {
    /// amd-smi's index.
    pub gpu: u32,
    /// Memory mode.
    pub memory: Reading<MemoryMode>,
    /// Compute mode.
    pub compute: Reading<ComputeMode>,
    /// Index of the profile in force.
    pub profile_index: Reading<u32>,
    /// Partition number, or all of them (`0,1,2` in 6.3).
    pub partition_id: Reading<String>,
}

/// One row of MEMORY_PARTITION.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryRow {
    /// amd-smi's index.
    pub gpu: u32,
    /// Modes offered.
    pub caps: Reading<Vec<MemoryMode>>,
    /// Mode in force.
    pub current: Reading<MemoryMode>,
}

/// One profile of one GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileRow {
    /// amd-smi's index.
    pub gpu: u32,
    /// Profile index.
    pub index: Reading<u32>,
    /// Memory modes that it goes with.
    pub caps: Reading<Vec<MemoryMode>>,
    /// Compute mode.
    pub mode: Reading<ComputeMode>,
    /// Marked with a star.
    pub current: bool,
    /// Partitions that it makes.
    pub partitions: Reading<u32>,
    /// What each partition gets.
    pub resources: Vec<ResourceRow>,
}

/// One resource of one profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceRow {
    /// `XCC`, `DECODER`, `DMA`, `JPEG`.
    pub kind: Reading<String>,
    /// Instances that one partition sees.
    pub instances: Reading<u32>,
    /// Partitions that share them.
    pub shared: Reading<u32>,
}

/// Memory of one device, as `static --vram` or `metric -m` print it.
#[derive(Debug, Clone, PartialEq)]
pub struct VramRow {
    /// amd-smi's index.
    pub gpu: u32,
    /// Total; the tool prints MiB and calls them MB.
    pub total: Reading<Bytes>,
    /// Used (`metric -m` only).
    pub used: Reading<Bytes>,
}

/// What `set` said of one GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct SetRow {
    /// amd-smi's index.
    pub gpu: u32,
    /// Decided from the sentence.
    pub outcome: Reading<SetOutcome>,
}

/// A set request's outcome as the tool words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetOutcome {
    /// `Successfully set …`: the one stable word of all versions (facts/amd-smi.md 2.3).
    Said {
        /// The sentence.
        sentence: String,
    },
    /// It says that it failed.
    Failed {
        /// How.
        error: ToolError,
    },
}
