//! What somebody set on a machine, and what comes of it: kernel parameters, the environment, and whether torch, ROCm, the
//! GPU and the kernel go together. Pure: readings and facts in, verdicts out.

mod asks;
mod bootloader;
mod environment;
mod ground;
mod in_force;
mod loaded;
mod pairing;
mod proposal;
mod standing;

pub use asks::{Ask, Asks, asks};
pub use bootloader::{bootloader_lines, bootloader_undo};
pub use environment::{Isa, Setting, Trait, effective_isa, effective_isas, settings, shown};
pub use ground::{Ground, gfx_name};
pub use in_force::InForce;
pub use loaded::{Build, Loaded, loaded};
pub use pairing::{Fit, FitKind, Stack, fits};
pub use proposal::{Comes, Proposal, proposed_parameters, proposed_variables};
pub use standing::{Effect, Ineffective, Standing, repeated, standing, standings};
