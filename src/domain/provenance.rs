//! Where an observation or a fact comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of host an observation was made on. Only [`Provenance::Hardware`] can make a report say "hardware".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// The real machine.
    Hardware,
    /// A simulated machine.
    Simulated,
    /// A recording of a machine.
    Recorded,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hardware => "hardware",
            Self::Simulated => "simulated",
            Self::Recorded => "recorded",
        })
    }
}

/// How sure a fact is. Source of the scale: facts/partitions.md, head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Read in code, or a real capture was seen.
    Certain,
    /// One good source, or derived from certain facts.
    Likely,
    /// Plausible, not verified.
    Uncertain,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Uncertain => "uncertain",
        })
    }
}

/// Who says so, and how sure it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// A citation a reader can follow: repository path at a commit, issue, document, or capture.
    pub cite: String,
    /// How sure it is.
    pub confidence: Confidence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hardware_is_called_hardware() {
        let words = [Provenance::Hardware, Provenance::Simulated, Provenance::Recorded].map(|each| each.to_string());
        assert_eq!(words, ["hardware", "simulated", "recorded"]);
        let words = [Confidence::Certain, Confidence::Likely, Confidence::Uncertain].map(|each| each.to_string());
        assert_eq!(words, ["certain", "likely", "uncertain"]);
    }
}
