//! A part of one device's memory, as vLLM's `--gpu-memory-utilization` has it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::Bytes;

/// A fraction of a device's total memory: more than 0, at most 1, in steps of 1/10000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u16);

/// The text is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fraction above 0 and at most 1, with at most four decimals, like 0.92")]
pub struct ShareError(String);

impl Share {
    const WHOLE: u16 = 10_000;

    /// What vLLM takes by default. Source: facts/partitions.md section 8 (`vllm/config/cache.py` @002f10e0) [C]; older
    /// releases take 0.9.
    pub const DEFAULT: Self = Self(9200);

    /// The bytes that vLLM may use of a device with this total: rounded up, as it does.
    pub fn budget(self, total: Bytes) -> Bytes {
        let exact = u128::from(total.0) * u128::from(self.0);
        // At most the total, which fits.
        Bytes(u64::try_from(exact.div_ceil(u128::from(Self::WHOLE))).unwrap_or(total.0))
    }

    /// More than an idle device has free. Source: facts/partitions.md section 8 [L].
    pub const fn at_least_98_percent(self) -> bool {
        self.0 >= 9800
    }

    /// The smallest share whose budget holds `need`; `None` when the whole device does not.
    pub fn smallest(total: Bytes, need: Bytes) -> Option<Self> {
        if need > total || total.0 == 0 {
            return None;
        }
        // A budget is rounded up, so it holds `need` as soon as the exact product passes `need - 1`.
        let below = u128::from(need.0.saturating_sub(1)) * u128::from(Self::WHOLE) / u128::from(total.0);
        u16::try_from(below + 1).ok().filter(|&parts| parts <= Self::WHOLE).map(Self)
    }

    /// The largest share whose budget stays within `limit`; `None` when not even the smallest does.
    pub fn largest(total: Bytes, limit: Bytes) -> Option<Self> {
        if total.0 == 0 {
            return None;
        }
        let parts = u128::from(limit.0) * u128::from(Self::WHOLE) / u128::from(total.0);
        let parts = u16::try_from(parts).unwrap_or(Self::WHOLE).min(Self::WHOLE);
        (parts > 0).then_some(Self(parts))
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let fail = || ShareError(text.chars().take(40).collect());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() > 1 || decimals.len() > 4 || !digits(whole) || !digits(decimals) {
            return Err(fail());
        }
        format!("{whole:0<1}{decimals:0<4}")
            .parse()
            .ok()
            .filter(|parts| (1..=Self::WHOLE).contains(parts))
            .map(Self)
            .ok_or_else(fail)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:04}", self.0 / Self::WHOLE, self.0 % Self::WHOLE);
        let short = text.trim_end_matches('0');
        // Two decimals at least: 0.90 reads as a fraction, and 1.00 is no whole number.
        f.pad(if short.len() < 4 { &text[..4] } else { short })
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_reads_and_shows_its_decimals() {
        for (text, shown) in
            [("0.92", "0.92"), (".5", "0.50"), ("0.9", "0.90"), ("1", "1.00"), ("1.0", "1.00"), ("0.8731", "0.8731")]
        {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), shown);
        }
        for text in ["", ".", "0", "0.0", "1.1", "2", "-0.5", "0.12345", "0.9x", "+.9", "١", "10", "0,9", "NaN", "1e-1"]
        {
            assert!(text.parse::<Share>().is_err(), "{text:?}");
        }
        assert_eq!(Share::DEFAULT.to_string(), "0.92");
    }

    #[test]
    fn a_budget_is_rounded_up_as_vllm_does() {
        // 24 GiB at 0.92: facts/partitions.md section 8 has 22.1 GiB.
        assert_eq!(Share::DEFAULT.budget(Bytes(24 << 30)), Bytes(23_708_219_474));
        assert_eq!(Share::DEFAULT.budget(Bytes(u64::MAX)).0, 16_971_004_547_812_787_486);
        assert_eq!(Share::DEFAULT.budget(Bytes(1)), Bytes(1));
    }

    proptest! {
        #[test]
        fn the_smallest_share_holds_the_need_and_the_one_below_does_not(total in 1_u64.., need in any::<u64>()) {
            let (total, need) = (Bytes(total), Bytes(need));
            match Share::smallest(total, need) {
                Some(share) => {
                    prop_assert!(share.budget(total) >= need);
                    prop_assert!(share.0 == 1 || Share(share.0 - 1).budget(total) < need);
                }
                None => prop_assert!(need > total),
            }
        }

        #[test]
        fn the_largest_share_stays_within_its_limit(total in 1_u64.., limit in any::<u64>()) {
            let (total, limit) = (Bytes(total), Bytes(limit));
            if let Some(share) = Share::largest(total, limit) {
                prop_assert!(share.budget(total) <= limit);
                prop_assert!(share.0 == Share::WHOLE || Share(share.0 + 1).budget(total) > limit);
            } else {
                prop_assert!(Share(1).budget(total) > limit);
            }
        }
    }
}
