//! Two things that a program may only do while it has a single thread: fork, and change its own environment.
#![allow(unsafe_code, reason = "fork and the environment: one of the two files that have to")]

use std::ffi::OsString;
use std::io;

use rustix::process::Pid;

/// Both sides of a fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// This is the process that forked, and this the new one's number.
    Parent(Pid),
    /// This is the new process.
    Child,
}

/// Forks.
///
/// # Errors
/// This process has other threads, whose locks would stay locked in the new one; or the kernel refuses.
pub fn fork() -> io::Result<Forked> {
    single_thread()?;
    // SAFETY: there is no other thread, so that nothing is half done in the new process.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        number => Pid::from_raw(number).map(Forked::Parent).ok_or_else(|| io::Error::other("a fork without a number")),
    }
}

/// Ends this process with 0 and without libtorch's destructors, which take longer than most probes and tear down what the
/// warm parent loaded. Nothing may be left to be flushed.
pub fn end() -> ! {
    // SAFETY: it only ends this process.
    unsafe { libc::_exit(0) }
}

/// # Errors
/// There are other threads than this one.
#[expect(clippy::disallowed_methods, reason = "a process looks at itself")]
pub fn single_thread() -> io::Result<()> {
    match std::fs::read_dir("/proc/self/task")?.count() {
        1 => Ok(()),
        threads => Err(io::Error::other(format!("there are {threads} threads, and a fork is only safe with one"))),
    }
}

/// Replaces the environment by these variables.
///
/// # Errors
/// There are other threads than this one.
pub fn replace_environment(variables: &[(OsString, OsString)]) -> io::Result<()> {
    single_thread()?;
    for (name, _) in std::env::vars_os() {
        // SAFETY: there is no other thread that could read the environment now.
        unsafe { std::env::remove_var(name) };
    }
    variables.iter().try_for_each(|(name, value)| set(name.clone(), value.clone()))
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
