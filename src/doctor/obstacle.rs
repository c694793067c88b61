//! One thing that stands in the way, and the one thing to do about it.

use serde::Serialize;

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// Stable name.
    pub id: &'static str,
    /// How much it matters.
    pub weight: Weight,
    /// What is the case.
    pub what: String,
    /// What to do about it.
    pub next: String,
    /// Who says so; empty where it speaks for itself.
    pub source: String,
}

/// How much an obstacle matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Nothing can be read.
    Blocks,
    /// A witness, a change of modes or a probe is lost.
    Limits,
    /// Nothing is lost; it is good to know.
    Note,
}

impl Weight {
    /// Its word in a report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Limits => "limits",
            Self::Note => "note",
        }
    }
}

/// Makes obstacles short to write.
pub(super) fn obstacle(
    id: &'static str,
    weight: Weight,
    what: impl Into<String>,
    next: impl Into<String>,
    source: impl Into<String>,
) -> Obstacle {
    Obstacle { id, weight, what: what.into(), next: next.into(), source: source.into() }
}
