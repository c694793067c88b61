//! What the worker of a probe leaves behind on a simulated machine: its last words, what the kernel logs, and how it ends.

use regex::Regex;

use crate::domain::Signal;
use crate::facts::{Class, Signature, Stream};
use crate::sim::fault::{Misbehaviour, ProbeFault};

/// The signal of an abort.
const ABRT: Signal = Signal(6);

/// The last words of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastWords {
    /// On standard error.
    pub stderr: String,
    /// On standard output, between the messages.
    pub stdout: String,
    /// In the kernel's log.
    pub kernel: String,
}

/// How a worker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit code.
    Exit(u8),
    /// By this signal.
    Die(Signal),
    /// Not, until it is stopped.
    Hang,
    /// Not, and it ignores SIGTERM.
    HangUnmoved,
    /// Not: it prints to standard error until it is stopped.
    Flood,
    /// With exit code 0, leaving a process behind that holds its pipes.
    LeaveChild,
}

/// How a worker with this process number dies of a fault before it has computed anything; `None` for a fault that lets
/// it compute.
pub fn death(fault: ProbeFault, pid: u32) -> Option<(LastWords, Ending)> {
    let silent = LastWords::default();
    match fault {
        ProbeFault::Signature(signature) => Some((words(signature, pid), ending(signature))),
        ProbeFault::Memory(_) => None,
        ProbeFault::Other(other) => match other {
            Misbehaviour::Hang => Some((silent, Ending::Hang)),
            Misbehaviour::HangUnmoved => Some((silent, Ending::HangUnmoved)),
            Misbehaviour::NoBye => Some((silent, Ending::Exit(0))),
            Misbehaviour::Flood => Some((silent, Ending::Flood)),
            Misbehaviour::HeldPipe => Some((silent, Ending::LeaveChild)),
            Misbehaviour::AnothersReset => Some((anothers_reset(pid), Ending::Die(ABRT))),
            Misbehaviour::Garbage => Some((
                LastWords { stdout: "MIOpen: searching…\n{\"message\":\n".to_owned(), ..silent },
                Ending::Exit(0),
            )),
            Misbehaviour::DiesAfterBye
            | Misbehaviour::Oops
            | Misbehaviour::Reboot
            | Misbehaviour::FallsOff
            | Misbehaviour::EnvironmentReset
            | Misbehaviour::WrongNumber
            | Misbehaviour::NotFinite
            | Misbehaviour::Zeros
            | Misbehaviour::Unwritten
            | Misbehaviour::OomRaised
            | Misbehaviour::NoBackend
            | Misbehaviour::NoDevice
            | Misbehaviour::Elsewhere
            | Misbehaviour::ClaimsGpu => None,
        },
    }
}

/// The signature's text as this process leaves it, among lines that mean nothing.
fn words(signature: &Signature, pid: u32) -> LastWords {
    let text = signature.examples.first().map_or_else(String::new, |text| of_process(signature, text, pid));
    match signature.stream {
        Stream::Stderr => LastWords { stderr: format!("epoch 1 of 10\n{text}\n"), ..LastWords::default() },
        Stream::Stdout => LastWords { stdout: format!("{text}\n"), ..LastWords::default() },
        Stream::Kernel => {
            let noise = "[  811.002214] usb 1-3: new high-speed USB device number 5 using xhci_hcd";
            LastWords { kernel: format!("{noise}\n[  812.451098] {text}\n"), ..LastWords::default() }
        }
    }
}

/// The text with this process's number where it names one.
fn of_process(signature: &Signature, text: &str, pid: u32) -> String {
    let Ok(pattern) = Regex::new(&signature.pattern) else { return text.to_owned() };
    let Some(captures) = pattern.captures(text) else { return text.to_owned() };
    let named = ["pid", "pid2"].iter().find_map(|name| captures.name(name)).map(|named| named.range());
    // A general protection fault names it between brackets.
    let bracketed = || {
        let start = text.find('[')? + 1;
        let end = start + text[start..].find(']')?;
        (signature.class == Class::Segfault).then_some(start..end)
    };
    match named.or_else(bracketed) {
        Some(range) => format!("{}{pid}{}", &text[..range.start], &text[range.end..]),
        None => text.to_owned(),
    }
}

/// By the signal or code that goes with the text. A text of the kernel alone goes with a hang where the GPU's queues
/// hang, and else with the abort by which the runtime answers.
fn ending(signature: &Signature) -> Ending {
    let code = |code: &i32| u8::try_from(*code).ok();
    match (signature.signals.first(), signature.codes.first().and_then(code)) {
        (Some(&signal), _) => Ending::Die(Signal(signal)),
        (None, Some(code)) => Ending::Exit(code),
        (None, None) if matches!(signature.class, Class::HwsHang | Class::RingTimeout) => Ending::Hang,
        (None, None) => Ending::Die(ABRT),
    }
}

fn anothers_reset(pid: u32) -> LastWords {
    let other = pid.wrapping_add(1);
    LastWords {
        stderr: "HW Exception by GPU node-1 (Agent handle: 0x5e5c11a41ac0) reason :GPU Hang\n".to_owned(),
        stdout: String::new(),
        kernel: format!(
            "[  812.1] amdgpu 0000:0c:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:24 vmid:8 pasid:32863)\n\
             [  812.1] amdgpu 0000:0c:00.0: amdgpu:  in process other pid {other} thread other pid {other}\n\
             [  821.4] amdgpu 0000:0c:00.0: amdgpu: GPU reset begin!\n"
        ),
    }
}
