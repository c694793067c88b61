//! Reports: a run record or a comparison in, bytes out; one file per format. None of them touches a file or a terminal.

mod diff;
mod human;
mod json;
mod junit;
pub mod matrix;
mod tame;
pub mod wrap;

use std::path::PathBuf;
use std::str::FromStr;

use crate::run::RunRecord;

pub use diff::{DiffKind, render_diff};
pub use human::{Paper, Style, not_selected};

/// A report format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text for a person.
    Human,
    /// The run record.
    Json,
    /// JUnit XML.
    Junit,
}

/// `--format KIND[=PATH]`; without a path it goes to standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<K = Kind> {
    /// Format.
    pub kind: K,
    /// File; `None` for standard output.
    pub path: Option<PathBuf>,
}

/// A report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The JUnit writer refused.
    #[error("write the JUnit report: {0}")]
    Junit(#[from] quick_junit::SerializeError),
    /// The JSON writer refused.
    #[error("write the JSON report: {0}")]
    Json(#[from] serde_json::Error),
    /// The page's writer refused.
    #[error("write the HTML report: {0}")]
    Html(#[from] askama::Error),
}

/// Renders a run.
///
/// # Errors
/// A writer refused; none of them does for a record that this program made.
pub fn render(kind: Kind, record: &RunRecord, paper: Paper) -> Result<Vec<u8>, ReportError> {
    match kind {
        Kind::Human => Ok(human::render(record, paper).into_bytes()),
        Kind::Json => json::render(record),
        Kind::Junit => junit::render(record),
    }
}

/// The formats of one kind of report.
pub trait Formats: Copy + 'static {
    /// Every format.
    const ALL: &'static [Self];

    /// Its name on the command line.
    fn name(self) -> &'static str;
}

impl Formats for Kind {
    const ALL: &'static [Self] = &[Self::Human, Self::Json, Self::Junit];

    fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
            Self::Junit => "junit",
        }
    }
}

impl<K: Formats> FromStr for Target<K> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = match text.split_once('=') {
            Some((_, "")) => return Err("the path after `=` is empty".to_owned()),
            Some((name, path)) => (name, Some(PathBuf::from(path))),
            None => (text, None),
        };
        let kind = K::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            let known = K::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
            format!("{name:?} is not a report format (known: {known})")
        })?;
        Ok(Self { kind, path })
    }
}
