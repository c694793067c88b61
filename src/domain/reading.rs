//! What one witness said about one thing. A reading that failed has no value to use.

use serde::{Deserialize, Serialize};

/// One reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub enum Reading<T> {
    /// The witness gave a value.
    Value(T),
    /// The witness said that the question does not apply (`N/A`).
    NotApplicable,
    /// The witness said nothing: no such file, field, row or command, or it could not be asked.
    NotReported,
    /// The witness said something that is not an answer.
    Malformed {
        /// What it said, bounded.
        raw: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl<T> Reading<T> {
    /// Longest `raw` that is kept.
    const RAW_LIMIT: usize = 400;

    /// A malformed reading; `raw` is cut to a bounded length.
    pub fn malformed(raw: impl AsRef<str>, problem: impl Into<String>) -> Self {
        Self::Malformed { raw: raw.as_ref().chars().take(Self::RAW_LIMIT).collect(), problem: problem.into() }
    }

    /// The value, when there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::NotApplicable | Self::NotReported | Self::Malformed { .. } => None,
        }
    }

    /// Borrowed form.
    pub fn as_ref(&self) -> Reading<&T> {
        match self {
            Self::Value(value) => Reading::Value(value),
            Self::NotApplicable => Reading::NotApplicable,
            Self::NotReported => Reading::NotReported,
            Self::Malformed { raw, problem } => Reading::Malformed { raw: raw.clone(), problem: problem.clone() },
        }
    }

    /// Changes the value, keeps every other case.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Reading<U> {
        self.and_then(|value| Reading::Value(change(value)))
    }

    /// Changes the value into another reading, keeps every other case.
    pub fn and_then<U>(self, change: impl FnOnce(T) -> Reading<U>) -> Reading<U> {
        match self {
            Self::Value(value) => change(value),
            Self::NotApplicable => Reading::NotApplicable,
            Self::NotReported => Reading::NotReported,
            Self::Malformed { raw, problem } => Reading::Malformed { raw, problem },
        }
    }

    /// Why there is no value, in words for a report; `None` when there is one.
    pub fn absence(&self) -> Option<String> {
        match self {
            Self::Value(_) => None,
            Self::NotApplicable => Some("reported as N/A".to_owned()),
            Self::NotReported => Some("not reported".to_owned()),
            Self::Malformed { raw, problem } => Some(format!("malformed ({problem}): {raw:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_value_has_a_value() {
        assert_eq!(Reading::Value(3).map(|n| n + 1).value(), Some(&4));
        for reading in [Reading::NotApplicable, Reading::NotReported, Reading::<i32>::malformed("x", "y")] {
            assert!(reading.absence().is_some());
            assert_eq!(reading.map(|n| n + 1).value(), None);
        }
    }

    #[test]
    fn an_absence_says_which_it_is() {
        for (reading, words) in [
            (Reading::Value(1), None),
            (Reading::NotApplicable, Some("reported as N/A")),
            (Reading::NotReported, Some("not reported")),
            (Reading::malformed("SPX?", "no mode"), Some("malformed (no mode): \"SPX?\"")),
        ] {
            assert_eq!(reading.absence().as_deref(), words);
        }
    }

    #[test]
    fn what_was_said_is_kept_but_bounded() {
        let Reading::Malformed { raw, .. } = Reading::<()>::malformed("é".repeat(5000), "long") else {
            unreachable!()
        };
        assert_eq!(raw.chars().count(), 400);
    }
}
