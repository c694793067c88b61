//! A version of which only the first two numbers count: of a kernel, of ROCm, of torch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `6.8` of `6.8.0-60-generic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MajorMinor {
    /// The first number.
    pub major: u32,
    /// The second one; 0 where there is none.
    pub minor: u32,
}

/// A text that does not begin with a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a version like 6.8")]
pub struct NotAVersion;

impl MajorMinor {
    /// Whether `self` is in a range; an end that is left out is open. `until` is not in it.
    pub fn within(self, from: Option<Self>, until: Option<Self>) -> bool {
        from.is_none_or(|from| self >= from) && until.is_none_or(|until| self < until)
    }
}

impl FromStr for MajorMinor {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim().splitn(3, '.');
        let digits = |part: &str| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse().map_err(|_| NotAVersion)
        };
        let major = digits(parts.next().unwrap_or_default())?;
        let minor = parts.next().map_or(Ok(0), digits)?;
        Ok(Self { major, minor })
    }
}

impl TryFrom<String> for MajorMinor {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MajorMinor> for String {
    fn from(version: MajorMinor) -> Self {
        version.to_string()
    }
}

impl fmt::Display for MajorMinor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.major, self.minor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_numbers_count_and_are_compared_as_numbers() {
        for (text, expected) in [
            ("6.8.0-60-generic", "6.8"),
            ("5.15.0", "5.15"),
            ("6.18-rc3", "6.18"),
            ("7", "7.0"),
            ("2.5.1+rocm6.2", "2.5"),
            ("6.6rc", "6.6"),
        ] {
            assert_eq!(text.parse::<MajorMinor>().unwrap().to_string(), expected, "{text}");
        }
        let of = |text: &str| text.parse::<MajorMinor>().unwrap();
        assert!(of("5.18") > of("5.9") && of("6.0") > of("5.19"));
        assert!(of("5.18").within(Some(of("5.18")), Some(of("5.19"))) && !of("5.19").within(None, Some(of("5.19"))));
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in ["", "v6.8", "six", ".5", "6.x", "99999999999.1", "-1.2"] {
            assert!(text.parse::<MajorMinor>().is_err(), "{text}");
        }
    }
}
