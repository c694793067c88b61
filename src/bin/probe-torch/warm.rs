//! The warm parent: libtorch is loaded once, and each probe on the CPU is a fork. It runs no operation itself and has a single
//! thread, so that every fork finds libtorch as it is when it has just been loaded.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rocvet::probe::warm::READY;
use rocvet::probe::warm::call::{Call, Ending, answer, receive};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, getpid, getppid, kill_process, pidfd_open,
    set_parent_process_death_signal, setpgid, setrlimit, waitpid,
};

use crate::fork::{Forked, fork, replace_environment, single_thread};

/// How long a caller may take to say what it wants. Nobody else is served meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// A fork that runs.
struct Running {
    pid: Pid,
    ended: OwnedFd,
    /// `None` when it is gone, and the fork was killed.
    caller: Option<UnixStream>,
}

/// Serves the socket at this path. Returns only in forks, as what they are asked to be: with their caller's pipes, folder,
/// variables and process group.
///
/// # Errors
/// This process cannot be a warm parent, or the fork not what it is asked to be.
pub fn serve(socket: &Path) -> io::Result<()> {
    single_thread()?;
    let listener = UnixListener::bind(socket)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(format!("{READY}\n").as_bytes()).and_then(|()| stdout.flush())?;
    drop(stdout);
    let mut running: Vec<Running> = Vec::new();
    loop {
        let is_called = wait(&listener, &mut running)?;
        running.retain_mut(|each| !is_over(each));
        if is_called {
            let (stream, _) = listener.accept()?;
            match begin(stream)? {
                Begun::Running(one) => running.push(one),
                Begun::Refused => {}
                Begun::Child(call, streams, parent) => {
                    drop((listener, running));
                    return become_worker(&call, streams, parent);
                }
            }
        }
    }
}

enum Begun {
    Running(Running),
    Refused,
    Child(Call, [OwnedFd; 3], Pid),
}

/// Waits until there is a call, or a fork ended, or a caller is gone; whether there is a call.
fn wait(listener: &UnixListener, running: &mut [Running]) -> io::Result<bool> {
    let mut fds = vec![PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
    for each in running.iter() {
        fds.push(PollFd::from_borrowed_fd(each.ended.as_fd(), PollFlags::IN));
    }
    // A caller has nothing more to say: what comes is its end.
    let callers: Vec<usize> = (0..running.len()).filter(|&at| running[at].caller.is_some()).collect();
    for stream in running.iter().filter_map(|each| each.caller.as_ref()) {
        fds.push(PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::IN | PollFlags::RDHUP));
    }
    match poll(&mut fds, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let is_called = !fds[0].revents().is_empty();
    let gone: Vec<usize> = callers
        .iter()
        .zip(&fds[running.len() + 1..])
        .filter(|(_, fd)| !fd.revents().is_empty())
        .map(|(at, _)| *at)
        .collect();
    for at in gone {
        // Without its caller nobody would stop it.
        running[at].caller = None;
        let _ = kill_process(running[at].pid, Signal::KILL);
    }
    Ok(is_called)
}

/// Whether it ended; its caller is told how.
fn is_over(running: &mut Running) -> bool {
    let Ok(Some((_, status))) = waitpid(Some(running.pid), WaitOptions::NOHANG) else { return false };
    let ending = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ending::Exited(code),
        (None, Some(signal)) => Ending::Signaled(signal),
        (None, None) => return false,
    };
    // A caller that is gone needs no answer.
    let _ = running.caller.take().map(|stream| answer(stream, &ending));
    true
}

/// Forks for a caller.
fn begin(mut stream: UnixStream) -> io::Result<Begun> {
    let parent = getpid();
    let heard = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| receive(&mut stream));
    let forked = heard.and_then(|(call, streams)| Ok((fork()?, call, streams)));
    match forked {
        Ok((Forked::Child, call, streams)) => Ok(Begun::Child(call, streams, parent)),
        Ok((Forked::Parent(pid), ..)) => {
            let ended = pidfd_open(pid, PidfdFlags::empty())?;
            Ok(Begun::Running(Running { pid, ended, caller: Some(stream) }))
        }
        Err(error) => {
            let _ = answer(stream, &Ending::Refused(error.to_string()));
            Ok(Begun::Refused)
        }
    }
}

/// Makes this fork what its caller asked for.
fn become_worker(call: &Call, [stdin, stdout, stderr]: [OwnedFd; 3], parent: Pid) -> io::Result<()> {
    // First of all: from now on what is said here is heard.
    rustix::stdio::dup2_stdin(stdin)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        return Err(io::Error::other("the warm parent is gone"));
    }
    // The caller leads a group that the supervisor knows, and kills.
    setpgid(None, Pid::from_raw(call.group))?;
    std::env::set_current_dir(&call.folder)?;
    replace_environment(&call.variables)?;
    if let Some(memory) = call.memory {
        setrlimit(Resource::As, Rlimit { current: Some(memory), maximum: Some(memory) })?;
    }
    Ok(())
}
