//! Runs one child process and says exactly how it ended: own process group, deadline, output cap, cancellation, and a
//! kill ladder that never waits for ever. The only module that starts processes.

mod cancel;
mod pipes;
mod spec;
mod supervise;

pub use cancel::Cancel;
pub use spec::{Limits, Outcome, Spec};
pub use supervise::run;

#[cfg(test)]
mod tests;
