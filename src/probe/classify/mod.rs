//! What a process died of, from what it and the kernel printed and then from how it ended. Pure.
//!
//! Text is matched against the table of signatures (`facts`). What nothing matches stays unknown and is kept word for
//! word: a guess would hide the one report that somebody could have learnt from.

mod rank;
mod seen;
mod text;

use serde::{Deserialize, Serialize};

use crate::domain::{Ended, Reading};
use crate::facts::{Class, Severity, Stream};

pub use seen::Seen;

use rank::{deciding, from_ending};
use seen::{Place, places};
use text::{normalised, readable};

/// Most of an unknown text that is kept, in bytes, from its end: the last words are the ones that count.
const LAST_WORDS: usize = 8 << 10;

/// Most places that are reported of one death.
const PLACES: usize = 200;

/// What a process left behind.
#[derive(Debug, Clone)]
pub struct Remains<'a> {
    /// How it ended.
    pub ended: &'a Ended,
    /// Whether it said everything that it was asked for, and good bye.
    pub answered: bool,
    /// What it printed on standard error.
    pub stderr: &'a [u8],
    /// What it printed on standard output that was no message.
    pub stdout: &'a [u8],
    /// What the kernel logged in the meantime.
    pub kernel: Reading<&'a str>,
    /// Which processes are it.
    pub pids: Pids,
}

/// The numbers of the processes that a probe consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pids {
    /// These: a line of the kernel that names another is about another.
    Known(Vec<u32>),
    /// In a container: the kernel counts otherwise, and a number says nothing.
    Incomparable,
}

/// What a process died of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classified {
    /// What happened; `None` where nothing did.
    pub class: Option<Class>,
    /// The same whenever the same thing happens: no addresses, process numbers or bus addresses.
    pub id: String,
    /// The signature that decided, where one did.
    pub signature: Option<String>,
    /// Every signature that was found, the process's own first.
    pub seen: Vec<Seen>,
    /// The process to blame, where the kernel names another for what took this one down: run it again alone.
    pub collateral: Option<u32>,
    /// Something was seen after which nothing on this machine can be trusted.
    pub stop: Option<Class>,
    /// Why the kernel log could not be read: then nothing is known of resets and faults.
    pub kernel_unread: Option<String>,
    /// The last words of a process whose death no signature explains, as it printed them.
    pub last_words: String,
}

/// Classifies one process.
pub fn classify(remains: &Remains<'_>) -> Classified {
    let (stderr, stdout) = (readable(remains.stderr), readable(remains.stdout));
    let kernel = remains.kernel.value().map(|text| readable(text.as_bytes())).unwrap_or_default();
    let mut found = places(&stderr, Stream::Stderr);
    found.extend(places(&stdout, Stream::Stdout));
    found.extend(places(&kernel, Stream::Kernel));

    let well = remains.ended.success() && remains.answered;
    let (ours, others): (Vec<&Place>, Vec<&Place>) = found.iter().partition(|place| is_ours(place, &remains.pids));
    let decided = deciding(&ours, remains.ended, well);
    let class = match (remains.ended, decided) {
        (Ended::Unreaped, _) => Some(Class::Unkillable),
        (Ended::Cancelled, _) => None,
        (_, Some(place)) => Some(place.signature.class),
        (ended, None) if !well => Some(from_ending(ended, &stderr)),
        (_, None) => None,
    };
    let decided = decided.filter(|place| class == Some(place.signature.class));
    let words = if stderr.trim().is_empty() { &stdout } else { &stderr };
    Classified {
        class,
        id: id(class, decided, remains.ended, words),
        signature: decided.map(|place| place.signature.id.clone()),
        seen: found.iter().take(PLACES).map(Place::seen).collect(),
        collateral: collateral(class, decided, &ours, &others),
        stop: stop(&ours, class),
        kernel_unread: remains.kernel.absence(),
        last_words: if class.is_some() && decided.is_none() { last_words(words) } else { String::new() },
    }
}

/// Whether a place may be about this process: it names no process, or one of its own.
fn is_ours(place: &Place, pids: &Pids) -> bool {
    match (place.pid, pids) {
        (Some(pid), Pids::Known(own)) => own.contains(&pid),
        (None, Pids::Known(_)) | (_, Pids::Incomparable) => true,
    }
}

/// The other process that a reset came from. A ring's timeout names whoever waited (often the desktop), so it blames
/// nobody; a page fault names who made it.
fn collateral(class: Option<Class>, decided: Option<&Place>, ours: &[&Place], others: &[&Place]) -> Option<u32> {
    let by_reset = matches!(class, Some(Class::GpuReset | Class::GpuHang | Class::HwsHang | Class::GpuLost))
        || class == Some(Class::AbortUnexplained) && decided.is_none();
    let own_fault = ours.iter().any(|place| {
        place.signature.class == Class::PageFault && (place.stream != Stream::Kernel || place.pid.is_some())
    });
    let culprit = others.iter().find(|place| place.signature.class == Class::PageFault).and_then(|place| place.pid);
    culprit.filter(|_| by_reset && !own_fault)
}

fn stop(ours: &[&Place], class: Option<Class>) -> Option<Class> {
    let stops = |class: &Class| matches!(class, Class::GpuLost | Class::MachineCheck | Class::Unkillable);
    let seen = ours.iter().filter(|place| place.signature.terminal && place.signature.severity == Severity::Fatal);
    class.filter(stops).or_else(|| seen.map(|place| place.signature.class).find(stops))
}

fn id(class: Option<Class>, decided: Option<&Place>, ended: &Ended, words: &str) -> String {
    let parts: Vec<String> = match (class, decided) {
        (None, _) => return String::new(),
        (Some(_), Some(place)) => {
            [place.signature.id.clone()].into_iter().chain(place.details.iter().cloned()).collect()
        }
        (Some(class @ (Class::Unknown | Class::PythonException | Class::RustPanic)), None) => {
            let last = words.lines().rev().find(|line| !line.trim().is_empty()).map(normalised).unwrap_or_default();
            let ending = if class == Class::Unknown { normalised_ending(ended) } else { String::new() };
            vec![class.to_string(), ending, last]
        }
        (Some(class), None) => vec![class.to_string()],
    };
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(":")
}

/// An ending as part of an id: the exit code is part of what happened.
fn normalised_ending(ended: &Ended) -> String {
    match ended {
        Ended::Exited { code } => format!("exit-{code}"),
        Ended::Signaled { signal } => signal.to_string(),
        Ended::TimedOut { .. } | Ended::Cancelled | Ended::Unreaped | Ended::NotStarted { .. } => String::new(),
    }
}

fn last_words(words: &str) -> String {
    let start = words.len().saturating_sub(LAST_WORDS);
    let start = (start..=words.len()).find(|at| words.is_char_boundary(*at)).unwrap_or(words.len());
    words[start..].to_owned()
}

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "the figures are what is reported")]
mod blind;
#[cfg(test)]
mod tests;
