//! Runs the cases of a plan side by side. Every planned case yields exactly one record, whatever happens to it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use crate::domain::{Meaning, Status};
use crate::scenario::Case;

use super::record::{CaseRecord, Try};

/// How to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Cases side by side; at least one.
    pub jobs: usize,
    /// Times each case is run. Repeats that disagree make it flaky.
    pub repeat: u32,
    /// Times a case that did not come out as expected is run again. One that then does is flaky, not passed.
    pub retries: u32,
}

/// What happens, as it happens; called on the thread that called [`execute`].
pub trait Progress {
    /// A case is about to begin, and does when this returns; whether it may.
    fn starts(&mut self, case: &Case) -> bool;
    /// A case came to its end.
    fn finished(&mut self, record: &CaseRecord);
}

enum Message {
    /// The answer is whether it may begin.
    Starts(usize, mpsc::SyncSender<bool>),
    Finished(usize, Box<CaseRecord>),
}

/// Runs `cases` with `run`, in order, `jobs` at a time; once `stop` is set no further case is taken up.
/// The records come back in the order of the cases.
pub fn execute(
    cases: &[Case],
    options: Options,
    stop: &AtomicBool,
    run: &(dyn Fn(&Case) -> CaseRecord + Sync),
    progress: &mut dyn Progress,
) -> Vec<CaseRecord> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..cases.len()).collect());
    let mut records: Vec<Option<CaseRecord>> = vec![None; cases.len()];
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, cases.len().max(1)) {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || work(cases, options, stop, run, queue, &sender));
        }
        drop(sender);
        for message in receiver {
            match message {
                // A worker that does not wait for the answer is gone, and its case with it.
                Message::Starts(at, answer) => drop(answer.send(progress.starts(&cases[at]))),
                Message::Finished(at, record) => {
                    progress.finished(&record);
                    records[at] = Some(*record);
                }
            }
        }
    });
    records
        .into_iter()
        .zip(cases)
        .map(|(record, case)| record.unwrap_or_else(|| CaseRecord::unfinished(case, Status::Aborted)))
        .collect()
}

fn work(
    cases: &[Case],
    options: Options,
    stop: &AtomicBool,
    run: &(dyn Fn(&Case) -> CaseRecord + Sync),
    queue: &Mutex<VecDeque<usize>>,
    sender: &mpsc::Sender<Message>,
) {
    while !stop.load(Ordering::Relaxed) {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(at) = next else { return };
        let case = &cases[at];
        let (answer, may) = mpsc::sync_channel(1);
        // The receiver lives as long as this scope: a failed send can only mean that it is being torn down.
        let _ = sender.send(Message::Starts(at, answer));
        if !may.recv().unwrap_or(false) {
            continue;
        }
        let record = repeated(case, options, stop, run);
        let _ = sender.send(Message::Finished(at, Box::new(record)));
    }
}

/// Runs a case as often as asked, and says what the repeats agree on.
fn repeated(
    case: &Case,
    options: Options,
    stop: &AtomicBool,
    run: &(dyn Fn(&Case) -> CaseRecord + Sync),
) -> CaseRecord {
    let stopped = |record: &CaseRecord| stop.load(Ordering::Relaxed) && !as_expected(&record.status);
    let mut record = guarded(case, run);
    if stopped(&record) {
        // A child that we stopped ourselves says nothing about the machine.
        return CaseRecord { status: Status::Aborted, ..record };
    }
    let mut tries = vec![Try::from(&record)];
    let mut flaky = false;
    let (mut left, mut again) = (options.retries, options.repeat.max(1) - 1);
    while !stop.load(Ordering::Relaxed) {
        let retry = !flaky && !as_expected(&record.status) && left > 0;
        if again == 0 && !retry {
            break;
        }
        again = again.saturating_sub(1);
        left -= u32::from(retry);
        let other = guarded(case, run);
        if stopped(&other) || other.status == Status::Aborted {
            break;
        }
        tries.push(Try::from(&other));
        flaky |= other.status.word() != record.status.word();
        if as_expected(&record.status) && !as_expected(&other.status) {
            // The worse of the two is the evidence worth keeping.
            record = other;
        }
    }
    if flaky {
        record.status = Status::Flaky;
    }
    if tries.len() > 1 {
        record.tries = tries;
    }
    record
}

/// Whether nobody needs to look at it.
pub fn as_expected(status: &Status) -> bool {
    matches!(status.meaning(), Meaning::AsExpected | Meaning::Skipped)
}

/// A panic in a check is our bug, and one case's: it must not take the run's other results with it.
fn guarded(case: &Case, run: &(dyn Fn(&Case) -> CaseRecord + Sync)) -> CaseRecord {
    catch_unwind(AssertUnwindSafe(|| run(case))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let problem = format!("panic: {}", text.unwrap_or_else(|| "no message".to_owned()));
        CaseRecord::unfinished(case, Status::Error { problem })
    })
}
