//! Facts: data with source and confidence, embedded in the binary, and the typed tables over them.

mod parts;

pub use parts::{Part, part, parts};
