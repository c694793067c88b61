//! What the worker of a probe does to a simulated machine, beside what it prints.
#![expect(clippy::disallowed_methods, reason = "it changes what the machine's kernel shows")]

use std::fs;
use std::io;
use std::path::Path;

/// The kernel's letter D: it died in an oops.
const OOPS: &str = "128\n";

/// The kernel had an oops.
///
/// # Errors
/// The folder cannot be written.
pub fn oops(host: &Path) -> io::Result<()> {
    let file = host.join("proc/sys/kernel/tainted");
    // As the kernel's own it may not be written to.
    fs::remove_file(&file)?;
    fs::write(file, OOPS)
}

/// The GPUs fell off the bus: the driver shows none of them any more.
///
/// # Errors
/// The folder cannot be written.
pub fn fall_off(host: &Path) -> io::Result<()> {
    for folder in ["sys/class/drm", "sys/bus/pci/drivers/amdgpu"] {
        match fs::remove_dir_all(host.join(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
