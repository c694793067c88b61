//! The problems of one file, as they are found.

use std::ops::Range;
use std::sync::Arc;

use super::super::Diagnostic;

/// Most problems that are reported for one file.
const LIMIT: usize = 20;

/// Collects problems; after the first twenty it only counts.
pub(super) struct Problems<'f> {
    file: &'f str,
    text: Arc<str>,
    list: Vec<Diagnostic>,
    more: usize,
    /// What is told with every problem: in which case it came up.
    pub(super) context: Option<String>,
    /// Takes what is reported past the limit.
    spill: Diagnostic,
}

impl<'f> Problems<'f> {
    pub(super) fn new(file: &'f str, text: &str) -> Self {
        let spill = Diagnostic::of_file(file, "");
        Self { file, text: Arc::from(text), list: Vec::new(), more: 0, context: None, spill }
    }

    /// Adds a problem, and gives it for a note or a help line.
    pub(super) fn add(&mut self, span: Range<usize>, title: impl Into<String>) -> &mut Diagnostic {
        if !self.has_room() {
            self.more += 1;
            return &mut self.spill;
        }
        let mut problem = Diagnostic::at(self.file, Arc::clone(&self.text), span, title);
        problem.note.clone_from(&self.context);
        let at = self.list.len();
        self.list.push(problem);
        &mut self.list[at]
    }

    /// The file's text.
    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Whether another problem would be shown: the search for a nearest name is worth its time.
    pub(super) fn has_room(&mut self) -> bool {
        self.list.len() < LIMIT
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many were found, shown or not.
    pub(super) fn count(&self) -> usize {
        self.list.len() + self.more
    }

    /// All of them, in the order of the file.
    pub(super) fn into_list(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(Diagnostic::line_column);
        if self.more > 0 {
            self.list.push(Diagnostic::of_file(self.file, format!("{} more problems", self.more)));
        }
        self.list
    }
}
