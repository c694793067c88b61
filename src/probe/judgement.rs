//! What the results of a probe are worth, whatever it did.

use std::fmt;

use serde::Serialize;

use super::judge::Numbers;
use super::memory::MemoryUse;
use crate::domain::Status;

/// One result, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Judgement {
    /// Of numbers.
    Numbers(Numbers),
    /// Of a use of memory.
    Memory(MemoryUse),
}

impl Judgement {
    /// The status of a probe with such a result; `None` where it is right.
    pub fn failing(&self) -> Option<Status> {
        match self {
            Self::Numbers(Numbers::Right(_)) => None,
            Self::Numbers(Numbers::Wrong { .. }) => Some(Status::NumericError),
            Self::Memory(used) => used.failing(),
        }
    }

    /// The status of a probe with such results; `None` where all are right.
    pub fn worst(each: &[Self]) -> Option<Status> {
        worst(each.iter().filter_map(Self::failing).collect())
    }
}

/// Of several ways to fail the one that says most: wrong data, then any failure, then a worker that says nothing.
pub(super) fn worst(failing: Vec<Status>) -> Option<Status> {
    let worst = [Status::NumericError, Status::Fail].into_iter().find(|worst| failing.contains(worst));
    worst.or_else(|| failing.into_iter().next())
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers(numbers) => numbers.fmt(f),
            Self::Memory(used) => used.fmt(f),
        }
    }
}
