//! `validate hip-witness`: loads the HIP runtime and says what it shows. Hidden: a child of this program, so that a
//! runtime that crashes or hangs takes nothing else with it.
#![expect(clippy::disallowed_methods, reason = "where ROCm is installed is a matter of the environment")]

use std::path::PathBuf;

use crate::witness::hip::runtime;

/// One JSON document.
///
/// # Errors
/// It cannot be written as JSON.
pub fn run() -> Result<String, serde_json::Error> {
    let rocm = std::env::var_os("ROCM_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    let folders: Vec<PathBuf> =
        rocm.into_iter().chain([PathBuf::from("/opt/rocm")]).map(|rocm| rocm.join("lib")).collect();
    serde_json::to_string(&runtime::ask(&folders))
}
