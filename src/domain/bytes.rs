//! A size in bytes, so that MiB that a tool calls "MB" cannot be added to it by mistake.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of bytes. Reports show MiB or GiB (powers of two) and say so.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// One page of the kernel's accounting, 4 KiB.
    pub const PAGE: Self = Self(4096);

    /// From MiB; `None` when it does not fit.
    pub fn from_mib(mib: u64) -> Option<Self> {
        mib.checked_mul(1 << 20).map(Self)
    }

    /// From GiB; `None` when it does not fit.
    pub fn from_gib(gib: u64) -> Option<Self> {
        gib.checked_mul(1 << 30).map(Self)
    }

    /// Whole MiB, rounded down: what `amd-smi` prints and calls "MB".
    pub const fn mib(self) -> u64 {
        self.0 >> 20
    }

    /// Distance between two sizes.
    pub const fn abs_diff(self, other: Self) -> Self {
        Self(self.0.abs_diff(other.0))
    }
}

impl fmt::Display for Bytes {
    /// `196592 MiB`, with up to three decimals when it is not whole, or bytes below one MiB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1 << 20;
        if self.0 < MIB {
            return write!(f, "{} bytes", self.0);
        }
        if self.0.is_multiple_of(MIB) {
            return write!(f, "{} MiB", self.0 / MIB);
        }
        write!(f, "{}.{:03} MiB", self.0 / MIB, (self.0 % MIB) * 1000 / MIB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_binary_units() {
        assert_eq!(Bytes(206_141_652_992).to_string(), "196592 MiB");
        assert_eq!(Bytes((24_574 << 20) + 512 * 1024).to_string(), "24574.500 MiB");
        assert_eq!(Bytes(512).to_string(), "512 bytes");
        assert_eq!([Bytes((1 << 20) - 1), Bytes(1 << 20)].map(|size| size.to_string()), ["1048575 bytes", "1 MiB"]);
        assert_eq!(Bytes::from_mib(u64::MAX), None);
        assert_eq!(Bytes::from_gib(192).map(Bytes::mib), Some(196_608));
    }
}
