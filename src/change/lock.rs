//! One change at a time.
//!
//! The lock is inherited by every program that is started while it is held: an `amd-smi` that outlives a killed
//! `validate` goes on changing the machine, and goes on holding the lock.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

/// The lock, held until it is dropped and every program started meanwhile has ended.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Somebody else holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held;

impl Lock {
    /// Takes the lock of a folder if nobody holds it.
    ///
    /// # Errors
    /// The file cannot be made or locked.
    pub fn take(dir: &Path) -> io::Result<Result<Self, Held>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(dir.join("lock"))?;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => return Ok(Err(Held)),
                Err(errno) => return Err(errno.into()),
            }
        }
        fcntl_setfd(&file, FdFlags::empty())?;
        Ok(Ok(Self { _file: file }))
    }
}
