//! Scenario files: what they say, where they are, and the cases that they multiply into.

mod case;
mod level;
mod nearest;
mod pattern;
mod version_req;

pub use case::{Applies, Axis, Case, Check, MachineRef, Origin, Scenario, Simulate, Step};
pub use level::{Level, UnknownLevel};
pub use nearest::nearest;
pub use pattern::{Pattern, PatternError};
pub use version_req::{VersionReq, VersionReqError};
