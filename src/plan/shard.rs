//! One part of a selection, so that several machines can share it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Shard `index` of `count`, both from 1. Every case is in exactly one of the `count` shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shard {
    /// `slice:1/4`: the cases in plan order, cut into runs whose lengths differ by at most one.
    Slice {
        /// Which, from 1.
        index: u32,
        /// Of how many.
        count: u32,
    },
    /// `hash:1/4`: by the case's id, so that a case keeps its shard when others come and go.
    Hash {
        /// Which, from 1.
        index: u32,
        /// Of how many.
        count: u32,
    },
}

/// The text is not a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a shard: write slice:1/4 or hash:1/4, the first number from 1 to the second (at most 100000)")]
pub struct ShardError(String);

impl Shard {
    /// Most shards that can be asked for.
    const LIMIT: u32 = 100_000;

    /// Whether the case with this id, at this position of `total`, is in this shard.
    pub fn holds(self, id: &str, position: usize, total: usize) -> bool {
        match self {
            Self::Slice { index, count } => {
                // Widened: positions x counts do not fit 64 bits for certain.
                let bound = |index: u32| (total as u128 * u128::from(index)) / u128::from(count.max(1));
                (bound(index.saturating_sub(1))..bound(index)).contains(&(position as u128))
            }
            Self::Hash { index, count } => {
                stable_hash(id) % u64::from(count.max(1)) == u64::from(index.saturating_sub(1))
            }
        }
    }
}

/// First 8 bytes, big-endian, of the SHA-256 of the id: the same on every machine and in every version.
fn stable_hash(id: &str) -> u64 {
    Sha256::digest(id.as_bytes()).iter().take(8).fold(0, |hash, &byte| (hash << 8) | u64::from(byte))
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let read = || {
            let (kind, numbers) = text.split_once(':')?;
            let (index, count) = numbers.split_once('/')?;
            let number = |text: &str| {
                (text.len() <= 6 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<u32>().ok())?
            };
            let (index, count) = (number(index)?, number(count)?);
            if index == 0 || index > count || count > Self::LIMIT {
                return None;
            }
            match kind {
                "slice" => Some(Self::Slice { index, count }),
                "hash" => Some(Self::Hash { index, count }),
                _ => None,
            }
        };
        read().ok_or_else(|| ShardError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slice { index, count } => f.pad(&format!("slice:{index}/{count}")),
            Self::Hash { index, count } => f.pad(&format!("hash:{index}/{count}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_case_is_in_exactly_one_shard(total in 0_usize..200, count in 1_u32..40) {
            for position in 0..total {
                let id = format!("a/b::n={position}");
                for make in [|index, count| Shard::Slice { index, count }, |index, count| Shard::Hash { index, count }] {
                    let holders = (1..=count).filter(|&index| make(index, count).holds(&id, position, total)).count();
                    prop_assert_eq!(holders, 1);
                }
            }
        }

        #[test]
        fn slices_differ_by_at_most_one(total in 0_usize..300, count in 1_u32..40) {
            let sizes: Vec<usize> = (1..=count)
                .map(|index| (0..total).filter(|&p| Shard::Slice { index, count }.holds("", p, total)).count())
                .collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,30}") {
            if let Ok(shard) = text.parse::<Shard>() {
                let _ = shard.holds("x", 0, 1);
            }
        }
    }

    #[test]
    fn the_hash_is_the_same_in_every_version() {
        // First 8 bytes of `printf a | sha256sum`.
        assert_eq!(stable_hash("a"), 0xca97_8112_ca1b_bdca);
    }

    #[test]
    fn shards_read_back_and_others_are_refused() {
        for text in ["slice:1/1", "slice:3/4", "hash:4/4"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in ["", "1/4", "slice:0/4", "slice:5/4", "hash:1/0", "hash:1/999999", "slice:+1/2", "slice:1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
