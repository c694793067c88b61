//! The status of one case. Every word of the run format, and nothing that could be read as two of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Signal;

/// How a case came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Everything was evaluated and met its expectation.
    Pass,
    /// A check was evaluated and not met.
    Fail,
    /// A probe died by a signal.
    Crash {
        /// Which one.
        signal: Signal,
    },
    /// A child outlived its deadline.
    Hang,
    /// The machine went down with the case in flight.
    MachineHang,
    /// The kernel log holds a fault or reset of this case's window.
    KernelFault,
    /// Numbers were outside the bounds.
    NumericError,
    /// It ran on the CPU where a GPU was asked for.
    CpuFallback,
    /// Another case's GPU reset took it down.
    Collateral,
    /// Repeats disagree.
    Flaky,
    /// A planted fault was seen by the check that must see it.
    ExpectedFailure,
    /// A reading was taken away, and the check said that it could not tell.
    ExpectedNotEvaluated,
    /// An expected failure did not come.
    UnexpectedPass,
    /// Not run, on purpose.
    Skip {
        /// Why.
        reason: String,
    },
    /// Run, but what it needs could not be read.
    NotEvaluated {
        /// Why.
        reason: String,
    },
    /// In the other run, not in this one.
    Missing,
    /// The run stopped before it ended.
    Aborted,
    /// Our tool broke.
    Error {
        /// What happened.
        problem: String,
    },
}

/// What a finding makes of its case, where "not met" leaves open what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Failure {
    /// See [`Status::Crash`].
    Crash {
        /// Which one.
        signal: Signal,
    },
    /// See [`Status::Hang`].
    Hang,
    /// See [`Status::KernelFault`].
    KernelFault,
    /// See [`Status::CpuFallback`].
    CpuFallback,
    /// See [`Status::NumericError`].
    NumericError,
    /// See [`Status::Flaky`].
    Flaky,
    /// See [`Status::Fail`].
    Fail,
    /// See [`Status::Collateral`].
    Collateral,
}

impl Failure {
    /// Of several failures of a case the one with the highest rank is its status: what took the process down, or the
    /// GPU, comes first; then where it ran, since numbers of a CPU say nothing of a GPU; then the numbers. What another
    /// one's doing took down says least.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Crash { .. } => 7,
            Self::Hang => 6,
            Self::KernelFault => 5,
            Self::CpuFallback => 4,
            Self::NumericError => 3,
            Self::Flaky => 2,
            Self::Fail => 1,
            Self::Collateral => 0,
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Crash { signal } => Self::Crash { signal },
            Failure::Hang => Self::Hang,
            Failure::KernelFault => Self::KernelFault,
            Failure::CpuFallback => Self::CpuFallback,
            Failure::NumericError => Self::NumericError,
            Failure::Flaky => Self::Flaky,
            Failure::Fail => Self::Fail,
            Failure::Collateral => Self::Collateral,
        }
    }
}

/// The word of a status, as the run format spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatusWord {
    /// Everything was evaluated and met its expectation.
    Pass,
    /// A check was evaluated and not met.
    Fail,
    /// A probe died by a signal.
    Crash,
    /// A child outlived its deadline.
    Hang,
    /// The machine went down with the case in flight.
    MachineHang,
    /// The kernel log holds a fault or reset of this case's window.
    KernelFault,
    /// Numbers were outside the bounds.
    NumericError,
    /// It ran on the CPU where a GPU was asked for.
    CpuFallback,
    /// Another case's GPU reset took it down.
    Collateral,
    /// Repeats disagree.
    Flaky,
    /// A planted fault was seen by the check that must see it.
    ExpectedFailure,
    /// A reading was taken away, and the check said that it could not tell.
    ExpectedNotEvaluated,
    /// An expected failure did not come.
    UnexpectedPass,
    /// Not run, on purpose.
    Skip,
    /// Run, but what it needs could not be read.
    NotEvaluated,
    /// In the other run, not in this one.
    Missing,
    /// The run stopped before it ended.
    Aborted,
    /// Our tool broke.
    Error,
}

impl StatusWord {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Crash => "crash",
            Self::Hang => "hang",
            Self::MachineHang => "machine-hang",
            Self::KernelFault => "kernel-fault",
            Self::NumericError => "numeric-error",
            Self::CpuFallback => "cpu-fallback",
            Self::Collateral => "collateral",
            Self::Flaky => "flaky",
            Self::ExpectedFailure => "expected-failure",
            Self::ExpectedNotEvaluated => "expected-not-evaluated",
            Self::UnexpectedPass => "unexpected-pass",
            Self::Skip => "skip",
            Self::NotEvaluated => "not-evaluated",
            Self::Missing => "missing",
            Self::Aborted => "aborted",
            Self::Error => "error",
        }
    }
}

impl Status {
    /// The word of the run format.
    pub const fn word(&self) -> StatusWord {
        match self {
            Self::Pass => StatusWord::Pass,
            Self::Fail => StatusWord::Fail,
            Self::Crash { .. } => StatusWord::Crash,
            Self::Hang => StatusWord::Hang,
            Self::MachineHang => StatusWord::MachineHang,
            Self::KernelFault => StatusWord::KernelFault,
            Self::NumericError => StatusWord::NumericError,
            Self::CpuFallback => StatusWord::CpuFallback,
            Self::Collateral => StatusWord::Collateral,
            Self::Flaky => StatusWord::Flaky,
            Self::ExpectedFailure => StatusWord::ExpectedFailure,
            Self::ExpectedNotEvaluated => StatusWord::ExpectedNotEvaluated,
            Self::UnexpectedPass => StatusWord::UnexpectedPass,
            Self::Skip { .. } => StatusWord::Skip,
            Self::NotEvaluated { .. } => StatusWord::NotEvaluated,
            Self::Missing => StatusWord::Missing,
            Self::Aborted => StatusWord::Aborted,
            Self::Error { .. } => StatusWord::Error,
        }
    }

    /// What the word leaves open: the reason, the problem or the signal.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Crash { signal } => Some(signal.0.to_string()),
            Self::Skip { reason } | Self::NotEvaluated { reason } => Some(reason.clone()),
            Self::Error { problem } => Some(problem.clone()),
            Self::Pass
            | Self::Fail
            | Self::Hang
            | Self::MachineHang
            | Self::KernelFault
            | Self::NumericError
            | Self::CpuFallback
            | Self::Collateral
            | Self::Flaky
            | Self::ExpectedFailure
            | Self::ExpectedNotEvaluated
            | Self::UnexpectedPass
            | Self::Missing
            | Self::Aborted => None,
        }
    }

    /// The status again, from the two halves that a run record holds.
    ///
    /// # Errors
    /// The word needs a detail that is not there, or the detail is no signal number.
    pub fn from_parts(word: StatusWord, detail: Option<String>) -> Result<Self, String> {
        let need = || detail.clone().ok_or_else(|| format!("status {} needs a detail", word.name()));
        Ok(match word {
            StatusWord::Crash => {
                let number = need()?;
                let signal = number.parse().map_err(|_| format!("{number:?} is not a signal number"))?;
                Self::Crash { signal: Signal(signal) }
            }
            StatusWord::Skip => Self::Skip { reason: need()? },
            StatusWord::NotEvaluated => Self::NotEvaluated { reason: need()? },
            StatusWord::Error => Self::Error { problem: need()? },
            StatusWord::Pass => Self::Pass,
            StatusWord::Fail => Self::Fail,
            StatusWord::Hang => Self::Hang,
            StatusWord::MachineHang => Self::MachineHang,
            StatusWord::KernelFault => Self::KernelFault,
            StatusWord::NumericError => Self::NumericError,
            StatusWord::CpuFallback => Self::CpuFallback,
            StatusWord::Collateral => Self::Collateral,
            StatusWord::Flaky => Self::Flaky,
            StatusWord::ExpectedFailure => Self::ExpectedFailure,
            StatusWord::ExpectedNotEvaluated => Self::ExpectedNotEvaluated,
            StatusWord::UnexpectedPass => Self::UnexpectedPass,
            StatusWord::Missing => Self::Missing,
            StatusWord::Aborted => Self::Aborted,
        })
    }
}

/// What a status means for whoever waits for the run: exit code, colour and JUnit follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// As the scenario says.
    AsExpected,
    /// A failure was expected and did not come.
    Better,
    /// Something is wrong with the machine, or with what was expected of it.
    Failed,
    /// Nobody can tell.
    NotEvaluated,
    /// It was not run to its end, or not run at all.
    Incomplete,
    /// It was left out on purpose.
    Skipped,
    /// Our tool broke.
    Broken,
}

impl Status {
    /// What it means.
    pub const fn meaning(&self) -> Meaning {
        self.word().meaning()
    }
}

impl StatusWord {
    /// What it means.
    pub const fn meaning(self) -> Meaning {
        match self {
            Self::Pass | Self::ExpectedFailure | Self::ExpectedNotEvaluated => Meaning::AsExpected,
            Self::UnexpectedPass => Meaning::Better,
            Self::Fail
            | Self::Crash
            | Self::Hang
            | Self::MachineHang
            | Self::KernelFault
            | Self::NumericError
            | Self::CpuFallback
            | Self::Collateral
            | Self::Flaky => Meaning::Failed,
            Self::NotEvaluated => Meaning::NotEvaluated,
            Self::Missing | Self::Aborted => Meaning::Incomplete,
            Self::Skip => Meaning::Skipped,
            Self::Error => Meaning::Broken,
        }
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Crash { signal } = self {
            return write!(f, "crash({signal})");
        }
        match self.detail() {
            Some(detail) => write!(f, "{}({detail})", self.word()),
            None => write!(f, "{}", self.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_its_word_and_its_detail() {
        let because = || "because".to_owned();
        for (status, text, detail) in [
            (Status::Pass, "pass", None),
            (Status::Crash { signal: Signal(6) }, "crash(SIGABRT)", Some("6")),
            (Status::Skip { reason: because() }, "skip(because)", Some("because")),
            (Status::NotEvaluated { reason: because() }, "not-evaluated(because)", Some("because")),
            (Status::Error { problem: because() }, "error(because)", Some("because")),
            (Status::UnexpectedPass, "unexpected-pass", None),
        ] {
            assert_eq!(status.to_string(), text);
            assert_eq!(status.detail().as_deref(), detail, "{text}");
            assert_eq!(status.word().to_string(), text.split('(').next().unwrap());
            assert_eq!(Status::from_parts(status.word(), status.detail()), Ok(status));
        }
        for word in [StatusWord::Crash, StatusWord::Skip, StatusWord::NotEvaluated, StatusWord::Error] {
            assert!(Status::from_parts(word, None).unwrap_err().contains("needs a detail"), "{word}");
        }
        assert!(Status::from_parts(StatusWord::Crash, Some("six".into())).is_err());
    }
}
