//! How far a reading may be from its expectation, and why.

use crate::domain::{Bytes, Confidence, Source};

use super::entry::Entry;

/// The deviations that are allowed; see [`TOLERANCES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// KFD's total of a device against the formula over the GPU's own sum.
    pub kfd_exact: Bytes,
    /// Any total against the nominal size: at least this.
    pub nominal: Bytes,
    /// Any total against the nominal size: one part in this many, if that is more.
    pub nominal_part: u64,
    /// HIP's free memory at idle: percent of the total, at least.
    pub hip_free_percent: u64,
}

/// The tolerances in force. Never 10 %: it hides a wrong reservation and, in the classes of 36, 32 and 24 GiB, is close
/// to a step between classes. Source: facts/partitions.md 3.6 [C].
pub const TOLERANCES: Tolerance =
    Tolerance { kfd_exact: Bytes::PAGE, nominal: Bytes(16 << 20), nominal_part: 1000, hip_free_percent: 95 };

/// The tolerances as an entry.
pub(super) fn tolerance_entry() -> Entry {
    let Tolerance { kfd_exact, nominal, nominal_part, hip_free_percent } = TOLERANCES;
    Entry {
        id: "fact.tolerance".into(),
        title: "How far memory may be from its expectation".into(),
        what: format!(
            "KFD against the formula over the GPU's own sum: {kfd_exact}. Against nominal: the larger of {nominal} and \
             1/{nominal_part}. HIP free at idle: at least {hip_free_percent} % of the total, never equality."
        ),
        why:
            "The only deterministic deviation is 16 MiB, carried whole by the last memory partition. 10 % would hide a \
              wrong divisor."
                .into(),
        source: Source { cite: "facts/partitions.md 3.6".into(), confidence: Confidence::Certain },
        what_to_do: "A whole-GPU size on partition 0 through amd-smi is a warning, not a failure.".into(),
        see: vec!["contradiction.approx-10-percent".into(), "fact.memory-formula".into(), "bug.ROCm-4750".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::super::nominal_tolerance;
    use super::*;

    #[test]
    fn the_nominal_tolerance_is_the_larger_of_the_two() {
        for gib in [1, 16, 24, 192, 288] {
            let size = Bytes(gib << 30);
            let expected = TOLERANCES.nominal.max(Bytes(size.0 / TOLERANCES.nominal_part));
            assert_eq!(nominal_tolerance(size), expected);
        }
    }
}
