//! The kernel log of a host: `/dev/kmsg` of the real machine, `HOST/kmsg` of any other.

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, read};

/// Bytes that are read at most: twice the largest ring that distributions configure.
const LIMIT: usize = 16 << 20;

/// Every record that the ring still holds, as `/dev/kmsg` gives them.
///
/// # Errors
/// It cannot be opened (it needs root where `kernel.dmesg_restrict` is 1) or read; says why.
pub(super) fn ring() -> Result<Vec<u8>, String> {
    let told = |errno: Errno| format!("/dev/kmsg: {}", std::io::Error::from(errno));
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(CWD, "/dev/kmsg", flags, Mode::empty()).map_err(told)?;
    let mut log = Vec::new();
    // One read gives one record, which is never longer than this.
    let mut record = [0; 8192];
    loop {
        match read(&file, &mut record) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(log),
            Ok(count) if log.len() + count > LIMIT => return Ok(log),
            Ok(count) => log.extend_from_slice(&record[..count]),
            // The ring moved on under the reader: the next read goes on behind the gap.
            Err(Errno::INTR | Errno::PIPE) => {}
            Err(errno) => return Err(told(errno)),
        }
    }
}
