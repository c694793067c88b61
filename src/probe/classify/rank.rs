//! Which of several signatures decides, and what an ending means where none does.

use crate::domain::{Ended, Limit, Signal};
use crate::facts::{Class, Severity, Signature, Stream};

use super::seen::Place;

/// The place that says what the process died of.
///
/// What kills comes before what fails; then what fits the ending; then the process's own words before the kernel's;
/// then what leaves a machine that cannot be used before what led there; then the order of the table, the specific before
/// the general. MIOpen's status sums up what it said before, and a panic or an exception that nobody caught wraps the
/// cause, so they decide only where nothing else does. Of a process that ended well only what the kernel says of a fault
/// counts: what it printed it has dealt with itself.
pub(super) fn deciding<'a>(places: &[&'a Place], ended: &Ended, well: bool) -> Option<&'a Place> {
    places
        .iter()
        .filter(|place| place.signature.terminal && counts(place, ended, well))
        .min_by_key(|place| {
            let signature = place.signature;
            let kernel = place.stream == Stream::Kernel;
            let left = kernel && matches!(signature.class, Class::GpuLost | Class::MachineCheck);
            (tier(signature), !fits(signature, ended), kernel, !left, place.order, place.range)
        })
        .copied()
}

fn counts(place: &Place, ended: &Ended, well: bool) -> bool {
    let severity = place.signature.severity;
    let fatal = severity == Severity::Fatal;
    match ended {
        Ended::Exited { .. } if well => fatal && place.stream == Stream::Kernel,
        // A process that hangs has survived whatever it printed of failures; what the driver says of queues it has not.
        Ended::TimedOut { .. } if place.stream == Stream::Kernel => fatal || severity == Severity::Warn,
        Ended::TimedOut { .. } => fatal && !wraps(place.signature),
        Ended::Exited { .. } | Ended::Signaled { .. } => true,
        Ended::Cancelled | Ended::Unreaped | Ended::NotStarted { .. } => fatal,
    }
}

fn tier(signature: &Signature) -> u8 {
    if wraps(signature) {
        return 4;
    }
    if signature.class == Class::MiopenError {
        return 2;
    }
    match signature.severity {
        Severity::Fatal => 0,
        Severity::Error | Severity::Capacity | Severity::Setup => 1,
        Severity::Warn | Severity::Info => 3,
    }
}

fn wraps(signature: &Signature) -> bool {
    matches!(signature.class, Class::RustPanic | Class::UncaughtCxxException)
}

/// Whether a process that printed it usually ends so.
fn fits(signature: &Signature, ended: &Ended) -> bool {
    let anyhow = signature.signals.is_empty() && signature.codes.is_empty();
    match ended {
        Ended::Exited { code } => anyhow || signature.codes.contains(code),
        Ended::Signaled { signal: Signal(signal) } => anyhow || signature.signals.contains(signal),
        Ended::TimedOut { .. } | Ended::Cancelled | Ended::Unreaped | Ended::NotStarted { .. } => anyhow,
    }
}

/// What an ending means by itself. Source: the exit rules of facts/rdna.md section 2.
pub(super) fn from_ending(ended: &Ended, stderr: &str) -> Class {
    match ended {
        Ended::Exited { code: 1 } if stderr.contains("Traceback (most recent call last)") => Class::PythonException,
        Ended::Exited { code: 101 } if stderr.contains("panicked at ") => Class::RustPanic,
        Ended::Exited { code: 127 } | Ended::NotStarted { .. } => Class::Setup,
        Ended::Exited { .. } => Class::Unknown,
        Ended::Signaled { signal: Signal(4) } => Class::HostIllegalInstruction,
        Ended::Signaled { signal: Signal(6) } => Class::AbortUnexplained,
        Ended::Signaled { signal: Signal(7) } => Class::HostFault,
        Ended::Signaled { signal: Signal(9 | 15) } => Class::Killed,
        Ended::Signaled { signal: Signal(11) } => Class::Segfault,
        Ended::Signaled { .. } => Class::Unknown,
        Ended::TimedOut { limit: Limit::Deadline | Limit::Silence } => Class::Hang,
        Ended::TimedOut { limit: Limit::Output } => Class::OutputFlood,
        Ended::Unreaped => Class::Unkillable,
        Ended::Cancelled => Class::Killed,
    }
}
