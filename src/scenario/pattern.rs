//! Names with wildcards: `MI3*`, `gfx103x`, `partition/**`.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

/// A name with wildcards, matched whole and in any case. `*` also matches `/`.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

/// The text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a pattern: {problem}")]
pub struct PatternError {
    problem: String,
}

impl Pattern {
    /// Longest pattern that is read, in bytes.
    pub const LIMIT: usize = 200;

    /// A pattern with `*`, `?`, `[abc]` and `{a,b}`.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        Self::with_glob(text, text)
    }

    /// A pattern of gfx targets: as above, and each `x` at the end stands for one hexadecimal digit (`gfx103x`, `gfx90x`).
    pub fn gfx(text: &str) -> Result<Self, PatternError> {
        let lower = text.to_ascii_lowercase();
        let Some(digits) = lower.strip_prefix("gfx") else { return Self::with_glob(text, text) };
        let fixed = digits.trim_end_matches('x');
        let glob = format!("gfx{fixed}{}", "[0-9a-f]".repeat(digits.len() - fixed.len()));
        Self::with_glob(text, &glob)
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn with_glob(text: &str, glob: &str) -> Result<Self, PatternError> {
        let fail = |problem: &str| PatternError { problem: problem.to_owned() };
        if text.is_empty() || text.len() > Self::LIMIT {
            return Err(fail("it must have 1 to 200 characters"));
        }
        let glob = GlobBuilder::new(glob).case_insensitive(true).backslash_escape(true).build();
        Ok(Self { text: text.to_owned(), matcher: glob.map_err(|e| fail(&e.kind().to_string()))?.compile_matcher() })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.matcher.glob() == other.matcher.glob()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_what_they_say() {
        for (pattern, name, expected) in [
            ("gfx103x", "gfx1030", true),
            ("gfx103x", "gfx103a", true),
            ("gfx103x", "gfx1010", false),
            ("gfx103x", "gfx10300", false),
            ("gfx10xx", "gfx1036", true),
            ("GFX942", "gfx942", true),
            ("gfx*", "gfx90a", true),
            ("gfx", "gfx90a", false),
        ] {
            assert_eq!(Pattern::gfx(pattern).unwrap().matches(name), expected, "{pattern} on {name}");
        }
        for (pattern, name, expected) in [
            ("MI3*", "MI300X", true),
            ("mi3*", "MI250X", false),
            ("rx 6?00 xt", "RX 6800 XT", true),
            ("partition/*", "partition/mi300x/a", true),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().matches(name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "[", "{a", &"a".repeat(201)] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
    }
}
