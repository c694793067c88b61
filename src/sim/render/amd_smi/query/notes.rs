//! What the library says beside the answer.

use crate::domain::ToolVersion;
use crate::sim::View;
use crate::sim::render::amd_smi::dialect::Dialect;

use super::device::{Mode, Seen, compute_mode};

/// The library's line for a mode that it could not read.
const READ_FAILED: &str = "Exception caught: map::at\n";

/// What every call prints on stderr while the library starts: 24.x reads the compute mode of each GPU.
pub fn start_notes(view: &View, tool: ToolVersion) -> String {
    if !Dialect::of(tool).reads_modes_at_start {
        return String::new();
    }
    let failed = |files: &crate::sim::PartitionFiles| compute_mode(&files.current_compute) == Mode::Failed;
    READ_FAILED.repeat(view.gpus.iter().filter(|gpu| gpu.partition.as_ref().is_some_and(failed)).count())
}

/// One line for each of these modes that could not be read.
pub fn of_modes(modes: &[&Mode]) -> String {
    READ_FAILED.repeat(modes.iter().filter(|mode| ***mode == Mode::Failed).count())
}

/// 24.x on stdout: it looks for the link below a card whose name it could not find out.
pub fn of_link(seen: &Seen<'_>) -> &'static str {
    if seen.dialect.bus_without_drm || seen.drm {
        ""
    } else {
        "Failed to open file: /sys/class/drm//device/max_link_width \n"
    }
}
