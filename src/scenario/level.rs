//! How far a case goes with the machine it runs on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Interaction level, from harmless to drastic. Each includes the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Asks; changes nothing.
    #[default]
    Observe,
    /// Puts load on the GPU.
    Exercise,
    /// Changes modes, or reloads the driver.
    Reconfigure,
    /// Needs a reboot.
    Reboot,
}

impl Level {
    /// Every level, from harmless to drastic.
    pub const ALL: [Self; 4] = [Self::Observe, Self::Exercise, Self::Reconfigure, Self::Reboot];

    /// The word used in scenario files and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Exercise => "exercise",
            Self::Reconfigure => "reconfigure",
            Self::Reboot => "reboot",
        }
    }
}

/// The text is not an interaction level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an interaction level: {0:?} (observe < exercise < reconfigure < reboot)")]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.word() == text)
            .ok_or_else(|| UnknownLevel(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
