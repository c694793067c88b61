//! Reports of the crash matrix: records in, bytes out; one file per format.

mod html;
mod human;
mod markdown;
mod words;

use crate::domain::Provenance;
use crate::matrix::record::MatrixRecord;

use super::{Formats, Paper, ReportError};

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The runs.
    pub runs: &'a [MatrixRecord],
    /// Whether what was reported stands beside them.
    pub against_reported: bool,
}

impl Shown<'_> {
    /// The weakest word that may be said of all of them.
    fn provenance(&self) -> Provenance {
        let all = |provenance: Provenance| self.runs.iter().all(|run| run.provenance == provenance);
        if all(Provenance::Hardware) && !self.runs.is_empty() {
            Provenance::Hardware
        } else if all(Provenance::Recorded) && !self.runs.is_empty() {
            Provenance::Recorded
        } else {
            Provenance::Simulated
        }
    }
}

/// A format of these reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text for a person.
    Human,
    /// For a comment or a page.
    Markdown,
    /// The records, and what they come to beside the reports.
    Json,
    /// One page that needs nothing else.
    Html,
}

impl Formats for Kind {
    const ALL: &'static [Self] = &[Self::Human, Self::Markdown, Self::Json, Self::Html];

    fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Html => "html",
        }
    }
}

/// Renders.
///
/// # Errors
/// A writer refused; none of them does for records that this program made.
pub fn render(kind: Kind, shown: Shown<'_>, paper: Paper) -> Result<Vec<u8>, ReportError> {
    match kind {
        Kind::Human => Ok(human::render(shown, paper).into_bytes()),
        Kind::Markdown => Ok(markdown::render(shown).into_bytes()),
        Kind::Json => json(shown),
        Kind::Html => html::render(shown),
    }
}

fn json(shown: Shown<'_>) -> Result<Vec<u8>, ReportError> {
    let mut document = serde_json::json!({ "schema": "rocvet.matrix-show/1", "runs": shown.runs });
    if shown.against_reported {
        let (told, counted) = words::beside(shown);
        document["reported"] = told.iter().map(words::Told::document).collect::<Vec<_>>().into();
        document["counts"] = serde_json::to_value(counted)?;
    }
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests;
