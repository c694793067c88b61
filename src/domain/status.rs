//! The status of one case. Every word of the run format, and nothing that could be read as two of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Signal;

/// How a case came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Status {
    /// Everything was evaluated and met its expectation.
    Pass,
    /// A check was evaluated and not met.
    Fail,
    /// A probe died by this signal.
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
    /// A scenario that plants a fault, and the check that must see it saw it.
    ExpectedFailure,
    /// A scenario that takes a reading away, and the check said that it could not tell.
    ExpectedNotEvaluated,
    /// The scenario or the baseline expects a failure that did not come.
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

impl Status {
    /// The word of the run format.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Crash { .. } => "crash",
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
            Self::Skip { .. } => "skip",
            Self::NotEvaluated { .. } => "not-evaluated",
            Self::Missing => "missing",
            Self::Aborted => "aborted",
            Self::Error { .. } => "error",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash { signal } => write!(f, "crash({signal})"),
            Self::Skip { reason } => write!(f, "skip({reason})"),
            Self::NotEvaluated { reason } => write!(f, "not-evaluated({reason})"),
            Self::Error { problem } => write!(f, "error({problem})"),
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
            | Self::Aborted => f.write_str(self.word()),
        }
    }
}
