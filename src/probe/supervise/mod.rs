//! Runs one probe in a worker that may die, and says exactly what became of it.
//!
//! The supervisor knows a program, a request and a kernel log; what a worker is made of, or what somebody planted in it,
//! it does not know.

mod isolation;
mod lookout;

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::domain::{Ended, Reading};
use crate::facts::Class;
use crate::process::{self, Cancel, Clocks, Heard, run_listening};
use crate::witness::gpu_use::Trees;
use crate::witness::kernel_log::{Log, LogWindow};
use crate::witness::tuning::WorkerEnvironment;

use super::classify::{Classified, Pids, Remains, classify};
use super::protocol::{Conversation, News, Phase, Problem, Reader, Request};

use lookout::{Lookout, Seen};

pub use isolation::{INHERITED, Launcher, Worker};
pub use lookout::Outside;

/// When a worker is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the start to the first result: libraries load and kernels compile, which takes minutes without a database
    /// for the chip.
    pub first: Duration,
    /// From one result to the next.
    pub run: Duration,
    /// Longest time without a message, before it says hello and between results; not while it compiles.
    pub silence: Duration,
    /// All of it; in a soak, the time to the first result, its budget and the last result instead.
    pub whole: Duration,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// From SIGKILL to giving up.
    pub reap: Duration,
    /// Bytes of each stream; one more stops it.
    pub output: usize,
    /// How long after a death the kernel may still log about it.
    pub settle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(600),
            run: Duration::from_secs(120),
            silence: Duration::from_secs(60),
            whole: Duration::from_secs(3600),
            grace: Duration::from_secs(5),
            reap: Duration::from_secs(20),
            output: 64 << 20,
            settle: Duration::from_secs(1),
        }
    }
}

/// How a probe came out, as far as its process goes; what its numbers are worth is the judge's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// It said everything, and good bye.
    Reported,
    /// It did not exit with 0.
    Died(Ended),
    /// It exited with 0 and did not keep to the protocol.
    ProtocolBroken(Problem),
}

/// Everything that came of a probe.
#[derive(Debug, Clone)]
pub struct Supervised {
    /// How it came out.
    pub outcome: ProbeOutcome,
    /// What it said.
    pub said: Conversation,
    /// What it died of, or what happened although it lived.
    pub classified: Classified,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// What the kernel logged in the meantime; evidence.
    pub kernel: Reading<LogWindow>,
    /// What the drivers counted for it while it lived; evidence that is not its own word.
    pub outside: Reading<Outside>,
    /// Its environment as its process had it when it had said hello, beside what was set for it.
    pub environment: Reading<WorkerEnvironment>,
    /// How long it took, from the start to the reap.
    pub took: Duration,
    /// Its process, where it could not be killed and is still there.
    pub left: Option<u32>,
}

impl Supervised {
    /// Whether nothing can be run on this machine any more.
    pub const fn stops_the_run(&self) -> Option<Class> {
        self.classified.stop
    }

    /// Whether another process's doing took it down, so that it should be run again alone.
    pub const fn is_collateral(&self) -> bool {
        self.classified.collateral.is_some()
    }
}

/// Runs a worker once. `log` is the kernel's log of its machine; `None` where nobody gave one, with nothing known of
/// resets and faults then.
pub fn supervise(
    worker: &Worker,
    request: &Request,
    limits: &Limits,
    log: Option<&mut dyn Log>,
    cancel: Cancel,
) -> Supervised {
    watch(worker, request, limits, log, None, cancel)
}

/// As [`supervise`], with a look at what the drivers count for it, and at its environment, in these trees.
pub fn watch(
    worker: &Worker,
    request: &Request,
    limits: &Limits,
    mut log: Option<&mut dyn Log>,
    trees: Option<&Trees>,
    cancel: Cancel,
) -> Supervised {
    let scratch = match tempfile::Builder::new().prefix("rocvet-probe-").tempdir() {
        Ok(scratch) => scratch,
        Err(error) => return not_started(request, format!("no folder for the worker: {error}")),
    };
    let request_line = match serde_json::to_vec(request) {
        Ok(line) => [line, b"\n".to_vec()].concat(),
        Err(error) => return not_started(request, format!("the request cannot be written: {error}")),
    };
    if let Some(log) = &mut log {
        // What was logged before is not about this worker.
        let _ = log.window();
    }
    let child = isolation::child(worker, request_line, scratch.path(), process_limits(limits, request.budget), cancel);
    let mut reader = Reader::of(request);
    let silence = Some(limits.silence);
    let mut running = false;
    let first = Clocks { phase: Some(limits.first), silence };
    let mut lookout = None;
    let outcome = run_listening(&child, first, &mut |heard| {
        let bytes = match heard {
            Heard::Said(bytes) => bytes,
            Heard::Started(pid) => {
                lookout = trees.and_then(|trees| Lookout::begin(trees, pid));
                return None;
            }
            Heard::Ending => {
                lookout.iter().for_each(|lookout| lookout.ends(reader.answered()));
                return None;
            }
        };
        let news = reader.feed(bytes);
        if news != News::Nothing {
            lookout.iter().for_each(|lookout| lookout.spoke(reader.greeted(), reader.answered()));
        }
        match news {
            News::Nothing => None,
            // While it compiles it cannot speak.
            News::Alive(Phase::First) => Some(Clocks { phase: None, silence: None }),
            // However often it says that it runs, the phase is as long as it is.
            News::Alive(Phase::Run) if running => Some(Clocks { phase: None, silence }),
            News::Alive(Phase::Run) | News::Done => {
                running = true;
                Some(Clocks { phase: Some(limits.run), silence })
            }
        }
    });
    let Seen { outside, environment } = lookout.map_or(Seen::NOTHING, Lookout::end);
    let environment = match reader.greeted() {
        Some(_) => environment.map(|has| isolation::beside(worker, scratch.path(), has)),
        None => Reading::malformed("", "the worker ended before it had said hello"),
    };
    let died = !outcome.ended.success();
    let pids = log.as_ref().is_none_or(|log| log.knows_our_pids());
    let kernel = log.map_or(Reading::NotReported, |log| {
        if died {
            sleep(limits.settle);
        }
        log.window()
    });
    Supervised { outside, environment, ..conclude(outcome, reader, kernel, pids) }
}

fn process_limits(limits: &Limits, budget: Option<u32>) -> process::Limits {
    let soak = |seconds: u32| limits.first + Duration::from_secs(seconds.into()) + limits.run;
    process::Limits {
        deadline: budget.map_or(limits.whole, soak),
        grace: limits.grace,
        reap: limits.reap,
        output: limits.output,
    }
}

/// Puts together what is known. Decides, and does nothing.
fn conclude(ran: process::Outcome, reader: Reader, kernel: Reading<LogWindow>, pids_known: bool) -> Supervised {
    let said = reader.finish(ran.ended.success());
    let outcome = match (&ran.ended, &said.problem) {
        (Ended::Exited { code: 0 }, None) => ProbeOutcome::Reported,
        (Ended::Exited { code: 0 }, Some(problem)) => ProbeOutcome::ProtocolBroken(problem.clone()),
        (ended, _) => ProbeOutcome::Died(ended.clone()),
    };
    // A fork of a warm parent has another number than what was started for it.
    let own = ran.pid.into_iter().chain(said.hello.as_ref().map(|hello| hello.pid));
    let pids = if pids_known { Pids::Known(own.collect()) } else { Pids::Incomparable };
    let mut classified = classify(&Remains {
        ended: &ran.ended,
        answered: outcome == ProbeOutcome::Reported,
        stderr: &ran.stderr,
        stdout: &said.noise,
        kernel: kernel.as_ref().map(|window| window.text.as_str()),
        pids,
    });
    if let Some(gap) = kernel.value().and_then(|window| window.gap) {
        classified.kernel_unread.get_or_insert_with(|| gap.to_owned());
    }
    let (outside, environment) = (Reading::NotReported, Reading::NotReported);
    let left = ran.pid.filter(|_| ran.ended == Ended::Unreaped);
    Supervised { outcome, said, classified, stderr: ran.stderr, kernel, outside, environment, took: ran.took, left }
}

/// A worker's process with its own folder and variables, to be run in another way than a probe: see [`super::warm`].
pub(super) fn worker_process(worker: &Worker, request: Vec<u8>, scratch: &Path, cancel: Cancel) -> process::Spec {
    isolation::child(worker, request, scratch, process::Limits::default(), cancel)
}

fn not_started(request: &Request, reason: String) -> Supervised {
    let ran = process::Outcome {
        ended: Ended::NotStarted { reason },
        pid: None,
        stdout: Vec::new(),
        stderr: Vec::new(),
        took: Duration::ZERO,
    };
    conclude(ran, Reader::of(request), Reading::NotReported, true)
}
