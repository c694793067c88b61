//! A host: where everything that a check reads comes from. Simulated and recorded hosts are directories of the same
//! shape as the real machine, so that one code path leads from reading to verdict.

mod error;
mod excerpt;
mod file;
mod hip;
mod kmsg;
mod manifest;
mod open;
mod previous_boot;
mod real;
pub mod record;
pub mod recorded;
pub mod simulated;

pub use error::HostError;
pub use file::{HOST_FILE, HOST_SCHEMA, HostFile, HostKind};
pub use hip::{HIP_WITNESS, hip_call, hip_witness};
pub use manifest::{MANIFEST_FILE, MANIFEST_SCHEMA};
pub use open::{Asking, HOST_VARIABLE, Host};
pub use previous_boot::previous_boot;

use crate::witness::tree::Tree;

/// Text of one file of a host directory.
fn read_text(tree: &Tree, path: &str, limit: usize) -> Result<String, HostError> {
    let bytes = tree.read(path, limit)?;
    String::from_utf8(bytes).map_err(|error| HostError::malformed(path, error))
}
