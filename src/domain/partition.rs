//! Compute and memory partition modes, by AMD's names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the XCCs of one GPU are grouped into logical devices.
///
/// Order is the kernel's (`amdgpu_xcp.h`): SPX 0, DPX 1, TPX 2, QPX 3, CPX 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ComputeMode {
    /// One device with all XCCs.
    Spx,
    /// Two devices.
    Dpx,
    /// Three devices; only parts with 6 XCCs (MI300A).
    Tpx,
    /// Four devices; only parts with 8 XCCs.
    Qpx,
    /// One device for each XCC.
    Cpx,
}

impl ComputeMode {
    /// Every mode, in the kernel's order.
    pub const ALL: [Self; 5] = [Self::Spx, Self::Dpx, Self::Tpx, Self::Qpx, Self::Cpx];

    /// AMD's name, upper case: `SPX`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spx => "SPX",
            Self::Dpx => "DPX",
            Self::Tpx => "TPX",
            Self::Qpx => "QPX",
            Self::Cpx => "CPX",
        }
    }

    /// Logical devices that one GPU with `xccs` XCCs shows in this mode.
    /// Source: facts/partitions.md section 4 [C].
    pub const fn devices(self, xccs: u32) -> u32 {
        match self {
            Self::Spx => 1,
            Self::Dpx => 2,
            Self::Tpx => 3,
            Self::Qpx => 4,
            Self::Cpx => xccs,
        }
    }
}

/// How the memory of one GPU is interleaved: NPS*n* makes *n* memory partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum MemoryMode {
    /// One memory partition.
    Nps1,
    /// Two memory partitions.
    Nps2,
    /// A name the kernel knows; no product is known to offer it.
    Nps3,
    /// Four memory partitions.
    Nps4,
    /// A name the kernel knows; no product is known to offer it.
    Nps6,
    /// Offered by some firmware; no compute mode is legal with it.
    Nps8,
}

impl MemoryMode {
    /// Every mode the kernel has a name for.
    pub const ALL: [Self; 6] = [Self::Nps1, Self::Nps2, Self::Nps3, Self::Nps4, Self::Nps6, Self::Nps8];

    /// AMD's name, upper case: `NPS4`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nps1 => "NPS1",
            Self::Nps2 => "NPS2",
            Self::Nps3 => "NPS3",
            Self::Nps4 => "NPS4",
            Self::Nps6 => "NPS6",
            Self::Nps8 => "NPS8",
        }
    }

    /// Number of memory partitions.
    pub const fn partitions(self) -> u32 {
        match self {
            Self::Nps1 => 1,
            Self::Nps2 => 2,
            Self::Nps3 => 3,
            Self::Nps4 => 4,
            Self::Nps6 => 6,
            Self::Nps8 => 8,
        }
    }
}

/// How much of its memory partition one logical device may allocate (`compute_partition_mem_alloc_mode`).
/// Source: facts/partitions.md 3.5 (amdsmi PR5147; amd-gfx, Feb 2026).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum AllocMode {
    /// What it reports and no more: the policy of every driver without the file.
    #[default]
    Capping,
    /// All of the memory partition that it shares with others, without protection against over-commit.
    All,
}

impl AllocMode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Capping, Self::All];

    /// AMD's name, upper case: `CAPPING`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capping => "CAPPING",
            Self::All => "ALL",
        }
    }
}

/// The text names no partition mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a partition mode (known: {known})")]
pub struct UnknownMode {
    text: String,
    known: String,
}

fn parse<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, UnknownMode> {
    all.iter().copied().find(|&mode| name(mode).eq_ignore_ascii_case(text)).ok_or_else(|| UnknownMode {
        text: text.chars().take(40).collect(),
        known: all.iter().map(|&mode| name(mode)).collect::<Vec<_>>().join(", "),
    })
}

impl FromStr for ComputeMode {
    type Err = UnknownMode;
    /// Any case is accepted, as the tool accepts it.
    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        parse(text, &Self::ALL, Self::name)
    }
}

impl FromStr for MemoryMode {
    type Err = UnknownMode;
    /// Any case is accepted, as the tool accepts it.
    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        parse(text, &Self::ALL, Self::name)
    }
}

impl FromStr for AllocMode {
    type Err = UnknownMode;
    /// Any case is accepted, as the tool accepts it.
    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        parse(text, &Self::ALL, Self::name)
    }
}

impl fmt::Display for AllocMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for ComputeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for MemoryMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_in_any_case() {
        for mode in ComputeMode::ALL {
            assert_eq!(mode.name().to_lowercase().parse(), Ok(mode));
        }
        for mode in MemoryMode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode));
        }
        for mode in AllocMode::ALL {
            assert_eq!(mode.name().to_lowercase().parse(), Ok(mode));
        }
        assert!("NPS5".parse::<MemoryMode>().is_err());
        assert!("".parse::<ComputeMode>().is_err());
    }

    #[test]
    fn device_counts_follow_the_xcc_count() {
        let counts = |xccs| ComputeMode::ALL.map(|mode| mode.devices(xccs));
        assert_eq!(counts(8), [1, 2, 3, 4, 8]);
        assert_eq!(counts(6)[4], 6);
        assert_eq!(MemoryMode::ALL.map(MemoryMode::partitions), [1, 2, 3, 4, 6, 8]);
    }
}
