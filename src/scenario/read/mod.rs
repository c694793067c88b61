//! From the text of a scenario file to its cases, or to everything that is wrong with it.

mod applies;
mod axes;
mod case;
mod check;
mod demand;
mod file;
mod header;
mod probe;
mod problems;
mod simulate;
mod step;
mod tuning;
mod values;

pub(super) use file::too_large;
pub use file::{MachineFiles, SIZE_LIMIT, read};
use problems::Problems;

#[cfg(test)]
pub(super) use {
    applies::APPLIES_KEYS, case::OBSERVE_KEYS, check::parameters, file::TOP_KEYS, probe::PROBE_KEYS,
    simulate::SIMULATE_KEYS, step::STEP_KEYS, tuning::TUNING_KEYS,
};
