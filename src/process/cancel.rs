//! A flag that stops children wherever they are being waited for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// A cancellation flag. Clones share it; once raised it stays raised.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    raised: AtomicBool,
    /// Never read from, so that it wakes every waiter for ever. `None` where the kernel gave no descriptor:
    /// waiters then look at the flag between their own time-outs.
    wake: Option<OwnedFd>,
}

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok();
        Self(Arc::new(Shared { raised: AtomicBool::new(false), wake }))
    }

    /// Raises the flag and wakes everyone who waits for a child.
    pub fn cancel(&self) {
        self.0.raised.store(true, Ordering::SeqCst);
        if let Some(wake) = &self.0.wake {
            // The counter can only be full of earlier wake-ups, which do the same.
            let _ = rustix::io::write(wake, &1_u64.to_ne_bytes());
        }
    }

    /// Whether it was raised.
    pub fn is_cancelled(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    /// Readable as soon as the flag is raised.
    pub(super) fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.0.wake.as_ref().map(AsFd::as_fd)
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}
