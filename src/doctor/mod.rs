//! What this machine is, what can be done with it, and what stands in the way. Pure: readings in, a diagnosis out.

mod abilities;
mod diagnosis;
mod environment;
mod gpus;
mod obstacle;
mod obstacles;
mod tool;

pub use abilities::{Abilities, Ability};
pub use diagnosis::{DIAGNOSIS_SCHEMA, Diagnosis, DriverSummary, Holder, diagnose};
pub use environment::{Caller, DeviceFilters, Environment, RocmRelease, Unkillable};
pub use gpus::GpuSummary;
pub use obstacle::{Obstacle, Weight};
pub use tool::{ToolState, Trouble};

#[cfg(test)]
mod tests;
