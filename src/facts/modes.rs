//! Which compute and memory partitions go together, and where the driver starts.

use crate::domain::{ComputeMode, KernelRules, MemoryMode};

use super::combos::{Firmware, combo};
use super::parts::Part;

/// Whether a pair of modes can be in force on a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Legality {
    /// The kernel allows it, and firmware is known to offer the memory mode.
    Legal,
    /// The kernel allows it; firmware is not known to offer the memory mode on every machine with this part.
    NotOffered {
        /// What it is known to offer.
        offered: Vec<MemoryMode>,
        /// What is known of this pair: only on newer firmware, only by BIOS, not at all, or nothing.
        firmware: Firmware,
    },
    /// The kernel refuses it.
    Illegal {
        /// Which rule refuses it.
        why: String,
    },
}

/// Judges a pair by the kernel's rules and the firmware's known offers, for a physical function.
///
/// Source: facts/partitions.md 2.1, 2.2 and 2.4 [C]; the firmware's offers are those of 2.3.
pub fn legality(part: &Part, compute: ComputeMode, memory: MemoryMode, rules: KernelRules) -> Legality {
    if let Err(why) = kernel_allows(part, compute, memory, rules) {
        return Legality::Illegal { why };
    }
    if part.memory_modes.contains(&memory) {
        return Legality::Legal;
    }
    let firmware = combo(&part.id, compute, memory).map_or(Firmware::Unknown, |known| known.firmware);
    Legality::NotOffered { offered: part.memory_modes.clone(), firmware }
}

/// Whether the kernel's rules allow a pair on a part, whatever its firmware offers; for a physical function.
///
/// # Errors
/// The rule that refuses it.
pub fn kernel_allows(part: &Part, compute: ComputeMode, memory: MemoryMode, rules: KernelRules) -> Result<(), String> {
    if !part.partitionable {
        return Err(format!("{} has no partitions", part.id));
    }
    let modes = part.compute_modes();
    if !modes.contains(&compute) {
        let names: Vec<_> = modes.iter().map(|mode| mode.name()).collect();
        return Err(format!("{} has {} XCCs: {} only, no {compute}", part.id, part.xccs, names.join(", ")));
    }
    let allowed = match rules {
        KernelRules::First | KernelRules::Rock => by_range_count(part, compute, memory_ranges(part, memory)),
        KernelRules::Mask2025 | KernelRules::Latest => by_mask(part, compute, rules).contains(&memory),
    };
    if allowed { Ok(()) } else { Err(format!("the kernel does not allow {compute} with {memory} on {}", part.gfx)) }
}

/// Memory ranges that the driver makes: the mode's number, but 3 for NPS4 on the APU, whose fourth IO die carries no
/// XCC. Source: facts/partitions.md 2.2 and 3.4 [C].
pub const fn memory_ranges(part: &Part, memory: MemoryMode) -> u32 {
    match memory {
        MemoryMode::Nps4 if part.apu => 3,
        MemoryMode::Nps1
        | MemoryMode::Nps2
        | MemoryMode::Nps3
        | MemoryMode::Nps4
        | MemoryMode::Nps6
        | MemoryMode::Nps8 => memory.partitions(),
    }
}

/// Compute mode after the driver is loaded (AUTO), or `None` where the driver finds none. The driver does not check it
/// against the rules. Source: facts/partitions.md section 5; `__aqua_vanjaram_get_auto_mode` [C].
pub fn auto_mode(part: &Part, memory: MemoryMode, rules: KernelRules) -> Option<ComputeMode> {
    if !part.partitionable {
        return None;
    }
    let ranges = memory_ranges(part, memory);
    let half = match rules {
        KernelRules::First => ComputeMode::Qpx,
        KernelRules::Rock | KernelRules::Mask2025 | KernelRules::Latest => ComputeMode::Cpx,
    };
    if ranges == 1 {
        Some(ComputeMode::Spx)
    } else if ranges == part.xccs {
        Some(ComputeMode::Cpx)
    } else if ranges == part.xccs / 2 {
        Some(if part.apu { ComputeMode::Tpx } else { half })
    } else if ranges == 2 && !part.apu {
        Some(ComputeMode::Dpx)
    } else {
        None
    }
}

/// Rules of the first kernels. Source: `__aqua_vanjaram_is_valid_mode`, torvalds/linux @d1c13e80 [C].
fn by_range_count(part: &Part, compute: ComputeMode, ranges: u32) -> bool {
    let xccs = part.xccs;
    match compute {
        ComputeMode::Spx => ranges == 1,
        // Only eight ranges were refused: DPX + NPS4 slipped through.
        ComputeMode::Dpx => ranges != 8 && xccs.is_multiple_of(4),
        ComputeMode::Tpx => matches!(ranges, 1 | 3) && xccs.is_multiple_of(3),
        ComputeMode::Qpx => matches!(ranges, 1 | 4) && xccs / 4 >= 2,
        ComputeMode::Cpx => xccs > 1 && matches!(ranges, 1 | 4) && xccs.is_multiple_of(ranges),
    }
}

/// Rules since 2025. Source: `__aqua_vanjaram_get_px_mode_info`, ROCm/amdgpu @1fb20f11 [C].
fn by_mask(part: &Part, compute: ComputeMode, rules: KernelRules) -> &'static [MemoryMode] {
    use MemoryMode::{Nps1, Nps2, Nps4};
    // Before 389d79a NPS2 + CPX was for virtual functions only.
    let nps2 = part.gfx == "gfx950" && rules == KernelRules::Latest;
    match compute {
        ComputeMode::Spx => &[Nps1],
        ComputeMode::Dpx => &[Nps1, Nps2],
        ComputeMode::Tpx => &[Nps1, Nps4],
        ComputeMode::Qpx | ComputeMode::Cpx if nps2 => &[Nps1, Nps2, Nps4],
        ComputeMode::Qpx | ComputeMode::Cpx => &[Nps1, Nps4],
    }
}

#[cfg(test)]
mod tests {
    use super::super::part;
    use super::*;
    use ComputeMode::{Cpx, Dpx, Qpx, Spx, Tpx};
    use KernelRules::{First, Latest, Mask2025, Rock};
    use MemoryMode::{Nps1, Nps2, Nps4, Nps8};

    /// `legal`, `illegal`, or what is known of the firmware.
    fn judged(name: &str, compute: ComputeMode, memory: MemoryMode, rules: KernelRules) -> String {
        match legality(part(name).unwrap(), compute, memory, rules) {
            Legality::Legal => "legal".into(),
            Legality::NotOffered { firmware, .. } => firmware.to_string(),
            Legality::Illegal { .. } => "illegal".into(),
        }
    }

    #[test]
    fn pairs_follow_the_newest_kernel_and_the_firmware() {
        for (name, compute, memory, expected) in [
            ("mi300x", Spx, Nps1, "legal"),
            ("mi300x", Qpx, Nps4, "legal"),
            ("mi300x", Cpx, Nps4, "legal"),
            ("mi300x", Dpx, Nps2, "newer firmware offers it"),
            ("mi300x", Spx, Nps4, "illegal"),
            ("mi300x", Dpx, Nps4, "illegal"),
            ("mi300x", Cpx, Nps2, "illegal"),
            ("mi300x", Tpx, Nps1, "illegal"),
            ("mi300x", Cpx, Nps8, "illegal"),
            ("mi300a", Tpx, Nps1, "legal"),
            ("mi300a", Tpx, Nps4, "the BIOS sets it at boot only"),
            ("mi300a", Dpx, Nps1, "illegal"),
            ("mi300a", Qpx, Nps1, "illegal"),
            ("mi308x", Cpx, Nps4, "legal"),
            ("mi308x", Qpx, Nps1, "illegal"),
            ("mi308x", Dpx, Nps2, "nobody has shown that firmware offers it"),
            ("mi325x", Cpx, Nps4, "nobody has shown that firmware offers it"),
            ("mi350x", Cpx, Nps2, "legal"),
            ("mi350x", Cpx, Nps4, "firmware does not offer it"),
            ("mi355x", Dpx, Nps2, "legal"),
            ("mi250x", Spx, Nps1, "illegal"),
            ("rx6800xt", Spx, Nps1, "illegal"),
        ] {
            assert_eq!(judged(name, compute, memory, Latest), expected, "{name} {compute}/{memory}");
        }
    }

    #[test]
    fn kernel_generations_disagree_where_the_sources_say_so() {
        for (name, compute, memory, allowed) in [
            ("mi300x", Dpx, Nps4, [true, true, false, false]),
            ("mi308x", Dpx, Nps4, [true, true, false, false]),
            ("mi300x", Dpx, Nps8, [false; 4]),
            ("mi300x", Qpx, Nps4, [true; 4]),
            ("mi300x", Cpx, Nps2, [false; 4]),
            ("mi350x", Cpx, Nps2, [false, false, false, true]),
            ("mi350x", Qpx, Nps2, [false, false, false, true]),
            ("mi350x", Dpx, Nps2, [true; 4]),
            ("mi300a", Tpx, Nps4, [true; 4]),
            ("mi300a", Cpx, Nps4, [false, false, true, true]),
            ("mi300a", Tpx, Nps2, [false; 4]),
            ("mi300x", Spx, Nps2, [false; 4]),
        ] {
            let found = [First, Rock, Mask2025, Latest]
                .map(|rules| kernel_allows(part(name).unwrap(), compute, memory, rules).is_ok());
            assert_eq!(found, allowed, "{name} {compute}/{memory}");
        }
    }

    #[test]
    fn the_driver_starts_where_its_auto_mode_says() {
        for (name, memory, first, latest) in [
            ("mi300x", Nps1, Some(Spx), Some(Spx)),
            ("mi300x", Nps2, Some(Dpx), Some(Dpx)),
            ("mi300x", Nps4, Some(Qpx), Some(Cpx)),
            ("mi308x", Nps2, Some(Qpx), Some(Cpx)),
            ("mi308x", Nps4, Some(Cpx), Some(Cpx)),
            ("mi350x", Nps2, Some(Dpx), Some(Dpx)),
            ("mi300a", Nps1, Some(Spx), Some(Spx)),
            ("mi300a", Nps4, Some(Tpx), Some(Tpx)),
            ("mi300a", Nps2, None, None),
            ("mi300x", Nps8, Some(Cpx), Some(Cpx)),
            ("rx5700xt", Nps1, None, None),
        ] {
            let part = part(name).unwrap();
            assert_eq!(auto_mode(part, memory, First), first, "{name} {memory}, first kernels");
            for rules in [Rock, Mask2025, Latest] {
                assert_eq!(auto_mode(part, memory, rules), latest, "{name} {memory}, {rules:?}");
            }
        }
    }
}
