//! Looks at what the drivers count for a worker while it lives, and once at its environment: a witness of where it ran, and
//! with what, that is not the worker.
//!
//! In a thread of its own, which nobody waits for longer than a moment: a driver in trouble may not answer. What it may
//! have to ask the GPU for is asked only of a worker that has just spoken, and so is not stuck in it.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Reading;
use crate::witness::gpu_use::{Depth, GpuUse, Trees, is_alive, read_gpu_use};
use crate::witness::tuning::read_environment_of;

/// How often somebody looks at a worker that is silent.
const EVERY: Duration = Duration::from_millis(250);

/// Longest wait for the last look.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was counted for a worker by others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outside {
    /// The most of every counter.
    pub most: GpuUse,
    /// How often somebody looked and was told.
    pub looks: u32,
    /// Whether somebody looked at a worker that lived and had given a result: only then that nothing was counted means
    /// that there was nothing.
    pub after_a_result: bool,
}

impl Outside {
    /// Whether it computed on a GPU.
    pub fn is_work(&self) -> bool {
        self.most.is_work()
    }

    /// Whether it certainly had no GPU.
    pub fn is_nothing(&self) -> bool {
        self.after_a_result && self.most.is_nothing()
    }
}

/// What was seen of one worker.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// What was counted for it.
    pub(super) outside: Reading<Outside>,
    /// Its environment, when it had said who it is.
    pub(super) environment: Reading<BTreeMap<String, String>>,
}

impl Seen {
    /// Of a worker that nobody has looked at.
    pub(super) const NOTHING: Self = Self { outside: Reading::NotReported, environment: Reading::NotReported };
}

/// Somebody who looks at one worker.
#[derive(Debug)]
pub(super) struct Lookout {
    call: Sender<Call>,
    seen: Arc<Mutex<Seen>>,
    gone: Receiver<()>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    depth: Depth,
    answered: bool,
    /// The number that the worker says it has.
    greeted: Option<u32>,
}

impl Lookout {
    /// Begins to look at the worker with this number; `None` where no thread can be had.
    pub(super) fn begin(trees: &Trees, pid: u32) -> Option<Self> {
        let (call, calls) = channel();
        let (last, gone) = channel();
        let seen = Arc::new(Mutex::new(Seen::NOTHING));
        let (trees, shared) = (trees.clone(), Arc::clone(&seen));
        let work = move || {
            look_out(&trees, pid, &calls, &shared);
            let _ = last.send(());
        };
        thread::Builder::new().name("lookout".to_owned()).spawn(work).ok()?;
        Some(Self { call, seen, gone })
    }

    /// It has spoken; `greeted` is its number, where it has said hello, and `answered` whether it has given a result.
    pub(super) fn spoke(&self, greeted: Option<u32>, answered: bool) {
        let _ = self.call.send(Call { depth: Depth::AskingTheGpu, answered, greeted });
    }

    /// It is about to be reaped or stopped.
    pub(super) fn ends(&self, answered: bool) {
        let _ = self.call.send(Call { depth: Depth::AtHand, answered, greeted: None });
    }

    /// What was seen.
    pub(super) fn end(self) -> Seen {
        drop(self.call);
        let _ = self.gone.recv_timeout(PATIENCE);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn look_out(trees: &Trees, pid: u32, calls: &Receiver<Call>, seen: &Mutex<Seen>) {
    let mut answered = false;
    let mut environment_read = false;
    loop {
        let mut depth = Depth::AtHand;
        let mut greeted = None;
        match calls.recv_timeout(EVERY) {
            Ok(first) => {
                // Of calls that came in the meantime one look is enough.
                for call in std::iter::once(first).chain(calls.try_iter()) {
                    answered |= call.answered;
                    greeted = greeted.or(call.greeted);
                    if call.depth == Depth::AskingTheGpu {
                        depth = call.depth;
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // First of all, since it is gone with the process; once, since it stays as it is.
        if let Some(worker) = greeted.filter(|_| !environment_read) {
            environment_read = true;
            let environment = read_environment_of(&trees.proc, pid, worker);
            seen.lock().unwrap_or_else(PoisonError::into_inner).environment = environment;
        }
        let now = read_gpu_use(trees, pid, depth);
        // Afterwards: what is still there now was there when the drivers were asked.
        let alive = is_alive(trees, pid);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.outside = with(std::mem::replace(&mut seen.outside, Reading::NotReported), now, alive && answered);
    }
}

/// What is known after another look.
fn with(before: Reading<Outside>, now: Reading<GpuUse>, after_a_result: bool) -> Reading<Outside> {
    match (before, now) {
        (Reading::Value(mut known), Reading::Value(now)) => {
            known.most.raise(&now);
            known.looks = known.looks.saturating_add(1);
            known.after_a_result |= after_a_result;
            Reading::Value(known)
        }
        (known @ Reading::Value(_), _) => known,
        (_, now) => now.map(|most| Outside { most, looks: 1, after_a_result }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Bytes;
    use crate::witness::gpu_use::KfdUse;

    #[test]
    fn what_was_seen_once_stays_seen_and_nothing_counts_only_after_a_result() {
        let used = |vram, compute_queues| {
            let kfd = KfdUse { vram: Bytes(vram), compute_queues, ..KfdUse::default() };
            Reading::Value(GpuUse { kfd: [(1, kfd)].into(), ..GpuUse::default() })
        };
        let nothing = || Reading::Value(GpuUse::default());
        let unread = || Reading::malformed("", "cannot be read");
        for (looks, work, none) in [
            (vec![], None, None),
            (vec![(unread(), true)], None, None),
            (vec![(nothing(), false)], Some(false), Some(false)),
            (vec![(nothing(), true)], Some(false), Some(true)),
            (vec![(nothing(), true), (unread(), true)], Some(false), Some(true)),
            (vec![(used(7, 0), false), (used(0, 1), false), (nothing(), true)], Some(true), Some(false)),
            (vec![(unread(), false), (used(7, 1), false)], Some(true), Some(false)),
        ] {
            let count = looks.len();
            let seen = looks.into_iter().fold(Reading::NotReported, |seen, (now, after)| with(seen, now, after));
            assert_eq!(seen.value().map(Outside::is_work), work, "{count}");
            assert_eq!(seen.value().map(Outside::is_nothing), none, "{count}");
        }
    }
}
