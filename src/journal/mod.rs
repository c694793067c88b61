//! What was begun and what came of it, one line of JSON for each, on the disk before anything can go wrong: a run that was
//! killed, or that took its machine down, is taken up where it was.
//!
//! [`Journal`] is the file, [`Progress`] what it says of the things that were planned, and [`digest`] whether the plan is
//! still the same.

mod file;
mod plan;
mod progress;

pub use file::{Durable, Journal, JournalError};
pub use plan::digest;
pub use progress::{Next, Progress};
