//! `amd-smi` without a subcommand, and `amd-smi default` (26.0 and later).

use crate::sim::render::amd_smi::{Context, Response};

/// Prints the overview of the whole machine.
pub fn render(_ctx: &Context<'_>) -> Response {
    todo!()
}
