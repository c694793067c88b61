//! The terminal: progress on standard error, reports on standard output, colour only where it is wanted.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::document::Document;
use crate::report::{Paper, Style};
use crate::run::{CaseRecord, Progress, as_expected};
use crate::scenario::Case;

/// Whether standard output takes colour: a terminal, and neither NO_COLOR nor TERM=dumb speaks against it.
pub fn style() -> Style {
    match anstream::AutoStream::choice(&io::stdout()) {
        anstream::ColorChoice::Never => Style::Plain,
        anstream::ColorChoice::Auto | anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => {
            Style::Coloured
        }
    }
}

/// What standard output is, for a report: a terminal has a width, and lines longer than a person reads help nobody.
pub fn paper() -> Paper {
    /// Columns.
    const WIDEST: usize = 120;
    let width = screen().width.filter(|_| io::stdout().is_terminal());
    Paper { style: style(), width: width.map(|width| usize::from(width).min(WIDEST)) }
}

/// What standard output is, for a table.
pub fn screen() -> super::list::Screen {
    let width = comfy_table::Table::new().width();
    super::list::Screen { terminal: io::stdout().is_terminal(), width }
}

/// Writes to standard output. A reader that went away (`| head`) is no error.
///
/// # Errors
/// The device is full, or another real failure.
pub fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = anstream::AutoStream::auto(io::stdout().lock());
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a line to standard error.
pub fn note(line: &str) {
    // Nothing is left to tell of it when even standard error is gone.
    let _ = writeln!(anstream::AutoStream::auto(io::stderr().lock()), "{line}");
}

/// What a document says, once it is told what of it was left out.
pub fn all_told<T>(read: Document<T>, place: &Path) -> T {
    if let Some(unread) = read.unread() {
        note(&format!("note: {}: {unread}", place.display()));
    }
    read.value
}

/// A progress bar on a terminal; nothing otherwise.
pub struct Bar {
    bar: ProgressBar,
    /// Cases that did not come out as expected.
    bad: usize,
}

impl Bar {
    /// For so many cases.
    pub fn new(cases: usize) -> Self {
        let target =
            if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let length = u64::try_from(cases).unwrap_or(u64::MAX);
        let bar = ProgressBar::with_draw_target(Some(length), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta:>4} left  {prefix}{wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, bad: 0 }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How far a time is gone, on a terminal; nothing otherwise.
pub struct Timer(ProgressBar);

impl Timer {
    /// For this long.
    pub fn new(whole: Duration) -> Self {
        let target =
            if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(whole.as_secs()), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {elapsed} of {prefix}  {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(HumanDuration(whole).to_string());
        bar.enable_steady_tick(Duration::from_secs(1));
        Self(bar)
    }

    /// So much is gone, and this begins.
    pub fn at(&self, elapsed: Duration, what: &str) {
        self.0.set_position(elapsed.as_secs());
        self.0.set_message(what.to_owned());
    }

    /// Writes a line to standard error.
    pub fn note(&self, line: &str) {
        self.0.suspend(|| note(line));
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn starts(&mut self, case: &Case) -> bool {
        self.bar.set_message(case.id.clone());
        true
    }

    fn finished(&mut self, record: &CaseRecord) {
        self.bar.inc(1);
        if !as_expected(&record.status) {
            self.bad += 1;
            self.bar.set_prefix(format!("{} not as expected  ", self.bad));
        }
    }
}
