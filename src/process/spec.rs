//! What to run and what came of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::Ended;

use super::Cancel;

/// One child to run.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The executable. A bare name is looked for in the PATH of this process.
    pub program: PathBuf,
    /// What the child sees as its own name; the program's path when `None`.
    pub arg0: Option<OsString>,
    /// Arguments after the name.
    pub args: Vec<OsString>,
    /// Variables to set. The child's environment holds these and [`Spec::inherit`], and nothing else.
    pub env: Vec<(OsString, OsString)>,
    /// Names of variables to hand on from this process when it has them.
    pub inherit: Vec<String>,
    /// Working directory; this process's when `None`.
    pub cwd: Option<PathBuf>,
    /// Bytes for standard input, closed after them; `None` is `/dev/null`.
    pub stdin: Option<Vec<u8>>,
    /// When to stop it.
    pub limits: Limits,
    /// Stops it when the run is interrupted.
    pub cancel: Cancel,
}

impl Spec {
    /// A child with no arguments, an empty environment, no input and the default limits.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arg0: None,
            args: Vec::new(),
            env: Vec::new(),
            inherit: Vec::new(),
            cwd: None,
            stdin: None,
            limits: Limits::default(),
            cancel: Cancel::new(),
        }
    }
}

/// Limits of one child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long it may run before SIGTERM.
    pub deadline: Duration,
    /// How long it may take to follow SIGTERM before SIGKILL.
    pub grace: Duration,
    /// How long to wait for it to vanish after SIGKILL before giving up (`Unreaped`).
    pub reap: Duration,
    /// Bytes kept of each output stream; one more stops the child.
    pub output: usize,
}

impl Limits {
    /// Limits for a caller who waits no longer than `deadline` and a fraction of it: who is in a hurry has no long grace
    /// for a child that does not stop.
    pub fn within(deadline: Duration) -> Self {
        let usual = Self::default();
        Self { deadline, grace: usual.grace.min(deadline / 4), reap: usual.reap.min(deadline / 2), ..usual }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            grace: Duration::from_secs(2),
            reap: Duration::from_secs(5),
            output: 8 << 20,
        }
    }
}

/// How long a child may go on, from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// Until the end of the phase that begins now; `None` where none begins, and the clock of the last one goes on.
    pub phase: Option<Duration>,
    /// Until it says something; `None` where it cannot speak.
    pub silence: Option<Duration>,
}

/// What there is to hear of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// It was started and has this number, which stays its own until the caller has its [`Outcome`].
    Started(u32),
    /// It printed this on standard output.
    Said(&'a [u8]),
    /// It has ended by itself and is about to be reaped, or is about to be stopped.
    Ending,
}

/// What came of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ended,
    /// Its number, if it was started.
    pub pid: Option<u32>,
    /// Standard output, at most [`Limits::output`] bytes.
    pub stdout: Vec<u8>,
    /// Standard error, at most [`Limits::output`] bytes.
    pub stderr: Vec<u8>,
    /// From before the start until it was reaped or given up.
    pub took: Duration,
}
