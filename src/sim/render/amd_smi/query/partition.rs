//! `amd-smi partition`.

use crate::sim::render::amd_smi::{Context, Response};

/// Prints the chosen tables; with none chosen, all three.
pub fn render(_ctx: &Context<'_>, _current: bool, _memory: bool, _accelerator: bool) -> Response {
    todo!()
}
