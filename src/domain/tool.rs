//! The version of the amd-smi command-line tool, which is not the library's and not ROCm's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `26.2.1`. The year-first fourth number of old libraries is not part of a tool version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolVersion {
    /// 23 to 27 so far; the dialect changes with it.
    pub major: u32,
    /// Minor.
    pub minor: u32,
    /// Patch.
    pub patch: u32,
}

impl ToolVersion {
    /// A version from its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

/// The text is not a tool version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amd-smi tool version like 26.2.1")]
pub struct ToolVersionError(String);

impl FromStr for ToolVersion {
    type Err = ToolVersionError;

    /// Reads `26.2.1`, also with a build suffix (`25.2.0+f4ad5ee`).
    fn from_str(text: &str) -> Result<Self, ToolVersionError> {
        let fail = || ToolVersionError(text.chars().take(40).collect());
        let core = text.split_once('+').map_or(text, |(core, _)| core);
        let mut numbers = core.split('.').map(|part| match part.len() {
            1..=6 if part.bytes().all(|b| b.is_ascii_digit()) => part.parse::<u32>().ok(),
            _ => None,
        });
        let mut next = || numbers.next().flatten().ok_or_else(fail);
        let version = Self::new(next()?, next()?, next()?);
        match numbers.next() {
            None => Ok(version),
            Some(_) => Err(fail()),
        }
    }
}

impl fmt::Display for ToolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}.{}", self.major, self.minor, self.patch))
    }
}

impl Serialize for ToolVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ToolVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_and_order() {
        assert_eq!("25.2.0+f4ad5ee".parse(), Ok(ToolVersion::new(25, 2, 0)));
        assert!(ToolVersion::new(24, 7, 1) < ToolVersion::new(25, 3, 0));
        for text in ["", "26", "26.2", "26.2.x", "26.2.1.0", "N/A", "26..1", "26.2.-1"] {
            assert!(text.parse::<ToolVersion>().is_err(), "{text}");
        }
        // The standard library reads a sign, and everything after the first one is a build suffix here.
        assert!("26.2.+1".parse::<ToolVersion>().is_err());
    }
}
