//! The lock of a host folder.

use std::fs::File;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::host::HostError;

use super::LOCK_FILE;

/// How long to wait for a holder that is never slow itself: another program may hold the lock for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who else may hold the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Other readers.
    Shared,
    /// Nobody.
    Alone,
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock of the simulated host `dir`: shared to read the trees and state as one snapshot.
///
/// # Errors
/// There is no lock file, or somebody held the lock for half a minute.
pub fn lock(dir: &Path, sharing: Sharing) -> Result<Lock, HostError> {
    let path = dir.join(LOCK_FILE);
    let unusable = |error: std::io::Error| HostError::malformed(LOCK_FILE, format!("cannot be locked: {error}"));
    // Reading is enough for either kind of lock, so a caller who may not write can ask too.
    let file = File::open(&path).map_err(unusable)?;
    let operation = match sharing {
        Sharing::Shared => FlockOperation::NonBlockingLockShared,
        Sharing::Alone => FlockOperation::NonBlockingLockExclusive,
    };
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_micros(100));
    loop {
        match flock(&file, operation) {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if waited < PATIENCE => {
                sleep(pause);
                waited += pause;
                pause = (pause * 2).min(Duration::from_millis(4));
            }
            Err(Errno::WOULDBLOCK) => {
                let seconds = PATIENCE.as_secs();
                return Err(HostError::malformed(LOCK_FILE, format!("held by somebody else for {seconds} s")));
            }
            Err(errno) => return Err(unusable(errno.into())),
        }
    }
}
