//! Partition commands, the deciding part: which GPUs are meant, whether modes are as asserted. Pure: what
//! changes a machine is elsewhere.

mod assertion;
mod choice;

pub use assertion::{Asserted, Difference, Expected, assert_modes};
pub use choice::{Choice, NoSuchGpu, chosen};

#[cfg(test)]
mod samples;
