//! What to run where: whether a model fits a logical device, in which modes, which model goes on which device, and what
//! to use there. Exact in bytes, and pure.

mod allocate;
mod config;
mod device;
mod dtype;
mod modes;
mod need;
mod recipe;
mod shape;
mod share;
mod wish;

pub use allocate::{Allocation, Placed, Refused, Slot, allocate};
pub use config::{ConfigError, from_config};
pub use device::{Device, Devices, Used, alloc_mode, devices, modes};
pub use dtype::{Dtype, KvDtype, UnknownDtype};
pub use modes::{ModeFit, Room, Sizes, measured_slots, mode_fits};
pub use need::{BLOCK_TOKENS, Need, RESERVE};
pub use recipe::{EnvPrefix, NoUuid, Recipe, Selector, Style};
pub use shape::{Known, Numbers, Shape, ShapeError};
pub use share::{Share, ShareError};
pub use wish::{ModelSpec, ModelSpecError, Wish, instances, tokens};

#[cfg(test)]
mod samples;
