//! What the worker of a probe does to a simulated machine, beside what it prints.
#![expect(clippy::disallowed_methods, reason = "it changes what the machine's kernel shows")]

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::KMSG_FILE;

/// What the firmware keeps of a kernel's last words. Source: signature `k_mce`, facts/rdna.md section 1 (ROCm#2935).
const LAST_WORDS: &str = "mce: [Hardware Error]: Machine check events logged\n\
                          mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: bea0000000000108\n";

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

/// The machine reboots: another boot, with a log that begins anew; what the kernel said last is in the persistent store.
///
/// # Errors
/// The folder cannot be written.
pub fn reboot(host: &Path) -> io::Result<()> {
    let boot_id = host.join("proc/sys/kernel/random/boot_id");
    let before = fs::read(&boot_id)?;
    let mut id = String::new();
    for (at, byte) in Sha256::digest(before).iter().take(16).enumerate() {
        let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(id, "{dash}{byte:02x}");
    }
    let store = host.join("sys/fs/pstore");
    fs::create_dir_all(&store)?;
    let log = fs::read_to_string(host.join(KMSG_FILE)).unwrap_or_default();
    fs::write(store.join("dmesg-efi-1"), format!("Panic#1 Part1\n{log}{LAST_WORDS}"))?;
    fs::write(host.join(KMSG_FILE), "[    0.000000] Linux version 6.8.0\n")?;
    fs::remove_file(&boot_id)?;
    fs::write(boot_id, id + "\n")
}
