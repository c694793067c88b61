//! A lock on a file: one writer, or several readers, and no endless wait for a holder.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// How long to wait for a holder, which only reads or writes one file: another program may hold the lock for ever.
pub const PATIENCE: Duration = Duration::from_secs(30);

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

impl Lock {
    /// Takes the lock of a file, which a writer makes; `None` when somebody else held it for too long.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub fn take(path: &Path, sharing: Sharing) -> io::Result<Option<Self>> {
        let file = match sharing {
            Sharing::Shared => File::open(path)?,
            // Another user may have made it: reading is enough to lock.
            Sharing::Alone => File::open(path)
                .or_else(|_| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path))?,
        };
        Self::of(file, sharing)
    }

    /// Takes the lock of a file that must be there. Who may only read can lock it too.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn of_existing(path: &Path, sharing: Sharing) -> io::Result<Option<Self>> {
        Self::of(File::open(path)?, sharing)
    }

    fn of(file: File, sharing: Sharing) -> io::Result<Option<Self>> {
        let operation = match sharing {
            Sharing::Shared => FlockOperation::NonBlockingLockShared,
            Sharing::Alone => FlockOperation::NonBlockingLockExclusive,
        };
        let (mut waited, mut pause) = (Duration::ZERO, Duration::from_micros(100));
        loop {
            match flock(&file, operation) {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if waited < PATIENCE => {
                    sleep(pause);
                    waited += pause;
                    pause = (pause * 2).min(Duration::from_millis(4));
                }
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_waits_for_readers_and_readers_share() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        drop(Lock::take(&path, Sharing::Alone).unwrap().unwrap());
        let one = Lock::take(&path, Sharing::Shared).unwrap().unwrap();
        let two = Lock::take(&path, Sharing::Shared).unwrap().unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| Lock::take(&path, Sharing::Alone).unwrap().is_some());
            sleep(Duration::from_millis(20));
            assert!(!writer.is_finished(), "two readers hold it");
            drop((one, two));
            assert!(writer.join().unwrap());
        });
    }
}
