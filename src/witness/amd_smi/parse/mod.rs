//! A tolerant parser for what every known version prints. Nothing here judges: each field is a reading, never a guess.
//!
//! `json`, `csv` and `human` take the output apart into records, all of one shape (`output`); the functions below read
//! their fields. `failure` says whether the tool told of a failure.

mod csv;
mod device;
mod failure;
mod human;
mod json;
mod leaf;
mod output;
mod partition;
mod set;
mod table;
mod version;

pub use device::{list, memory_use, static_partition, vram};
pub use partition::partition;
pub use set::set_rows;
pub use version::version;
