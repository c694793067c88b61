//! How this process ends where a simulated one ends otherwise than by itself.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getpid, getppid, kill_process, setrlimit};

use crate::domain::Signal;

pub(super) fn ignore_stop_signals() {
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        // Nobody looks at the flag: to have a handler is to survive.
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
}

/// Waits for ever, but not longer than whoever started it: a simulated hang must not outlive a killed run.
pub(super) fn hang() -> ! {
    let parent = getppid();
    while getppid() == parent {
        sleep(Duration::from_millis(500));
    }
    die(Signal(signal_hook::consts::SIGKILL))
}

/// Ends this process and what supervises it, as a machine that goes down does: neither has a last word.
pub(super) fn take_supervisor_down() -> ! {
    if let Some(parent) = getppid() {
        let _ = kill_process(parent, rustix::process::Signal::KILL);
    }
    die(Signal(signal_hook::consts::SIGKILL))
}

/// Ends this process by a signal, without a core file.
pub(super) fn die(signal: Signal) -> ! {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    loop {
        // More than once: the runtime's own handler of SIGSEGV and SIGBUS only takes itself away the first time.
        if let Some(signal) = rustix::process::Signal::from_named_raw(signal.0) {
            let _ = kill_process(getpid(), signal);
        }
        sleep(Duration::from_millis(1));
    }
}
