//! How a child process ended: never a number that could be two things.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A Unix signal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Signal(pub i32);

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ended {
    /// It returned this exit code.
    Exited {
        /// 0 to 255.
        code: i32,
    },
    /// A signal that we did not send killed it.
    Signaled {
        /// Which one.
        signal: Signal,
    },
    /// It outlived its deadline, or its output outgrew the cap, and was killed.
    TimedOut {
        /// The limit that it broke.
        limit: Limit,
    },
    /// We stopped it because the run was interrupted.
    Cancelled,
    /// SIGKILL was sent and it was still there when we stopped waiting (a process stuck in a driver).
    Unreaped,
    /// It could not be started.
    NotStarted {
        /// Why.
        reason: String,
    },
}

/// Which limit stopped a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The deadline of the call.
    Deadline,
    /// Nothing was heard from it for too long.
    Silence,
    /// It printed more than the cap.
    Output,
}

impl Ended {
    /// True for exit code 0 only.
    pub const fn success(&self) -> bool {
        matches!(self, Self::Exited { code: 0 })
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            6 => "SIGABRT",
            7 => "SIGBUS",
            8 => "SIGFPE",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            13 => "SIGPIPE",
            15 => "SIGTERM",
            other => return write!(f, "signal {other}"),
        };
        f.write_str(name)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exit code {code}"),
            Self::Signaled { signal } => write!(f, "killed by {signal}"),
            Self::TimedOut { limit: Limit::Deadline } => f.write_str("stopped at its deadline"),
            Self::TimedOut { limit: Limit::Silence } => f.write_str("stopped after its silence deadline"),
            Self::TimedOut { limit: Limit::Output } => f.write_str("stopped: it printed more than the cap"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Unreaped => f.write_str("not reaped after SIGKILL"),
            Self::NotStarted { reason } => write!(f, "not started: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_its_words_and_one_is_a_success() {
        let signal = |number| Ended::Signaled { signal: Signal(number) };
        let limit = |limit| Ended::TimedOut { limit };
        for (ended, words, success) in [
            (Ended::Exited { code: 0 }, "exit code 0", true),
            (Ended::Exited { code: 1 }, "exit code 1", false),
            (signal(6), "killed by SIGABRT", false),
            (signal(15), "killed by SIGTERM", false),
            (signal(40), "killed by signal 40", false),
            (limit(Limit::Deadline), "stopped at its deadline", false),
            (limit(Limit::Silence), "stopped after its silence deadline", false),
            (limit(Limit::Output), "stopped: it printed more than the cap", false),
            (Ended::Cancelled, "cancelled", false),
            (Ended::Unreaped, "not reaped after SIGKILL", false),
            (Ended::NotStarted { reason: "no such file".into() }, "not started: no such file", false),
        ] {
            assert_eq!((ended.to_string().as_str(), ended.success()), (words, success));
        }
    }
}
