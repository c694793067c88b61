//! Observing one case on a host: a look, the steps, another look. Asks and records; judges nothing.

use std::collections::BTreeSet;

use crate::check;
use crate::domain::{Ended, Reading};
use crate::host::{Asking, Host};
use crate::scenario::{Case, Step};
use crate::witness::amd_smi::{Answer, Format, Query, SetRequest, parse};
use crate::witness::{Asked, Call, Observations, Reload, SetDone, Snapshot, kfd, sysfs};

/// Something that only a simulated machine can do to itself.
pub trait Bench {
    /// Reloads the driver; that the machine refuses is an answer, not an error.
    ///
    /// # Errors
    /// The host's state could not be changed.
    fn reload(&self) -> Result<Reload, String>;
    /// A client opens the GPUs, or closes them.
    ///
    /// # Errors
    /// The host's state could not be changed.
    fn hold(&self, open: bool) -> Result<(), String>;
}

/// What the checks of a case read, together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    queries: BTreeSet<Query>,
    sysfs: bool,
    kfd: bool,
}

/// Observes a case.
///
/// # Errors
/// A step could not be done at all: our tool or the scenario is wrong, not the machine.
pub fn observe(case: &Case, host: &Host, bench: Option<&dyn Bench>, asking: &Asking) -> Result<Observations, String> {
    let wanted = Wanted::of(case);
    let changes = case.steps.iter().any(|step| matches!(step, Step::Set(_)));
    let look = || look(host, &wanted, case.format, asking);
    let before = changes.then(look);
    let (mut sets, mut runs) = (Vec::new(), Vec::new());
    for step in &case.steps {
        match step {
            Step::Set(request) => sets.push(set(host, request, case.format, asking)),
            Step::Run(args) => runs.push(run(host, args, asking)),
            Step::Reload => {
                let reload = bench.ok_or("reload: only a simulated machine's driver is reloaded here")?.reload()?;
                sets.iter_mut().for_each(|set: &mut SetDone| set.reload = Some(reload.clone()));
            }
            Step::Hold => bench.ok_or("hold: only a simulated machine has such a client")?.hold(true)?,
            Step::Release => bench.ok_or("release: only a simulated machine has such a client")?.hold(false)?,
        }
    }
    Ok(Observations { provenance: host.provenance(), before, sets, runs, after: look() })
}

impl Wanted {
    pub(super) fn of(case: &Case) -> Self {
        let mut wanted = Self { queries: case.ask.iter().copied().collect(), sysfs: false, kfd: false };
        for each in &case.checks {
            let needs = check::about(each.spec.id()).needs;
            wanted.queries.extend(needs.queries);
            wanted.sysfs |= needs.sysfs;
            wanted.kfd |= needs.kfd;
        }
        wanted
    }

    /// Whether any tree of the host is read.
    pub(super) fn reads_trees(&self) -> bool {
        self.sysfs || self.kfd
    }
}

fn look(host: &Host, wanted: &Wanted, format: Format, asking: &Asking) -> Snapshot {
    let asked =
        |query: Query| wanted.queries.contains(&query).then(|| host.call_amd_smi(&query.args(format), "", asking));
    Snapshot {
        version: asked(Query::Version).map(|call| read(call, |call| parse::version(call, format))),
        list: asked(Query::List).map(|call| read(call, |call| parse::list(call, format))),
        static_partition: asked(Query::StaticPartition)
            .map(|call| read(call, |call| parse::static_partition(call, format))),
        partition: asked(Query::Partition).map(|call| read(call, |call| parse::partition(call, format))),
        vram: asked(Query::StaticVram).map(|call| read(call, |call| parse::vram(call, format))),
        memory_use: asked(Query::MetricMemory).map(|call| read(call, |call| parse::memory_use(call, format))),
        sysfs: wanted.sysfs.then(|| sysfs::read_sysfs(&host.sysfs_root())),
        kfd: if wanted.kfd { kfd::read_kfd(&host.sysfs_root()) } else { None },
    }
}

fn set(host: &Host, request: &SetRequest, format: Format, asking: &Asking) -> SetDone {
    let call = host.call_amd_smi(&request.args(format), request.stdin(), asking);
    let asked = read(call, |call| parse::set_rows(call, format, request));
    SetDone { request: request.clone(), asked, reload: None }
}

/// A command given word for word: only its failure and its documents are read.
fn run(host: &Host, args: &[String], asking: &Asking) -> Asked<()> {
    let json = args.iter().any(|arg| arg == "--json");
    let call = host.call_amd_smi(args, "", asking);
    read(call, |call| crate::witness::amd_smi::parse::anything(call, if json { Format::Json } else { Format::Human }))
}

/// Reads a call. One that never started said nothing, whatever a parser makes of silence.
fn read<T>(call: Call, parse: impl FnOnce(&Call) -> Answer<T>) -> Asked<T> {
    let answer = match &call.ended {
        Ended::NotStarted { .. } => Answer { documents: 0, stray: None, failure: None, value: Reading::NotReported },
        Ended::Exited { .. } | Ended::Signaled { .. } | Ended::TimedOut { .. } | Ended::Cancelled | Ended::Unreaped => {
            parse(&call)
        }
    };
    Asked { call, answer }
}
