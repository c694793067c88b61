//! Facts: data with source and confidence, embedded in the binary, and the typed tables over them.

mod memory;
mod modes;
mod parts;

pub use memory::{memory_per_device, nominal_tolerance, split_memory, xccs_per_device};
pub use modes::{Legality, legality};
pub use parts::{Part, part, parts};
