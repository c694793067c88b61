//! What a program may only do while it has a single thread: change its own environment.
#![allow(unsafe_code, reason = "the environment: one of the two files that have to")]

use std::ffi::OsString;
use std::io;

/// # Errors
/// There are other threads than this one.
#[expect(clippy::disallowed_methods, reason = "a process looks at itself")]
pub fn single_thread() -> io::Result<()> {
    match std::fs::read_dir("/proc/self/task")?.count() {
        1 => Ok(()),
        threads => Err(io::Error::other(format!("there are {threads} threads, and a fork is only safe with one"))),
    }
}

/// Sets a variable of this process.
///
/// # Errors
/// There are other threads than this one.
pub fn set(name: impl Into<OsString>, value: impl Into<OsString>) -> io::Result<()> {
    single_thread()?;
    let (name, value) = (name.into(), value.into());
    let bytes = name.as_encoded_bytes();
    // What `set_var` does not take would stop this process.
    if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) || value.as_encoded_bytes().contains(&0) {
        return Err(io::Error::other("a variable without a name, or with a zero in it"));
    }
    // SAFETY: there is no other thread that could read the environment now.
    unsafe { std::env::set_var(name, value) };
    Ok(())
}
