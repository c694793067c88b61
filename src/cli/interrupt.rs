//! SIGINT and SIGTERM: children in flight are stopped, and the command ends in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::process::Cancel;

use super::exit::Failure;

/// Turns SIGINT and SIGTERM into a stop of the command for as long as it lives. Without it a child, which has a process
/// group of its own, would outlive us.
pub struct Interrupt {
    /// Raised by the signal: nothing further is begun.
    pub flag: Arc<AtomicBool>,
    signal: Arc<AtomicI32>,
    handle: Handle,
}

impl Interrupt {
    /// Begins to listen; `cancel` stops the children in flight.
    ///
    /// # Errors
    /// The system refuses to hand signals over.
    pub fn listen(cancel: Cancel) -> Result<Self, Failure> {
        let mut signals =
            Signals::new([SIGINT, SIGTERM]).context("listen for signals").map_err(Failure::unavailable)?;
        let (flag, signal) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI32::new(0)));
        let stop = Self { flag: Arc::clone(&flag), signal: Arc::clone(&signal), handle: signals.handle() };
        std::thread::spawn(move || {
            for number in &mut signals {
                signal.store(number, Ordering::SeqCst);
                flag.store(true, Ordering::SeqCst);
                cancel.cancel();
            }
        });
        Ok(stop)
    }

    /// The signal that came, if one did.
    pub fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.handle.close();
    }
}
