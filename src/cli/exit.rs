//! Exit codes of every command. DESIGN section 5 holds the table; `validate --help` prints it.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 4: nothing matched.
    NothingMatched,
    /// 64: usage or scenario error.
    Usage,
    /// 69: a backend, a program or a permission is missing.
    Unavailable,
    /// 70: our bug.
    Internal,
    /// 112: the machine is not as it was found, and could not be brought back.
    Unsafe,
    /// 128 + signal: stopped by it.
    Interrupted(i32),
    /// What a run decided.
    Run(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::NothingMatched => 4,
            Exit::Usage => 64,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
            Exit::Unsafe => 112,
            Exit::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(130),
            Exit::Run(code) => code,
        })
    }
}

/// A failure with the exit code that belongs to it.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What happened, and the next step.
    pub error: anyhow::Error,
}

impl Failure {
    /// The user's input is wrong.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    /// Something that the command needs is not there.
    pub fn unavailable(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unavailable, error: error.into() }
    }
}

/// An error that nobody classified is our bug.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: Exit::Internal, error }
    }
}

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;

/// For `--help`.
pub const TABLE: &str = "\
Exit codes:
  0    everything selected was evaluated and met its expectation
  1    a failure or regression
  2    only unexpected improvements
  3    not everything was evaluated
  4    nothing matched
  5    incomplete, and can go on: `validate run --resume RUN`
  64   usage or scenario error
  69   a backend, a program or a permission is missing
  70   a bug in rocvet
  112  stopped: partition modes did not come back, or the machine cannot be trusted any more; what it says is next
  130, 143  interrupted";
