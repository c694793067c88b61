//! Ranges of amd-smi versions: `>=26, <27`, `26.x`, `26.2.1`.

use std::fmt;
use std::str::FromStr;

use crate::domain::ToolVersion;

/// Comparisons that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionReq {
    text: String,
    all: Vec<Comparison>,
}

/// The text is not a range of versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a range of amd-smi versions such as \">=26, <27\", \"26.x\" or \"26.2.1\"")]
pub struct VersionReqError(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    /// The numbers that are given: `26.2` leaves the patch open.
    numbers: [Option<u32>; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl VersionReq {
    /// Whether this version is in the range. Numbers left out are not compared: `<=26` holds for 26.9.
    pub fn matches(&self, version: ToolVersion) -> bool {
        self.all.iter().all(|comparison| comparison.holds(version))
    }
}

impl Comparison {
    fn holds(self, version: ToolVersion) -> bool {
        let order = [version.major, version.minor, version.patch]
            .into_iter()
            .zip(self.numbers)
            .filter_map(|(is, asked)| Some(is.cmp(&asked?)))
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal);
        match self.operator {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::LessEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterEqual => order.is_ge(),
        }
    }
}

impl FromStr for VersionReq {
    type Err = VersionReqError;

    fn from_str(text: &str) -> Result<Self, VersionReqError> {
        let fail = || VersionReqError(text.chars().take(60).collect());
        let all: Option<Vec<_>> = text.split(',').take(8).map(|part| comparison(part.trim())).collect();
        match all {
            Some(all) if text.split(',').count() <= 8 => Ok(Self { text: text.to_owned(), all }),
            Some(_) | None => Err(fail()),
        }
    }
}

impl fmt::Display for VersionReq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

fn comparison(text: &str) -> Option<Comparison> {
    const OPERATORS: [(&str, Operator); 7] = [
        (">=", Operator::GreaterEqual),
        ("<=", Operator::LessEqual),
        ("!=", Operator::NotEqual),
        ("==", Operator::Equal),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("=", Operator::Equal),
    ];
    let (operator, rest) = OPERATORS
        .iter()
        .find_map(|&(sign, operator)| Some((operator, text.strip_prefix(sign)?)))
        .unwrap_or((Operator::Equal, text));
    let mut numbers = [None; 3];
    let mut open = false;
    let parts: Vec<_> = rest.trim().split('.').collect();
    if parts.len() > 3 {
        return None;
    }
    for (slot, part) in numbers.iter_mut().zip(parts) {
        match part {
            "x" | "*" => open = true,
            // A number after `x` would compare nothing that the reader expects.
            digits if !open && (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
                *slot = Some(digits.parse().ok()?);
            }
            _ => return None,
        }
    }
    numbers[0].map(|_| Comparison { operator, numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_as_they_read() {
        for (range, version, expected) in [
            (">=26, <27", (26, 2, 1), true),
            (">=26, <27", (27, 0, 0), false),
            ("26.x", (26, 9, 9), true),
            ("26", (26, 0, 0), true),
            ("26.2", (26, 2, 7), true),
            ("26.2", (26, 3, 0), false),
            ("26.2.1", (26, 2, 1), true),
            ("<=26", (26, 9, 9), true),
            (">26", (26, 9, 9), false),
            (">26.2", (26, 3, 0), true),
            ("!=24.x", (24, 5, 2), false),
        ] {
            let (major, minor, patch) = version;
            let req: VersionReq = range.parse().unwrap();
            assert_eq!(req.matches(ToolVersion::new(major, minor, patch)), expected, "{range} on {version:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", ">=", "x", "26.x.1", "26.2.1.0", "26,", "~26", "26.-1", "9999999", "1,1,1,1,1,1,1,1,1"] {
            assert!(text.parse::<VersionReq>().is_err(), "{text}");
        }
    }
}
