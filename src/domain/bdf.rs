//! PCI address: domain, bus, device, function.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `0000:05:00.0`. amd-smi puts the partition number into the function digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bdf {
    /// PCI domain (segment).
    pub domain: u32,
    /// Bus.
    pub bus: u8,
    /// Device, 0 to 31.
    pub device: u8,
    /// Function, 0 to 7.
    pub function: u8,
}

impl Bdf {
    /// The same device with function 0: the physical GPU behind a partition.
    pub const fn socket(self) -> Self {
        Self { function: 0, ..self }
    }
}

/// The text is not a PCI address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a PCI address like 0000:05:00.0")]
pub struct BdfError(String);

impl FromStr for Bdf {
    type Err = BdfError;

    fn from_str(text: &str) -> Result<Self, BdfError> {
        let fail = || BdfError(text.chars().take(40).collect());
        let hex = |part: &str, max: u32| match part.len() {
            1..=8 => u32::from_str_radix(part, 16).ok().filter(|value| *value <= max),
            _ => None,
        };
        let (rest, function) = text.rsplit_once('.').ok_or_else(fail)?;
        let mut parts = rest.split(':');
        let (domain, bus, device) = (parts.next(), parts.next(), parts.next());
        let all = (|| {
            if parts.next().is_some() {
                return None;
            }
            Some(Self {
                domain: hex(domain?, u32::MAX)?,
                bus: u8::try_from(hex(bus?, 0xff)?).ok()?,
                device: u8::try_from(hex(device?, 0x1f)?).ok()?,
                function: u8::try_from(hex(function, 7)?).ok()?,
            })
        })();
        all.ok_or_else(fail)
    }
}

impl fmt::Display for Bdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function)
    }
}

impl Serialize for Bdf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bdf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back() {
        let bdf: Bdf = "0000:C6:00.7".parse().unwrap();
        assert_eq!(bdf.to_string(), "0000:c6:00.7");
        assert_eq!(bdf.socket().to_string(), "0000:c6:00.0");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "0000:05:00", "0000:05:00.8", "0:0:0:0.0", "0000:1ff:00.0", "0000:05:20.0", "N/A", "+1:05:00.0 "]
        {
            assert!(text.parse::<Bdf>().is_err(), "{text}");
        }
    }
}
