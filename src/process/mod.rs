//! Runs one child process and says exactly how it ended: own process group, deadline, output cap, cancellation, and a
//! kill ladder that never waits for ever. The only module that starts processes.

mod cancel;
mod pipes;
mod spec;
mod supervise;

pub use cancel::Cancel;
pub use spec::{Clocks, Heard, Limits, Outcome, Spec};
pub use supervise::{run, run_listening};

#[cfg(test)]
mod tests;
