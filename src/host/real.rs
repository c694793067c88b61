//! The real machine's `amd-smi`.

use crate::process::Spec;

/// The tool from PATH, with what it needs of the environment: where its library and its Python are, and the C locale, so
/// that it never translates or recodes what the parser reads.
pub(super) fn amd_smi() -> Spec {
    let inherit = ["PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH", "ROCM_PATH"];
    Spec {
        inherit: inherit.iter().map(|&name| name.to_owned()).collect(),
        env: vec![("LC_ALL".into(), "C.UTF-8".into())],
        ..Spec::new("amd-smi")
    }
}
