//! Facts: data with source and confidence, embedded in the binary, and the typed tables over them.

mod memory;
mod parts;

pub use memory::{APU_DEFAULT_LIMIT, memory_per_device, share_out};
pub use parts::{Part, part, parts};
