//! Real processes that use the GPU of a simulated machine: what its kernel shows of them.
#![expect(clippy::disallowed_methods, reason = "host owns the files of a host folder")]

use std::fs;
use std::path::Path;

use rustix::process::{Pid, test_kill_process};

use crate::domain::Bytes;
use crate::host::HostError;
use crate::sim::Kernel;
use crate::sim::render::sysfs::{LIST, alive, user};

use super::tree::unwritable;

/// Shows this process, the environment that it really has, and so much memory on the GPU with a queue, or no GPU. A host without trees shows nothing.
///
/// # Errors
/// The folder cannot be written.
pub fn show_user(dir: &Path, kernel: &Kernel, pid: u32, used: Option<Bytes>) -> Result<(), HostError> {
    if !dir.join("sys").is_dir() {
        return Ok(());
    }
    forget_users(dir, kernel);
    let shown = used.map(|used| user(&kernel.view(), pid, used)).unwrap_or_default();
    for (path, text) in shown.into_iter().chain([alive(pid)]) {
        let path = dir.join(path);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&path, text)).map_err(|error| unwritable(&path, error))?;
    }
    let (own, shown) = (fs::read("/proc/self/environ"), dir.join(format!("proc/{pid}/environ")));
    // Where this machine shows no environment a simulated one has none to show.
    own.map_or(Ok(()), |own| fs::write(&shown, own).map_err(|error| unwritable(&shown, error)))
}

/// Takes away what is shown of processes that are gone. A kernel does so at once; here it is done before anybody looks
/// again, since a process that was killed cannot.
pub fn forget_users(dir: &Path, kernel: &Kernel) {
    let clients: Vec<_> = kernel.view().clients.iter().map(|client| client.pid).collect();
    for list in [LIST, "proc"] {
        for entry in fs::read_dir(dir.join(list)).into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let client = u32::try_from(pid).is_ok_and(|pid| clients.contains(&pid));
            let gone = Pid::from_raw(pid).is_none_or(|pid| test_kill_process(pid).is_err());
            if gone && !client {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}
