//! `validate probe-launch`: limits this process and becomes a worker. Hidden: the trampoline of `probe::supervise`, since
//! limits of a child can only be set by the child.
#![expect(clippy::disallowed_methods, reason = "it becomes another program, and starts none")]

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use clap::Args;
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit};

/// Options of `validate probe-launch`.
#[derive(Debug, Args)]
pub struct LaunchArgs {
    /// Process that the worker must not outlive
    #[arg(long)]
    parent: i32,
    /// Most address space, in bytes
    #[arg(long)]
    memory: Option<u64>,
    /// The worker and its arguments
    #[arg(last = true, required = true)]
    worker: Vec<OsString>,
}

/// Becomes the worker.
///
/// # Errors
/// Why it could not: a limit that cannot be set, a supervisor that is gone, a program that cannot be started.
pub fn run(args: &LaunchArgs) -> Result<std::convert::Infallible, String> {
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
    let Some((program, rest)) = args.worker.split_first() else { return Err("no worker was named".to_owned()) };
    Err(format!("{}: {}", program.display(), Command::new(program).args(rest).exec()))
}
