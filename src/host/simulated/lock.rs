//! The lock of a host folder.

use std::path::Path;

use crate::filelock::{Lock, PATIENCE, Sharing};
use crate::host::HostError;

use super::LOCK_FILE;

/// Takes the lock of the simulated host `dir`: shared to read the trees and state as one snapshot.
///
/// # Errors
/// There is no lock file, or somebody held the lock for half a minute.
pub fn lock(dir: &Path, sharing: Sharing) -> Result<Lock, HostError> {
    match Lock::of_existing(&dir.join(LOCK_FILE), sharing) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => {
            let seconds = PATIENCE.as_secs();
            Err(HostError::malformed(LOCK_FILE, format!("held by somebody else for {seconds} s")))
        }
        Err(error) => Err(HostError::malformed(LOCK_FILE, format!("cannot be locked: {error}"))),
    }
}
