//! Which compute modes the driver accepts with which memory mode, and which it chooses by itself.
//! Source: facts/partitions.md sections 2.1, 2.2 and 5 (`__aqua_vanjaram_get_px_mode_info`, AQ-latest) [C].

use crate::domain::{ComputeMode, KernelRules, MemoryMode};
use crate::facts::{Legality, Part, legality};

/// Whether the newest driver accepts this pair on this part: the kernel's mask and what the part's firmware offers.
pub fn accepts(part: &Part, compute: ComputeMode, memory: MemoryMode) -> bool {
    legality(part, compute, memory, KernelRules::Latest) == Legality::Legal
}

/// Compute modes that the driver lists in `available_compute_partition` while `memory` is in force.
pub fn available(part: &Part, memory: MemoryMode) -> Vec<ComputeMode> {
    part.compute_modes().iter().copied().filter(|&compute| accepts(part, compute, memory)).collect()
}

/// Memory modes that go with `compute`: `supported_nps_configs` of its profile.
pub fn memory_caps(part: &Part, compute: ComputeMode) -> Vec<MemoryMode> {
    part.memory_modes.iter().copied().filter(|&memory| accepts(part, compute, memory)).collect()
}

/// The compute mode after a driver load (`amdgpu.user_partt_mode` is AUTO).
pub fn auto(part: &Part, memory: MemoryMode) -> ComputeMode {
    let wanted = match memory {
        MemoryMode::Nps1 => ComputeMode::Spx,
        MemoryMode::Nps2 if part.xccs == 4 => ComputeMode::Cpx,
        MemoryMode::Nps2 => ComputeMode::Dpx,
        MemoryMode::Nps4 if part.xccs == 6 => ComputeMode::Tpx,
        MemoryMode::Nps3 | MemoryMode::Nps4 | MemoryMode::Nps6 | MemoryMode::Nps8 => ComputeMode::Cpx,
    };
    if accepts(part, wanted, memory) { wanted } else { available(part, memory).first().copied().unwrap_or(wanted) }
}

/// `SPX, DPX`: how the driver joins names in its files.
pub fn list<T: ToString>(modes: &[T]) -> String {
    modes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::part;

    #[test]
    fn available_modes_follow_the_memory_mode_and_the_part() {
        for (name, memory, expected, default) in [
            ("mi300x", MemoryMode::Nps1, "SPX, DPX, QPX, CPX", ComputeMode::Spx),
            ("mi300x", MemoryMode::Nps4, "QPX, CPX", ComputeMode::Cpx),
            ("mi300a", MemoryMode::Nps1, "SPX, TPX, CPX", ComputeMode::Spx),
            ("mi308x", MemoryMode::Nps4, "CPX", ComputeMode::Cpx),
            ("mi355x", MemoryMode::Nps2, "DPX, QPX, CPX", ComputeMode::Dpx),
            ("mi355x", MemoryMode::Nps4, "", ComputeMode::Cpx),
            ("rx6600", MemoryMode::Nps1, "", ComputeMode::Spx),
        ] {
            let part = part(name).unwrap();
            assert_eq!(list(&available(part, memory)), expected, "{name} {memory}");
            assert_eq!(auto(part, memory), default, "{name} {memory}");
        }
    }
}
