//! The amd-smi face: argv in, stdout, stderr and exit code out, by the rules of each tool generation.
//!
//! `args` reads the command line as argparse would, `query/*` render what can be asked, `set` and `reset` change
//! things, `failure` holds every error text and exit code, `dialect` says which rule a tool version follows.

pub mod dialect;
pub mod query;

use crate::domain::ToolVersion;
use crate::sim::{Kernel, View};

/// One call.
pub struct Session<'a> {
    /// Arguments after the program name.
    pub args: &'a [String],
    /// Effective user id 0.
    pub root: bool,
    /// Prints what the tool has printed so far (a prompt must be seen before it is answered) and reads one line;
    /// `None` at end of input.
    pub ask: &'a mut dyn FnMut(&[u8]) -> Option<String>,
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
    pub bugs: dialect::Bugs,
}

/// Answers one call. Writes that the tool makes go to `kernel`; saving its state is the caller's job.
pub fn answer(_kernel: &mut Kernel, _tool: ToolVersion, _session: &mut Session<'_>) -> Response {
    todo!()
}
