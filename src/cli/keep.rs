//! The modes of a given host while cases change them: written down before the first, brought back after each.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;

use crate::change::{Door, Kind, Lock, Store, Trouble, back, observe};
use crate::domain::{MemoryMode, Reading, Status};
use crate::facts::ReloadHabit;
use crate::host::{Asking, Host};
use crate::partition::{Consent, End, Journal, Step as Change, Through};
use crate::process::Cancel;
use crate::run::{CaseRecord, Clock, Wanted, look};
use crate::scenario::{Case, Level, Step};
use crate::witness::amd_smi::{Format, Query, SetRequest};

use super::console;
use super::exit::Failure;
use super::partition::{habit, state, tool};
use super::target;

/// How long a program that sets modes may take: a tool that reloads the driver by itself tries for 140 s.
const DEADLINE: Duration = Duration::from_secs(300);

/// The modes found, and the way back to them.
pub struct Keeper<'a> {
    host: &'a Host,
    store: Store,
    journal: Mutex<Journal>,
    habit: Option<ReloadHabit>,
    root: bool,
    /// The modes found did not come back.
    lost: AtomicBool,
    _lock: Lock,
}

/// Whether a case may change modes.
pub fn changes(case: &Case) -> bool {
    case.scenario.level >= Level::Reconfigure
}

impl<'a> Keeper<'a> {
    /// Writes the modes of a host down.
    ///
    /// # Errors
    /// Another change is under way or did not end, the modes cannot be read, or the journal cannot be written: then no
    /// case may change anything.
    pub fn begin(host: &'a Host, asking: &Asking) -> Result<Self, Failure> {
        let store = state::store(None, host)?;
        let lock = state::lock(&store, Duration::ZERO, &|| asking.cancel.is_cancelled())?;
        state::refuse_unfinished(&store)?;
        let seen = observe(host).map_err(Failure::usage)?;
        let mut found = crate::partition::ModesByGpu::new();
        for (gpu, modes) in seen.modes {
            match modes {
                Reading::Value(modes) => {
                    found.insert(gpu, modes);
                }
                absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
                    let why = absent.absence().unwrap_or_default();
                    let problem = format!(
                        "the modes of GPU {gpu} cannot be read ({why}), so they could not be restored: \
                         run without --interaction reconfigure, or see `validate doctor`"
                    );
                    return Err(Failure::unavailable(anyhow!(problem)));
                }
            }
        }
        let wanted = Wanted { queries: [Query::Version].into(), ..Wanted::default() };
        let habit = habit(Through::AmdSmi, &tool(&look(host, &wanted, Format::Json, asking)));
        // A scenario that may set a mode may set it back, with the reload that the tool makes of it.
        let reload_driver = matches!(host, Host::Simulated { .. }) || habit.is_some_and(ReloadHabit::reloads);
        let consent = Consent { yes: true, reload_driver };
        let journal = Journal::new(Clock::now(), seen.boot_id, Through::AmdSmi, consent, found, seen.hives);
        store.write(Kind::Run, &journal).map_err(Failure::unavailable)?;
        let (root, lost) = (target::privileged(host)?, AtomicBool::new(false));
        Ok(Self { host, store, journal: Mutex::new(journal), habit, root, lost, _lock: lock })
    }

    /// Runs a case, and goes back to the modes found where it may have left others. Once that fails no case is taken up
    /// any more: it would be judged in modes that nobody chose.
    pub fn run(&self, case: &Case, run: &dyn Fn() -> CaseRecord) -> CaseRecord {
        if self.lost.load(Ordering::SeqCst) {
            return CaseRecord::unfinished(case, Status::Aborted);
        }
        if !changes(case) {
            return run();
        }
        if let Err(trouble) = self.before(case) {
            return CaseRecord::unfinished(case, Status::Error { problem: trouble.to_string() });
        }
        let record = run();
        if let Err(trouble) = self.back() {
            self.lost.store(true, Ordering::SeqCst);
            console::note(&format!("error: after {} the modes found did not come back: {trouble}", case.id));
        }
        record
    }

    /// Writes down which memory modes a case may ask for: a request that waits for a reload is shown nowhere.
    fn before(&self, case: &Case) -> Result<(), Trouble> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let modes = requests(case);
        // Of somebody who may not write nothing waits.
        if modes.is_empty() || !self.root {
            return Ok(());
        }
        let firsts = journal.hives.values().copied().filter(|gpu| journal.found.contains_key(gpu));
        let gpus: Vec<_> = firsts.collect::<BTreeSet<_>>().into_iter().collect();
        for mode in modes {
            journal.begin(&Change::Memory { mode, gpus: gpus.clone() });
            journal.end(End::Open);
        }
        Ok(self.store.write(Kind::Run, &journal)?)
    }

    /// Goes back to the modes found. Not stopped by a signal: that is when it is needed.
    fn back(&self) -> Result<(), Trouble> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let asking = Asking { deadline: DEADLINE, cancel: Cancel::new() };
        let (through, consent) = (journal.through, journal.consent);
        let door = Door { host: self.host, through, habit: self.habit, consent, root: self.root, asking };
        back(&door, (&self.store, Kind::Run), &mut journal, &|| false, &mut |_| ())?;
        // Nothing waits any longer, and the journal need not grow with every case.
        journal.steps.clear();
        Ok(self.store.write(Kind::Run, &journal)?)
    }

    /// Goes back for the last time.
    ///
    /// # Errors
    /// The machine does not go back; the journal then stays.
    pub fn end(self) -> Result<(), Trouble> {
        self.back()?;
        Ok(self.store.remove(Kind::Run)?)
    }
}

/// Memory modes that a case names in its steps. Their order says nothing: of a request whose end is not known, each mode
/// that was asked for may be the one that waits.
fn requests(case: &Case) -> BTreeSet<MemoryMode> {
    let named = |step: &Step| match step {
        Step::Set(SetRequest::Memory { mode, .. }) => vec![*mode],
        Step::Run(args) => args.iter().filter_map(|arg| arg.parse().ok()).collect(),
        Step::Set(SetRequest::Compute { .. }) | Step::Reload | Step::Hold | Step::Release | Step::Probe(_) => {
            Vec::new()
        }
    };
    case.steps.iter().flat_map(named).collect()
}
