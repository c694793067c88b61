//! `amd-smi static`.

use crate::sim::render::amd_smi::{Context, Response};

/// Which sections were asked for. None at all means every section that the tool prints unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct StaticSections {
    /// `-a`, `--asic`.
    pub asic: bool,
    /// `-b`, `--bus`.
    pub bus: bool,
    /// `-V`, `--vbios` (`-I`, `--ifwi`).
    pub vbios: bool,
    /// `-d`, `--driver`.
    pub driver: bool,
    /// `-B`, `--board`.
    pub board: bool,
    /// `-v`, `--vram`.
    pub vram: bool,
    /// `-p`, `--partition`.
    pub partition: bool,
}

/// Prints the chosen sections of each chosen device.
pub fn render(_ctx: &Context<'_>, _sections: StaticSections) -> Response {
    todo!()
}
