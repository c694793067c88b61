//! What must be set, and what must not.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::MajorMinor;

/// Values that names must have, and names or values that must not be. It never contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    required: BTreeMap<String, String>,
    banned: Vec<Ban>,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// The name.
    pub name: String,
    /// The value; `None`: it must not be set at all.
    pub value: Option<String>,
}

/// Two demands that cannot both be met, or that say the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Required and banned.
    #[error("`{name}` is required to be {value:?}, and banned{}", .banned.as_ref().map(|value| format!(" as {value:?}")).unwrap_or_default())]
    Both {
        /// The name.
        name: String,
        /// The value that is required.
        value: String,
        /// The value that is banned; `None`: any.
        banned: Option<String>,
    },
    /// Banned twice.
    #[error("`{0}` is banned twice")]
    Twice(String),
}

impl Demand {
    /// These demands, where they can be met together. `holds` says of a name whether its second value is in force where
    /// its first one is: `0x0` is where `0` is.
    ///
    /// # Errors
    /// Two of them contradict each other, or are the same.
    pub fn new(
        required: BTreeMap<String, String>,
        banned: Vec<Ban>,
        holds: impl Fn(&str, &str, &str) -> bool,
    ) -> Result<Self, Conflict> {
        for (at, ban) in banned.iter().enumerate() {
            if let Some(value) = required.get(&ban.name)
                && ban.value.as_ref().is_none_or(|banned| holds(&ban.name, value, banned))
            {
                let (name, value, banned) = (ban.name.clone(), value.clone(), ban.value.clone());
                return Err(Conflict::Both { name, value, banned });
            }
            let covered = |other: &Ban| {
                other.name == ban.name
                    && match (&other.value, &ban.value) {
                        (Some(other), Some(value)) => holds(&ban.name, other, value),
                        (None, _) | (_, None) => true,
                    }
            };
            if banned[..at].iter().any(covered) {
                return Err(Conflict::Twice(ban.to_string()));
            }
        }
        Ok(Self { required, banned })
    }

    /// Values that must be, by name.
    pub const fn required(&self) -> &BTreeMap<String, String> {
        &self.required
    }

    /// What must not be.
    pub fn banned(&self) -> &[Ban] {
        &self.banned
    }

    /// Whether it demands nothing.
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.banned.is_empty()
    }
}

impl fmt::Display for Ban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A torch as its version says: `2.5.1+rocm6.2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TorchVersion {
    /// torch.
    pub torch: MajorMinor,
    /// The ROCm that its wheel was built for, where it says one.
    pub rocm: Option<MajorMinor>,
}

/// A text that is no version of torch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a version of torch like 2.5.1+rocm6.2")]
pub struct NotATorch;

impl FromStr for TorchVersion {
    type Err = NotATorch;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (torch, local) = text.split_once('+').unwrap_or((text, ""));
        let rocm = match local.strip_prefix("rocm") {
            Some(rocm) => Some(rocm.parse().map_err(|_| NotATorch)?),
            None => None,
        };
        Ok(Self { torch: torch.parse().map_err(|_| NotATorch)?, rocm })
    }
}

impl fmt::Display for TorchVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rocm {
            Some(rocm) => write!(f, "{}+rocm{rocm}", self.torch),
            None => write!(f, "{}", self.torch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(required: &[(&str, &str)], banned: &[&str]) -> Result<Demand, String> {
        let required = required.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let ban = |text: &&str| match text.split_once('=') {
            Some((name, value)) => Ban { name: name.to_owned(), value: Some(value.to_owned()) },
            None => Ban { name: (*text).to_owned(), value: None },
        };
        // Values count by their length, so that two spellings may be one.
        let holds = |_: &str, left: &str, right: &str| left.len() == right.len();
        Demand::new(required, banned.iter().map(ban).collect(), holds).map_err(|conflict| conflict.to_string())
    }

    #[test]
    fn demands_that_contradict_each_other_are_refused() {
        for (required, banned, problem) in [
            (&[("a", "1")][..], &["a"][..], "`a` is required to be \"1\", and banned"),
            (&[("a", "1")], &["a=1"], "`a` is required to be \"1\", and banned as \"1\""),
            (&[], &["a", "a=1"], "`a=1` is banned twice"),
            (&[], &["a=1", "a"], "`a` is banned twice"),
            (&[], &["a=1", "a=1"], "`a=1` is banned twice"),
            (&[("a", "1")], &["a=2"], "`a` is required to be \"1\", and banned as \"2\""),
            (&[], &["a=1", "a=2"], "`a=2` is banned twice"),
        ] {
            assert_eq!(demand(required, banned).unwrap_err(), problem);
        }
        for (required, banned) in [(&[("a", "1")][..], &["a=10", "b"][..]), (&[], &["a=1", "a=20"]), (&[], &[])] {
            assert!(demand(required, banned).is_ok(), "{required:?} {banned:?}");
        }
    }

    #[test]
    fn a_wheel_says_its_rocm() {
        for (text, shown) in [("2.5.1+rocm6.2", "2.5+rocm6.2"), ("2.5.1+cpu", "2.5"), ("2.11.0a0+git123", "2.11")] {
            assert_eq!(text.parse::<TorchVersion>().unwrap().to_string(), shown);
        }
        for text in ["", "two", "2.5+rocm", "+rocm6.2"] {
            assert!(text.parse::<TorchVersion>().is_err(), "{text}");
        }
    }
}
