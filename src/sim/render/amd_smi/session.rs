//! One call and its answer: what the shim is given and gives back.

use crate::domain::ToolVersion;
use crate::sim::View;

use super::dialect::Bugs;

/// One call.
pub struct Session<'a> {
    /// Arguments after the program name.
    pub args: &'a [String],
    /// Effective user id 0.
    pub root: bool,
    /// Prints what the tool has printed so far (a prompt must be seen before it is answered) and reads one line;
    /// `None` at end of input. What was printed here is not in the response again.
    pub ask: &'a mut dyn FnMut(&[u8]) -> Option<String>,
    /// Prints what the tool has printed so far and waits for ever, as the tool does on some faults. Where it returns
    /// after all, the response is empty.
    pub hang: &'a mut dyn FnMut(&[u8]),
}

/// What the tool printed and how it exits. Bytes, because faults may make them invalid UTF-8 later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit code.
    pub code: u8,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text for people.
    Human,
    /// `--json`.
    Json,
    /// `--csv`.
    Csv,
}

/// What a query is rendered from.
pub struct Context<'a> {
    /// What the kernel shows.
    pub view: &'a View,
    /// Which rules apply.
    pub tool: ToolVersion,
    /// How to print.
    pub format: Format,
    /// Chosen devices (indexes into `view.devices`), in the order of the tool. All of them without `-g`.
    pub targets: &'a [usize],
    /// Effective user id 0.
    pub root: bool,
    /// Bugs of the tool that are switched on.
    pub bugs: Bugs,
}

impl Response {
    /// Adds to standard output.
    pub fn print(&mut self, text: &str) {
        self.stdout.extend_from_slice(text.as_bytes());
    }

    /// Adds to standard error.
    pub fn complain(&mut self, text: &str) {
        self.stderr.extend_from_slice(text.as_bytes());
    }

    /// The same, with this on standard error before it.
    pub fn after_noise(self, noise: String) -> Self {
        let mut stderr = noise.into_bytes();
        stderr.extend(self.stderr);
        Self { stderr, ..self }
    }
}
