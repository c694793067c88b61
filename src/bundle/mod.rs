//! What goes into the archive of an upstream bug report: what failed, what it takes to see it again, and the evidence,
//! without what names a machine or a person. Pure: who calls reads the run and writes the archive.

mod addresses;
mod archive;
mod contents;
mod probes;
mod readme;
mod record;
mod redact;
mod secrets;
mod summary;

pub use archive::archive;
pub use contents::{Bundle, Known, LeftOut, bundle};
pub use record::{Evidence, Record};

/// Most bytes of one file of evidence.
pub const LARGEST_FILE: usize = 4 << 20;

/// Most bytes of all files together, before they are packed.
pub const LARGEST_BUNDLE: usize = 20 << 20;
