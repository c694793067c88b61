//! What is wrong with a scenario file, and where: file, line, column, the line itself, and what would be right.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

/// Longest line that is shown, in bytes; of a longer one only the place is named.
const LINE_LIMIT: usize = 1000;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    file: String,
    place: Option<Place>,
    /// What is wrong, in one line.
    pub title: String,
    /// More about it.
    pub note: Option<String>,
    /// What would be right.
    pub help: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    text: Arc<str>,
    span: Range<usize>,
}

impl Diagnostic {
    /// A problem of a whole file or folder.
    pub fn of_file(file: impl Into<String>, title: impl Into<String>) -> Self {
        Self { file: file.into(), place: None, title: title.into(), note: None, help: None }
    }

    /// A problem at bytes `span` of the file's text.
    pub fn at(file: impl Into<String>, text: Arc<str>, span: Range<usize>, title: impl Into<String>) -> Self {
        Self { place: Some(Place { text, span }), ..Self::of_file(file, title) }
    }

    /// The file, as messages name it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Line and column, both from 1; the column counts characters. `None` for a problem of the whole file.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        let place = self.place.as_ref()?;
        let (start, line) = place.line();
        let column = place.text.get(start..place.start()).unwrap_or_default().chars().count() + 1;
        Some((line, column))
    }

    /// For a terminal (`color`) or for a file. Ends without a newline.
    pub fn render(&self, color: bool) -> String {
        let mut group = Level::ERROR.primary_title(self.title.as_str()).elements(Vec::<Origin<'_>>::new());
        match (&self.place, self.line_column()) {
            (Some(place), Some((line, column))) => {
                let (start, _) = place.line();
                let shown = place.line_text();
                if shown.len() <= LINE_LIMIT {
                    let span = place.start() - start..place.end() - start;
                    let annotation = AnnotationKind::Primary.span(span);
                    let snippet = Snippet::source(shown).line_start(line).path(self.file.as_str());
                    group = group.element(snippet.annotation(annotation));
                } else {
                    group = group.element(Origin::path(self.file.as_str()).line(line).char_column(column));
                }
            }
            (None, _) | (Some(_), None) => group = group.element(Origin::path(self.file.as_str())),
        }
        group = group.elements(self.note.as_deref().map(|note| Level::NOTE.message(note)));
        group = group.elements(self.help.as_deref().map(|help| Level::HELP.message(help)));
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostic {}

impl Place {
    /// Byte at which the span's line starts, and its number from 1.
    fn line(&self) -> (usize, usize) {
        let before = self.text.get(..self.start()).unwrap_or_default();
        (before.rfind('\n').map_or(0, |at| at + 1), before.bytes().filter(|&b| b == b'\n').count() + 1)
    }

    fn line_text(&self) -> &str {
        let rest = self.text.get(self.line().0..).unwrap_or_default();
        rest.split('\n').next().unwrap_or_default()
    }

    /// Start of the span, moved back to the text's end and to a character's start.
    fn start(&self) -> usize {
        floor(&self.text, self.span.start)
    }

    /// End of the span, no later than its line's.
    fn end(&self) -> usize {
        let line_end = self.line().0 + self.line_text().trim_end_matches('\r').len();
        floor(&self.text, self.span.end).min(line_end).max(self.start())
    }
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
