//! From step to step: look, decide, write down, do, and look again.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use crate::domain::{Bdf, Reading};
use crate::facts::ReloadHabit;
use crate::host::{Host, HostError, simulated};
use crate::partition::{self, Begun, End, Journal, ModesByGpu, Next, Step};
use crate::topology::sockets;
use crate::witness::kernel::read_kernel;
use crate::witness::{Snapshot, kfd, sysfs};

use super::door::{Door, Refusal};
use super::store::{Kind, Store, StoreError};

/// What sysfs shows of the modes now.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// By GPU.
    pub modes: Modes,
    /// The first GPU of each GPU's hive.
    pub hives: BTreeMap<Bdf, Bdf>,
    /// This boot.
    pub boot_id: Option<String>,
}

/// Modes by GPU, as far as they can be read.
pub type Modes = BTreeMap<Bdf, Reading<partition::Modes>>;

/// Why the target was not reached.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A signal asked for an end.
    #[error("interrupted")]
    Interrupted,
    /// The machine did not do what it was asked to.
    #[error("{0}")]
    Stuck(String),
    /// The journal cannot be written, so nothing further is done.
    #[error("the journal: {0}")]
    Journal(#[from] StoreError),
    /// The simulated machine cannot be read.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Looks. Of a simulated machine whose last change was cut short the tree is brought up to its state first: a kernel
/// always shows what is.
///
/// # Errors
/// The simulated machine cannot be read.
pub fn observe(host: &Host) -> Result<Observed, HostError> {
    if let Host::Simulated { dir, .. } = host {
        simulated::update(dir, |_| ())?;
    }
    let root = host.sysfs_root();
    let look = Snapshot { sysfs: Some(sysfs::read_sysfs(&root)), kfd: kfd::read_kfd(&root), ..Snapshot::default() };
    let sockets = sockets(&look);
    let modes = sockets.iter().filter(|socket| !socket.unpartitionable()).map(|socket| {
        let pair =
            socket.compute().and_then(|compute| socket.memory().map(|memory| partition::Modes { compute, memory }));
        (socket.bdf, pair)
    });
    Ok(Observed {
        modes: modes.collect(),
        hives: partition::hives(&sockets),
        boot_id: read_kernel(&host.proc_root()).boot_id.value().cloned(),
    })
}

/// Takes step after step until every GPU of `target` has its modes. `stop` is asked before each; `tell` hears of each
/// before it is taken, and of what was said when it failed.
///
/// # Errors
/// See [`Trouble`]. The journal then holds every step that was begun.
pub fn drive(
    door: &Door<'_>,
    (store, kind): (&Store, Kind),
    journal: &mut Journal,
    target: &ModesByGpu,
    mut begun: Begun,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(&str),
) -> Result<(), Trouble> {
    let mut refusal = None;
    loop {
        if stop() {
            return Err(Trouble::Interrupted);
        }
        let by_tool = door.habit.is_some_and(ReloadHabit::reloads) && begun.waits();
        let now = settled(door, target, by_tool || begun.has_reloaded())?;
        let step = match partition::next(target, &now, &journal.hives, &begun) {
            Next::Reached => return Ok(()),
            Next::Stuck { why } => {
                // What was said at the last refusal is usually the reason.
                return Err(Trouble::Stuck(refusal.map_or_else(|| why.clone(), |said| format!("{why}: {said}"))));
            }
            Next::Do(step) => step,
        };
        journal.begin(&step);
        store.write(kind, journal)?;
        begun.note(&step);
        tell(&step.to_string());
        let taken = door.take(&step);
        journal.end(match &taken {
            Ok(()) => End::Done,
            Err(Refusal { certain: true, .. }) => End::Refused,
            Err(Refusal { certain: false, .. }) => End::Open,
        });
        store.write(kind, journal)?;
        match taken {
            Ok(()) => {
                if step == Step::Reload {
                    begun.reloaded();
                }
                refusal = None;
            }
            // Whether it was set all the same is read back.
            Err(Refusal { why, .. }) if matches!(step, Step::Compute { .. }) => refusal = Some(why),
            // A driver is not reloaded for a request that it did not take.
            Err(_) if stop() => return Err(Trouble::Interrupted),
            Err(Refusal { why, .. }) => return Err(Trouble::Stuck(format!("{step}: {why}"))),
        }
    }
}

/// Goes back to the modes that a journal holds.
///
/// # Errors
/// See [`Trouble`].
pub fn back(
    door: &Door<'_>,
    place: (&Store, Kind),
    journal: &mut Journal,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(&str),
) -> Result<(), Trouble> {
    let found = journal.found.clone();
    let begun = journal.way_back(observe(door.host)?.boot_id.as_deref());
    drive(door, place, journal, &found, begun, stop, tell)
}

/// The modes now. After a reload the GPUs take a while to come back.
fn settled(door: &Door<'_>, target: &ModesByGpu, reloaded: bool) -> Result<Modes, HostError> {
    const PAUSE: Duration = Duration::from_millis(200);
    const LOOKS: u32 = 150;
    let mut now = observe(door.host)?.modes;
    if reloaded {
        let here = |now: &Modes| target.keys().all(|gpu| matches!(now.get(gpu), Some(Reading::Value(_))));
        for _ in 0..LOOKS {
            if here(&now) || door.asking.cancel.is_cancelled() {
                break;
            }
            sleep(PAUSE);
            now = observe(door.host)?.modes;
        }
    }
    Ok(now)
}
