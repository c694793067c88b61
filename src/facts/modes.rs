//! Which compute and memory partitions go together.

use crate::domain::{ComputeMode, KernelRules, MemoryMode};

use super::parts::Part;

/// Whether a pair of modes can be in force on a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Legality {
    /// The kernel allows it, and firmware is known to offer the memory mode.
    Legal,
    /// The kernel allows it; firmware is not known to offer the memory mode on this part.
    NotOffered {
        /// What it is known to offer.
        offered: Vec<MemoryMode>,
    },
    /// The kernel refuses it.
    Illegal {
        /// Which rule refuses it.
        why: String,
    },
}

/// Judges a pair by the kernel's rules and the firmware's known offers.
///
/// Source: facts/partitions.md 2.1, 2.2 and 2.4 (`__aqua_vanjaram_get_px_mode_info`, `amdgpu_xcp.c`) [C];
/// the firmware's offers are those of 2.3.
pub fn legality(part: &Part, compute: ComputeMode, memory: MemoryMode, rules: KernelRules) -> Legality {
    let illegal = |why: String| Legality::Illegal { why };
    if !part.partitionable {
        return illegal(format!("{} has no partitions", part.id));
    }
    if !part.compute_modes().contains(&compute) {
        return illegal(format!("{compute} needs another number of XCCs than the {} of {}", part.xccs, part.id));
    }
    if !allowed(part, compute, memory, rules) {
        return illegal(format!("the kernel does not allow {compute} with {memory} on {}", part.gfx));
    }
    if part.memory_modes.contains(&memory) {
        Legality::Legal
    } else {
        Legality::NotOffered { offered: part.memory_modes.clone() }
    }
}

fn allowed(part: &Part, compute: ComputeMode, memory: MemoryMode, rules: KernelRules) -> bool {
    use ComputeMode::{Cpx, Dpx, Qpx, Spx, Tpx};
    use MemoryMode::{Nps1, Nps2, Nps4, Nps8};
    let gfx950 = part.gfx == "gfx950";
    match rules {
        KernelRules::First | KernelRules::Rock => match compute {
            Spx => memory == Nps1,
            // Only eight ranges were refused: DPX + NPS4 slipped through.
            Dpx => memory != Nps8,
            Tpx => matches!(memory, Nps1 | MemoryMode::Nps3),
            Qpx | Cpx => matches!(memory, Nps1 | Nps4),
        },
        KernelRules::Mask2025 | KernelRules::Latest => match compute {
            Spx => memory == Nps1,
            Dpx => matches!(memory, Nps1 | Nps2),
            Tpx => matches!(memory, Nps1 | Nps4),
            // Bare metal: before 389d79a only virtual functions had NPS2 with QPX and CPX.
            Qpx | Cpx => matches!(memory, Nps1 | Nps4) || (memory == Nps2 && gfx950 && rules == KernelRules::Latest),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::part;
    use super::*;
    use ComputeMode::{Cpx, Dpx, Qpx, Spx, Tpx};
    use MemoryMode::{Nps1, Nps2, Nps4};

    #[test]
    fn pairs_follow_the_newest_kernel_and_the_firmware() {
        let legal = |name: &str, compute, memory| legality(part(name).unwrap(), compute, memory, KernelRules::Latest);
        for (name, compute, memory) in [
            ("mi300x", Spx, Nps1),
            ("mi300x", Qpx, Nps4),
            ("mi300x", Cpx, Nps4),
            ("mi300a", Tpx, Nps1),
            ("mi308x", Cpx, Nps4),
            ("mi350x", Cpx, Nps2),
            ("mi355x", Dpx, Nps2),
        ] {
            assert_eq!(legal(name, compute, memory), Legality::Legal, "{name} {compute}/{memory}");
        }
        for (name, compute, memory) in [
            ("mi300x", Spx, Nps4),
            ("mi300x", Dpx, Nps4),
            ("mi300x", Tpx, Nps1),
            ("mi300x", Cpx, Nps2),
            ("mi300a", Dpx, Nps1),
            ("mi308x", Qpx, Nps1),
            ("rx6800xt", Spx, Nps1),
        ] {
            assert!(matches!(legal(name, compute, memory), Legality::Illegal { .. }), "{name} {compute}/{memory}");
        }
        assert!(matches!(legal("mi350x", Cpx, Nps4), Legality::NotOffered { .. }));
    }

    #[test]
    fn older_kernels_let_dpx_with_nps4_through() {
        let mi300x = part("mi300x").unwrap();
        let judged = |rules| matches!(legality(mi300x, Dpx, Nps4, rules), Legality::Illegal { .. });
        assert!(!judged(KernelRules::First) && !judged(KernelRules::Rock));
        assert!(judged(KernelRules::Mask2025) && judged(KernelRules::Latest));
    }
}
