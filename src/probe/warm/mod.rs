//! A warm parent: a worker that is loaded once and forks for each probe. For the CPU only: what drives a GPU does not
//! survive a fork.
//!
//! The supervisor does not know of it. It starts the trampoline as for any worker; the trampoline, instead of becoming the
//! worker, asks the parent for a fork (`call`), gives it its own pipes, folder and variables, waits, and ends as the fork
//! ended. The fork joins the process group that the supervisor made, so that the kill ladder reaches it as any worker; a
//! parent that loses the trampoline kills the fork.

pub mod call;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use super::protocol::Kind;
use super::stand::Stand;
use super::supervise::{Launcher, Worker, worker_process};
use crate::process::{Cancel, Clocks, Heard, Limits, Outcome, run_listening};

/// What the parent prints when it can be asked.
pub const READY: &str = "ready";

/// Longest time until it can be asked: libraries are read from a disk that may be slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// A warm parent, as long as this lives.
#[derive(Debug)]
pub struct WarmParent {
    stand: Stand,
    cancel: Cancel,
    waits: Option<JoinHandle<Outcome>>,
    /// Its socket lies here.
    _folder: TempDir,
}

/// There is no warm parent; a fresh process for each probe does the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWarm {
    /// A GPU was asked for.
    #[error("what drives a GPU does not survive a fork: on a GPU each probe is a fresh process")]
    Gpu,
    /// No folder for its socket.
    #[error("no folder for the warm parent: {0}")]
    Folder(String),
    /// It ended, or said nothing.
    #[error("{program} did not become a warm parent: {why}")]
    NotReady {
        /// What was started.
        program: String,
        /// In its words.
        why: String,
    },
}

impl WarmParent {
    /// Starts the worker of this stand as a warm parent, by `--warm SOCKET` after its arguments, and waits until it is
    /// loaded.
    ///
    /// # Errors
    /// It cannot be one.
    pub fn start(stand: &Stand) -> Result<Self, NotWarm> {
        if stand.on == Kind::Gpu {
            return Err(NotWarm::Gpu);
        }
        let folder = tempfile::Builder::new().prefix("rocvet-warm-").tempdir();
        let folder = folder.map_err(|error| NotWarm::Folder(error.to_string()))?;
        let socket = folder.path().join("socket");
        let cancel = Cancel::new();
        let mut spec = worker_process(&parent(&stand.worker, &socket), Vec::new(), folder.path(), cancel.clone());
        // It lives as long as its probes need it, and is stopped by the flag.
        spec.limits = Limits { deadline: Duration::MAX, ..Limits::default() };
        let (ready, is_ready) = mpsc::channel();
        let waits = thread::spawn(move || {
            let forever = Clocks { phase: None, silence: None };
            run_listening(&spec, forever, &mut |heard| {
                if matches!(heard, Heard::Said(said) if said.starts_with(READY.as_bytes())) {
                    let _ = ready.send(());
                }
                None
            })
        });
        let asked = Stand { worker: asking(&stand.worker, &socket), ..stand.clone() };
        let parent = Self { stand: asked, cancel, waits: Some(waits), _folder: folder };
        // When it ends before, its end of the channel is gone and this returns at once.
        match is_ready.recv_timeout(PATIENCE) {
            Ok(()) => Ok(parent),
            Err(_) => Err(NotWarm::NotReady { program: stand.worker.program.display().to_string(), why: parent.end() }),
        }
    }

    /// Where probes are run by forks of it; otherwise as the stand that it was started for.
    pub const fn stand(&self) -> &Stand {
        &self.stand
    }

    /// Stops it, and says what it said at last.
    fn end(mut self) -> String {
        self.cancel.cancel();
        let Some(Ok(outcome)) = self.waits.take().map(JoinHandle::join) else { return "it was lost".to_owned() };
        let words = String::from_utf8_lossy(&outcome.stderr);
        let words = words.trim();
        if words.is_empty() { outcome.ended.to_string() } else { words.chars().take(2000).collect() }
    }
}

impl Drop for WarmParent {
    fn drop(&mut self) {
        self.cancel.cancel();
        // Bounded by the kill ladder.
        let _ = self.waits.take().map(JoinHandle::join);
    }
}

/// The worker as a warm parent.
fn parent(worker: &Worker, socket: &Path) -> Worker {
    let mut parent = worker.clone();
    parent.args.extend(["--warm".into(), PathBuf::from(socket).into()]);
    // The limit is the probe's: each fork sets its own.
    parent.launcher.memory = None;
    parent.env.clear();
    parent
}

/// The worker, forked by the parent behind this socket.
fn asking(worker: &Worker, socket: &Path) -> Worker {
    let mut args = worker.launcher.args.clone();
    args.extend(["--warm".into(), PathBuf::from(socket).into()]);
    Worker { launcher: Launcher { args, ..worker.launcher.clone() }, ..worker.clone() }
}
