//! From a failing probe to the smallest that still fails in the same way, and what reproduces that elsewhere. Pure: who
//! calls runs the probes.

mod candidate;
mod outcome;
mod reproducer;
mod search;

pub use candidate::Candidate;
pub use outcome::{Came, Sameness, Times};
pub use reproducer::{Reproducer, reproducer};
pub use search::{Shrunk, Trial, shrink};
