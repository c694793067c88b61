//! The HIP runtime of the real machine, asked by a child.

use std::path::Path;

use crate::process::{Outcome, Spec};
use crate::witness::Call;

/// The hidden command of `validate` that loads the runtime.
pub const HIP_WITNESS: &str = "hip-witness";

/// The child, by the executable of `validate`. It has no `ROCR_VISIBLE_DEVICES`, `HIP_VISIBLE_DEVICES` or other
/// variable by which its caller could hide devices.
pub fn hip_witness(program: &Path) -> Spec {
    let inherit = ["PATH", "HOME", "LD_LIBRARY_PATH", "ROCM_PATH"];
    Spec {
        args: vec![HIP_WITNESS.into()],
        inherit: inherit.iter().map(|&name| name.to_owned()).collect(),
        env: vec![("LC_ALL".into(), "C.UTF-8".into())],
        ..Spec::new(program)
    }
}

/// What came of the child, as a witness reads it.
pub fn hip_call(outcome: Outcome) -> Call {
    Call {
        args: vec![HIP_WITNESS.to_owned()],
        ended: outcome.ended,
        stdout: outcome.stdout,
        stderr: outcome.stderr,
        took: outcome.took,
    }
}
