//! Scenario files: what they say, where they are, and the cases that they multiply into.

mod case;
mod diagnostic;
mod discover;
mod level;
mod nearest;
mod pattern;
mod probe;
mod read;
mod schema;
mod tree;
mod version_req;
mod words;

pub use case::{Applies, Axis, Case, Check, MachineRef, Origin, Scenario, Simulate, Step};
pub use diagnostic::Diagnostic;
pub use discover::{LoadError, load};
pub use level::{Level, UnknownLevel};
pub use nearest::nearest;
pub use pattern::{Pattern, PatternError};
pub use probe::ProbeStep;
pub use read::{MachineFiles, SIZE_LIMIT, read};
pub use schema::schema;
pub use version_req::{VersionReq, VersionReqError};
