//! One printed value, before anyone knows what it means, and how it becomes a reading.

use std::fmt::Display;
use std::str::FromStr;

use crate::domain::{Bytes, ComputeMode, Reading};

/// One printed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leaf {
    /// Some text: a word, a number, `196592 MB`.
    Text(String),
    /// `N/A`.
    NotApplicable,
    /// An empty cell or string, or no such field.
    Nothing,
    /// Something that can be no value.
    Odd {
        /// What was printed.
        raw: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Leaf {
    /// From printed text.
    pub(super) fn text(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            Self::Nothing
        } else if text == "N/A" {
            Self::NotApplicable
        } else if text.contains('\u{fffd}') {
            Self::Odd { raw: text.to_owned(), problem: "not valid UTF-8" }
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// Whether something was printed here.
    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Reads it with `read`, which says what is wrong when it cannot.
    pub(super) fn reading<T>(&self, read: impl FnOnce(&str) -> Result<T, String>) -> Reading<T> {
        match self {
            // A failed look-up leaks into the value: `"amdgpu_version": "AMDSMI_STATUS_FILE_ERROR - ..."`.
            Self::Text(text) if text.contains("AMDSMI_STATUS_") => {
                Reading::malformed(text, "an error in the place of a value")
            }
            Self::Text(text) => read(text).map_or_else(|problem| Reading::malformed(text, problem), Reading::Value),
            Self::NotApplicable => Reading::NotApplicable,
            Self::Nothing => Reading::NotReported,
            Self::Odd { raw, problem } => Reading::malformed(raw, *problem),
        }
    }

    /// Anything printed.
    pub(super) fn string(&self) -> Reading<String> {
        self.reading(|text| Ok(text.to_owned()))
    }

    /// Anything that reads itself.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self) -> Reading<T> {
        self.reading(|text| text.parse().map_err(|error: T::Err| error.to_string()))
    }

    /// A number without sign.
    pub(super) fn number(&self) -> Reading<u32> {
        self.reading(|text| text.parse().map_err(|_| "not a whole number".to_owned()))
    }

    /// A list separated by commas.
    pub(super) fn list<T: FromStr<Err: Display>>(&self) -> Reading<Vec<T>> {
        self.reading(|text| {
            text.split(',').map(|part| part.trim().parse().map_err(|error: T::Err| error.to_string())).collect()
        })
    }

    /// A compute mode, and whether it is marked with a star.
    pub(super) fn starred_mode(&self) -> (Reading<ComputeMode>, bool) {
        match self {
            Self::Text(text) => match text.strip_suffix('*') {
                Some(bare) => (Self::text(bare).parsed(), true),
                None => (self.parsed(), false),
            },
            Self::NotApplicable | Self::Nothing | Self::Odd { .. } => (self.parsed(), false),
        }
    }

    /// A size. The tool prints MiB, calls them MB, and leaves the unit away in CSV.
    pub(super) fn size(&self) -> Reading<Bytes> {
        self.reading(|text| {
            let (number, unit) = text.split_once(' ').unwrap_or((text, "MB"));
            let number: u64 = number.parse().map_err(|_| "not a whole number".to_owned())?;
            let bytes = match unit.trim() {
                "B" => Some(Bytes(number)),
                "MB" | "MiB" => Bytes::from_mib(number),
                "GB" | "GiB" => Bytes::from_gib(number),
                _ => return Err("not a unit that the tool is known to print".to_owned()),
            };
            bytes.ok_or_else(|| "larger than any memory".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MemoryMode, ToolVersion};

    #[test]
    fn what_is_printed_becomes_a_value_or_says_why_not() {
        assert_eq!(Leaf::text(" N/A ").number(), Reading::NotApplicable);
        assert_eq!(Leaf::text("").number(), Reading::NotReported);
        assert_eq!(Leaf::text("3").number(), Reading::Value(3));
        assert_eq!(
            Leaf::text("NPS1,NPS4").list::<MemoryMode>(),
            Reading::Value(vec![MemoryMode::Nps1, MemoryMode::Nps4])
        );
        assert_eq!(Leaf::text("CPX*").starred_mode(), (Reading::Value(ComputeMode::Cpx), true));
        assert_eq!(Leaf::text("24.5.2+unknown").parsed(), Reading::Value(ToolVersion::new(24, 5, 2)));
        for odd in ["-1", "0x3", "3.5", "UNKNOWN", "AMDSMI_STATUS_FILE_ERROR - Error opening file", "3\u{fffd}"] {
            assert!(matches!(Leaf::text(odd).number(), Reading::Malformed { .. }), "{odd}");
        }
    }

    #[test]
    fn sizes_are_mib_whatever_the_tool_calls_them() {
        for text in ["196592 MB", "196592 MiB", "196592"] {
            assert_eq!(Leaf::text(text).size(), Reading::Value(Bytes(206_141_652_992)), "{text}");
        }
        for text in ["MB", "x MB", "1 parsec", "1.5 GB", "18446744073709551615 MB", "-1 MB"] {
            assert!(matches!(Leaf::text(text).size(), Reading::Malformed { .. }), "{text}");
        }
    }
}
