//! `amd-smi version`.

use crate::sim::render::amd_smi::{Context, Response};

/// Which driver versions `version` shows (25.x and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VersionArgs {
    /// `-g`: the amdgpu driver.
    pub gpu_driver: bool,
    /// `-c`: the CPU driver.
    pub cpu_driver: bool,
}

/// Prints the tool's, the library's and the drivers' versions.
pub fn render(_ctx: &Context<'_>, _args: VersionArgs) -> Response {
    todo!()
}
