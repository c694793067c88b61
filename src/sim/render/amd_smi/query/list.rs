//! `amd-smi list`, with `-e`.

use crate::sim::render::amd_smi::{Context, Response};

/// Prints the devices; `enumeration` adds render node, card, HSA and HIP ids.
pub fn render(_ctx: &Context<'_>, _enumeration: bool) -> Response {
    todo!()
}
