//! `validate probe-launch`: limits this process and becomes a worker. Hidden: the trampoline of `probe::supervise`, since
//! limits of a child can only be set by the child.
#![expect(clippy::disallowed_methods, reason = "it becomes another program, and starts none")]

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use rustix::process::{Pid, Resource, Rlimit, Signal, getpgrp, getppid, set_parent_process_death_signal, setrlimit};

use crate::domain;
use crate::probe::warm::call::{Call, Ending, call, ending};

use super::dying::{die, ignore_stop_signals};

/// Options of `validate probe-launch`.
#[derive(Debug, Args)]
pub struct LaunchArgs {
    /// Process that the worker must not outlive
    #[arg(long)]
    parent: i32,
    /// Most address space, in bytes
    #[arg(long)]
    memory: Option<u64>,
    /// Have it forked by the warm parent behind this socket, and end as it ends
    #[arg(long, value_name = "SOCKET")]
    warm: Option<PathBuf>,
    /// The worker and its arguments
    #[arg(last = true, required = true)]
    worker: Vec<OsString>,
}

/// Becomes the worker, or ends with the exit code of the one that was forked for it.
///
/// # Errors
/// Why it could not: a limit that cannot be set, a supervisor that is gone, a program that cannot be started.
pub fn run(args: &LaunchArgs) -> Result<u8, String> {
    let limit = |resource, most| {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|errno| format!("cannot limit {resource:?} to {most}: {errno}"))
    };
    limit(Resource::Core, 0)?;
    if let Some(memory) = args.memory {
        limit(Resource::As, memory)?;
    }
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| errno.to_string())?;
    // It may have died before the signal was asked for.
    if getppid().map(Pid::as_raw_pid) != Some(args.parent) {
        return Err("the supervisor is gone".to_owned());
    }
    match &args.warm {
        Some(socket) => {
            forked(socket, args.memory).map_err(|problem| format!("the warm parent at {}: {problem}", socket.display()))
        }
        None => become_worker(&args.worker).map(|never| match never {}),
    }
}

fn become_worker(worker: &[OsString]) -> Result<Infallible, String> {
    let Some((program, rest)) = worker.split_first() else { return Err("no worker was named".to_owned()) };
    Err(format!("{}: {}", program.display(), Command::new(program).args(rest).exec()))
}

/// Gives what this process has to a fork of the warm parent, waits for it, and ends as it ended.
fn forked(socket: &Path, memory: Option<u64>) -> Result<u8, String> {
    // A stop is for the fork, which is in the same group: this process tells how that ended.
    ignore_stop_signals();
    let text = |error: std::io::Error| error.to_string();
    let mut stream = UnixStream::connect(socket).map_err(text)?;
    let asked = Call {
        folder: std::env::current_dir().map_err(text)?,
        variables: std::env::vars_os().collect(),
        memory,
        group: getpgrp().as_raw_pid(),
    };
    call(&mut stream, &asked, &[rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()])
        .map_err(text)?;
    match ending(stream).map_err(text)? {
        Ending::Exited(code) => u8::try_from(code).map_err(|_| format!("an exit code of {code}")),
        Ending::Signaled(signal) => die(domain::Signal(signal)),
        Ending::Refused(why) => Err(why),
    }
}
