//! One child from start to reap, in one thread: a single `poll` waits for its output, its end, the clock and the flag.

#![expect(
    clippy::disallowed_methods,
    reason = "children, their clocks and the variables that they inherit are handled here"
)]

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessGroup};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal as Sent, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid};

use crate::domain::{Ended, Limit, Signal};

use super::pipes::{Sink, Source, Turn};
use super::{Clocks, Heard, Outcome, Spec};

/// How long the pipes may stay open after the child is gone: only a process that left its group can hold them.
const LINGER: Duration = Duration::from_millis(200);

/// Longest wait without a look at the child, where the kernel gives no descriptor for it or for the flag.
const BLIND: Duration = Duration::from_millis(5);

const BUFFER: usize = 64 << 10;

/// Runs one child to its end. Bounded by `deadline + grace + reap` and a little for the pipes; never fails otherwise
/// than in [`Outcome::ended`].
pub fn run(spec: &Spec) -> Outcome {
    begin(spec, None)
}

/// As [`run`], of a child that says how it is getting on. Whatever it prints on standard output goes to `ear` as it
/// comes; where `ear` answers with clocks, they start again with these. The first ones run from the start.
pub fn run_listening(spec: &Spec, first: Clocks, ear: &mut dyn FnMut(Heard<'_>) -> Option<Clocks>) -> Outcome {
    begin(spec, Some((first, ear)))
}

type Ear<'a> = &'a mut dyn FnMut(Heard<'_>) -> Option<Clocks>;

fn begin<'a>(spec: &'a Spec, ear: Option<(Clocks, Ear<'a>)>) -> Outcome {
    let start = Instant::now();
    match spawn(spec) {
        Ok(mut child) => Supervisor::new(spec, child.as_mut(), start, ear).run(child.as_mut()),
        Err(error) => Outcome {
            ended: Ended::NotStarted { reason: format!("{}: {error}", spec.program.display()) },
            pid: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            took: start.elapsed(),
        },
    }
}

fn spawn(spec: &Spec) -> std::io::Result<Box<dyn ChildWrapper>> {
    // No pre_exec: it would turn posix_spawn into a fork of this process with all its memory.
    CommandWrap::with_new(&spec.program, |command| {
        if let Some(arg0) = &spec.arg0 {
            command.arg0(arg0);
        }
        if let Some(cwd) = &spec.cwd {
            command.current_dir(cwd);
        }
        command.args(&spec.args).env_clear();
        command.envs(spec.inherit.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(spec.env.iter().map(|(name, value)| (name, value)));
        command.stdin(if spec.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    })
    .wrap(ProcessGroup::leader())
    .spawn()
}

/// How far the kill ladder has been climbed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Running,
    /// SIGTERM was sent, for this reason.
    Terminating(Ended),
    /// SIGKILL was sent, for this reason.
    Killed(Ended),
}

struct Supervisor<'a> {
    spec: &'a Spec,
    start: Instant,
    group: Option<Pid>,
    pidfd: Option<OwnedFd>,
    stdin: Source<'a>,
    stdout: Sink,
    stderr: Sink,
    stage: Stage,
    /// When the next rung is due; `None` when the clock cannot hold it.
    until: Option<Instant>,
    /// Which limit that is, while the child runs.
    due: Limit,
    /// When the phase ends.
    phase: Option<Instant>,
    ear: Option<Ear<'a>>,
    /// How much of standard output the ear has got.
    heard: usize,
}

/// What a wait ended with.
struct Woken {
    ended: bool,
    over_cap: bool,
}

impl<'a> Supervisor<'a> {
    fn new(spec: &'a Spec, child: &mut dyn ChildWrapper, start: Instant, ear: Option<(Clocks, Ear<'a>)>) -> Self {
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (first, ear) = ear.unzip();
        let mut made = Self {
            spec,
            start,
            group,
            pidfd: group.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()),
            stdin: Source::new(child.stdin().take().map(OwnedFd::from), spec.stdin.as_deref().unwrap_or_default()),
            stdout: Sink::new(child.stdout().take().map(OwnedFd::from), spec.limits.output),
            stderr: Sink::new(child.stderr().take().map(OwnedFd::from), spec.limits.output),
            stage: Stage::Running,
            until: start.checked_add(spec.limits.deadline),
            due: Limit::Deadline,
            phase: None,
            ear,
            heard: 0,
        };
        if let Some(clocks) = first {
            made.wind(clocks, start);
        }
        made.tell(Heard::Started(child.id()));
        made
    }

    /// Starts clocks again: the one that runs out first is the one that counts.
    fn wind(&mut self, clocks: Clocks, now: Instant) {
        let whole = self.start.checked_add(self.spec.limits.deadline);
        if let Some(phase) = clocks.phase {
            self.phase = now.checked_add(phase);
        }
        let silence = clocks.silence.and_then(|silence| now.checked_add(silence));
        let due = [(whole, Limit::Deadline), (self.phase, Limit::Deadline), (silence, Limit::Silence)];
        let first = due.into_iter().filter_map(|(at, limit)| Some((at?, limit))).min_by_key(|(at, _)| *at);
        self.until = first.map(|(at, _)| at);
        self.due = first.map_or(Limit::Deadline, |(_, limit)| limit);
    }

    /// What the ear hears of that is no news of the child's, so that its clocks go on.
    fn tell(&mut self, heard: Heard<'_>) {
        if let Some(ear) = &mut self.ear {
            ear(heard);
        }
    }

    /// Reads what both pipes hold, and passes on what is new.
    fn read(&mut self, buffer: &mut [u8]) -> [Turn; 2] {
        let turns = [self.stdout.read(buffer), self.stderr.read(buffer)];
        let heard = std::mem::replace(&mut self.heard, self.stdout.bytes.len());
        let news = &self.stdout.bytes[heard..];
        let clocks = self.ear.as_mut().filter(|_| !news.is_empty()).and_then(|ear| ear(Heard::Said(news)));
        if let (Some(clocks), Stage::Running) = (clocks, &self.stage) {
            self.wind(clocks, Instant::now());
        }
        turns
    }

    fn run(mut self, child: &mut dyn ChildWrapper) -> Outcome {
        let mut buffer = vec![0; BUFFER];
        let ended = loop {
            let woken = self.wait(&mut buffer);
            if woken.ended {
                break self.reap(child, woken.over_cap, &mut buffer);
            }
            if woken.over_cap {
                self.stop(Ended::TimedOut { limit: Limit::Output });
            } else if self.spec.cancel.is_cancelled() {
                self.stop(Ended::Cancelled);
            }
            if self.until.is_some_and(|until| Instant::now() >= until)
                && let Some(ended) = self.climb()
            {
                break ended;
            }
        };
        Outcome {
            ended,
            pid: self.group.and_then(|pid| u32::try_from(pid.as_raw_pid()).ok()),
            stdout: self.stdout.bytes,
            stderr: self.stderr.bytes,
            took: self.start.elapsed(),
        }
    }

    /// Waits for the next event and moves what the pipes hold.
    fn wait(&mut self, buffer: &mut [u8]) -> Woken {
        let watch_flag = self.stage == Stage::Running;
        let pid_seen = {
            let mut fds = Vec::with_capacity(5);
            if let Some(pidfd) = &self.pidfd {
                fds.push(PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN));
            }
            let first_pipe = fds.len();
            for fd in [self.stdout.fd(), self.stderr.fd()].into_iter().flatten() {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
            if let Some(fd) = self.stdin.fd() {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::OUT));
            }
            let flag = self.spec.cancel.wake();
            if let (true, Some(fd)) = (watch_flag, flag) {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
            let blind = self.pidfd.is_none() || flag.is_none();
            let _ = poll(&mut fds, self.timeout(blind).as_ref());
            first_pipe == 1 && !fds[0].revents().is_empty()
        };
        self.stdin.write();
        // Read before the child's end is looked at, so that a child cannot end with its output over the cap unnoticed.
        let turns = self.read(buffer);
        Woken {
            ended: pid_seen || (self.pidfd.is_none() && self.is_zombie()),
            over_cap: turns.contains(&Turn::OverCap),
        }
    }

    fn timeout(&self, blind: bool) -> Option<Timespec> {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = if blind { Some(left.map_or(BLIND, |left| left.min(BLIND))) } else { left };
        left.and_then(|left| Timespec::try_from(left).ok())
    }

    /// Whether the child has ended, without reaping it: its number must stay taken while its group is signalled.
    fn is_zombie(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.group.is_none_or(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_)) | Err(_)))
    }

    /// Takes the first rung, once.
    fn stop(&mut self, why: Ended) {
        if self.stage == Stage::Running {
            self.tell(Heard::Ending);
            self.signal(Sent::TERM);
            self.stage = Stage::Terminating(why);
            self.until = Instant::now().checked_add(self.spec.limits.grace);
        }
    }

    /// Takes the next rung; the ending when there is none left.
    fn climb(&mut self) -> Option<Ended> {
        match std::mem::replace(&mut self.stage, Stage::Running) {
            Stage::Running => {
                self.stop(Ended::TimedOut { limit: self.due });
                None
            }
            Stage::Terminating(why) => {
                self.signal(Sent::KILL);
                self.stage = Stage::Killed(why);
                self.until = Instant::now().checked_add(self.spec.limits.reap);
                None
            }
            Stage::Killed(_) => Some(Ended::Unreaped),
        }
    }

    /// Kills what is left of the group, reads what is left in the pipes, and takes the exit status.
    fn reap(&mut self, child: &mut dyn ChildWrapper, over_cap: bool, buffer: &mut [u8]) -> Ended {
        self.tell(Heard::Ending);
        self.signal(Sent::KILL);
        let over_cap = over_cap || self.drain(buffer);
        let status = child.try_wait();
        match std::mem::replace(&mut self.stage, Stage::Running) {
            Stage::Terminating(why) | Stage::Killed(why) => why,
            Stage::Running if over_cap => Ended::TimedOut { limit: Limit::Output },
            Stage::Running => match status {
                Ok(Some(status)) => ended(status),
                Ok(None) | Err(_) => Ended::Unreaped,
            },
        }
    }

    /// Reads until both pipes end or the linger is over; true when there was more than the cap.
    fn drain(&mut self, buffer: &mut [u8]) -> bool {
        let until = Instant::now() + LINGER;
        loop {
            let over_cap = self.read(buffer).contains(&Turn::OverCap);
            let mut fds: Vec<_> = [self.stdout.fd(), self.stderr.fd()]
                .into_iter()
                .flatten()
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
                .collect();
            let left = until.saturating_duration_since(Instant::now());
            if over_cap || fds.is_empty() || left.is_zero() {
                return over_cap;
            }
            let _ = poll(&mut fds, Timespec::try_from(left).ok().as_ref());
        }
    }

    fn signal(&self, signal: Sent) {
        if let Some(group) = self.group {
            // The child may have ended in between; its zombie keeps the number until it is reaped.
            let _ = kill_process_group(group, signal);
        }
    }
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited { code },
        (None, Some(signal)) => Ended::Signaled { signal: Signal(signal) },
        (None, None) => Ended::Unreaped,
    }
}
