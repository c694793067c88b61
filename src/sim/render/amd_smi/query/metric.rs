//! `amd-smi metric`.

use crate::sim::render::amd_smi::{Context, Response};

/// Which sections were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetricSections {
    /// `-m`, `--mem-usage`.
    pub mem_usage: bool,
}

/// Prints the chosen sections of each chosen device.
pub fn render(_ctx: &Context<'_>, _sections: MetricSections) -> Response {
    todo!()
}
