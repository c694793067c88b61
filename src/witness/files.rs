//! Small kernel files as readings.

use std::fmt::Display;
use std::str::FromStr;

use crate::domain::Reading;

use super::tree::{Tree, TreeError, TreeProblem};

/// Largest kernel file that is read: sysfs shows at most a page, the KFD topology a few.
const LIMIT: usize = 64 << 10;

/// Text of one file, trimmed.
pub(super) fn text(tree: &Tree, path: &str) -> Reading<String> {
    read(tree.read(path, LIMIT))
}

/// Text of the first `limit` bytes of a file that may be longer, trimmed.
pub(super) fn start(tree: &Tree, path: &str, limit: usize) -> Reading<String> {
    read(tree.read_start(path, limit))
}

/// Whether a problem means that there is nothing, and not that it could not be read.
pub(super) const fn absent(problem: &TreeProblem) -> bool {
    matches!(problem, TreeProblem::Missing)
}

fn read(bytes: Result<Vec<u8>, TreeError>) -> Reading<String> {
    match bytes {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Reading::Value(text.trim().to_owned()),
            Err(error) => Reading::malformed(String::from_utf8_lossy(error.as_bytes()), "not valid UTF-8"),
        },
        Err(error) => match error.problem {
            TreeProblem::Missing => Reading::NotReported,
            problem @ (TreeProblem::Escapes { .. }
            | TreeProblem::TooDeep
            | TreeProblem::NotAFile
            | TreeProblem::TooLarge { .. }
            | TreeProblem::TooMany
            | TreeProblem::Io(_)) => Reading::malformed("", format!("cannot be read: {problem}")),
        },
    }
}

/// Anything that reads itself.
pub(super) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Reading<T> {
    text.parse().map_or_else(|error: T::Err| Reading::malformed(text, error.to_string()), Reading::Value)
}

/// A list separated by commas.
pub(super) fn list<T: FromStr<Err: Display>>(text: &str) -> Reading<Vec<T>> {
    let parts: Result<Vec<T>, T::Err> = text.split(',').map(|part| part.trim().parse()).collect();
    parts.map_or_else(|error| Reading::malformed(text, error.to_string()), Reading::Value)
}

/// A hexadecimal number of 16 bits, with or without `0x`.
pub(super) fn hex(text: &str) -> Reading<u16> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u16::from_str_radix(digits, 16)
        .map_or_else(|_| Reading::malformed(text, "not a hexadecimal number of 16 bits"), Reading::Value)
}

/// A hexadecimal number of 64 bits, without `0x`, as `unique_id` shows it.
pub(super) fn hex64(text: &str) -> Reading<u64> {
    u64::from_str_radix(text, 16)
        .map_or_else(|_| Reading::malformed(text, "not a hexadecimal number of 64 bits"), Reading::Value)
}
