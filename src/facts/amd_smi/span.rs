//! A range of tool versions.

use std::fmt;

use serde::Deserialize;

use crate::domain::ToolVersion;

/// Tool versions from `first` to `last`, both included; an absent end is open, or not established.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Span {
    /// First version.
    pub first: Option<ToolVersion>,
    /// Last version.
    pub last: Option<ToolVersion>,
}

impl Span {
    /// Whether this version is in the range.
    pub fn contains(&self, version: ToolVersion) -> bool {
        self.first.is_none_or(|first| first <= version) && self.last.is_none_or(|last| version <= last)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (None, None) => f.write_str("every version"),
            (Some(first), None) => write!(f, "from {first}"),
            (None, Some(last)) => write!(f, "up to {last}"),
            (Some(first), Some(last)) if first == last => write!(f, "{first}"),
            (Some(first), Some(last)) => write!(f, "{first} to {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_includes_its_ends() {
        let version = |text: &str| text.parse::<ToolVersion>().unwrap();
        let span = |first: &str, last: &str| Span { first: first.parse().ok(), last: last.parse().ok() };
        for (first, last, at, expected, text) in [
            ("", "", "1.0.0", true, "every version"),
            ("26.0.0", "", "25.5.1", false, "from 26.0.0"),
            ("26.0.0", "", "26.0.0", true, "from 26.0.0"),
            ("", "25.5.1", "25.5.1", true, "up to 25.5.1"),
            ("", "25.5.1", "25.5.2", false, "up to 25.5.1"),
            ("24.7.0", "24.7.1", "24.7.1", true, "24.7.0 to 24.7.1"),
            ("26.2.1", "26.2.1", "26.2.1", true, "26.2.1"),
        ] {
            assert_eq!(span(first, last).contains(version(at)), expected, "{at} in {text}");
            assert_eq!(span(first, last).to_string(), text);
        }
    }
}
