//! Witness amd-smi: which commands to ask, and a tolerant parser for what every known version prints.

pub mod parse;
mod query;
mod report;

pub use query::{Format, Query, SetRequest};
pub use report::{
    Answer, CurrentRow, ListRow, MemoryRow, PartitionReport, ProfileRow, ResourceRow, SetOutcome, SetRow,
    StaticPartitionRow, ToolError, VersionReport, VramRow,
};
