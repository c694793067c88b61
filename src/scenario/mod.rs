//! Scenario files: what they say, where they are, and the cases that they multiply into.

mod case;
mod diagnostic;
mod discover;
mod level;
mod machines;
mod nearest;
mod pattern;
mod read;
mod tree;
mod version_req;
mod words;

pub use case::{Applies, Axis, Case, Check, MachineRef, Origin, Scenario, Simulate, Step};
pub use diagnostic::Diagnostic;
pub use discover::{LoadError, load};
pub use level::{Level, UnknownLevel};
pub use machines::machine_names;
pub use nearest::nearest;
pub use pattern::{Pattern, PatternError};
pub use read::{MachineFiles, SIZE_LIMIT, read};
pub use version_req::{VersionReq, VersionReqError};
