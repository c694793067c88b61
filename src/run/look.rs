//! One look at a host: the queries and trees that somebody wants read. Asks and records; judges nothing.

use std::collections::BTreeSet;

use crate::check::{self, Needs};
use crate::domain::{Ended, Reading};
use crate::host::{Asking, Host};
use crate::scenario::Case;
use crate::witness::amd_smi::{Answer, Format, Query, parse};
use crate::witness::driver::read_driver;
use crate::witness::drm::read_render;
use crate::witness::kernel::read_kernel;
use crate::witness::processes::read_processes;
use crate::witness::{Asked, Call, Snapshot, TuningFacts, kfd, sysfs, tuning};

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// amd-smi queries.
    pub queries: BTreeSet<Query>,
    /// Partition files.
    pub sysfs: bool,
    /// KFD topology.
    pub kfd: bool,
    /// Render nodes, driver, kernel, KFD's processes and device files.
    pub system: bool,
    /// The HIP runtime.
    pub hip: bool,
    /// What was set: parameters, modprobe.d, kernel log, environment.
    pub tuning: bool,
}

impl Wanted {
    /// The kernel's trees, and nothing that needs a process.
    pub fn trees() -> Self {
        Self { sysfs: true, kfd: true, system: true, ..Self::default() }
    }

    /// What says how much memory each device has, and whether it is held to that.
    pub fn memory() -> Self {
        Self { sysfs: true, kfd: true, ..Self::default() }
    }

    /// What the checks of a case read, together.
    pub fn of(case: &Case) -> Self {
        let mut wanted = Self { queries: case.ask.iter().copied().collect(), ..Self::default() };
        case.checks.iter().for_each(|each| wanted.add(check::about(each.spec.id()).needs));
        wanted
    }

    /// Whether any tree of the host is read.
    pub const fn reads_trees(&self) -> bool {
        self.sysfs || self.kfd || self.system || self.tuning
    }

    fn add(&mut self, needs: Needs) {
        self.queries.extend(needs.queries);
        self.sysfs |= needs.sysfs;
        self.kfd |= needs.kfd;
        self.system |= needs.system;
        self.hip |= needs.hip;
        self.tuning |= needs.tuning;
    }
}

/// Looks.
pub fn look(host: &Host, wanted: &Wanted, format: Format, asking: &Asking) -> Snapshot {
    let asked =
        |query: Query| wanted.queries.contains(&query).then(|| host.call_amd_smi(&query.args(format), "", asking));
    let (sys, proc) = (host.sysfs_root(), host.proc_root());
    let render = if wanted.system { read_render(&sys) } else { None };
    Snapshot {
        version: asked(Query::Version).map(|call| read(call, |call| parse::version(call, format))),
        list: asked(Query::List).map(|call| read(call, |call| parse::list(call, format))),
        static_partition: asked(Query::StaticPartition)
            .map(|call| read(call, |call| parse::static_partition(call, format))),
        partition: asked(Query::Partition).map(|call| read(call, |call| parse::partition(call, format))),
        vram: asked(Query::StaticVram).map(|call| read(call, |call| parse::vram(call, format))),
        memory_use: asked(Query::MetricMemory).map(|call| read(call, |call| parse::memory_use(call, format))),
        sysfs: wanted.sysfs.then(|| sysfs::read_sysfs(&sys)),
        kfd: if wanted.kfd { kfd::read_kfd(&sys) } else { None },
        kfd_hidden: if wanted.kfd { kfd::read_hidden_nodes(&sys) } else { Vec::new() },
        driver: wanted.system.then(|| read_driver(&sys)),
        kernel: wanted.system.then(|| read_kernel(&proc)),
        processes: wanted.system.then(|| read_processes(&sys, &proc)),
        access: if wanted.system { host.device_access(render.as_deref().unwrap_or_default()) } else { None },
        hip: wanted.hip.then(|| host.ask_hip(asking)),
        tuning: wanted.tuning.then(|| look_at_tuning(host)),
        render,
    }
}

/// What was set on the host.
fn look_at_tuning(host: &Host) -> TuningFacts {
    TuningFacts {
        options: tuning::read_options(host.root()),
        parameters: tuning::read_parameters(&host.sysfs_root()),
        vm: tuning::read_vm_lines(host.kernel_log()),
        environment: tuning::read_environment(&host.proc_root()),
        rocm: tuning::read_rocm(&host.opt_root()),
    }
}

/// Reads a call. One that never started said nothing, whatever a parser makes of silence.
pub(super) fn read<T>(call: Call, parse: impl FnOnce(&Call) -> Answer<T>) -> Asked<T> {
    let answer = match &call.ended {
        Ended::NotStarted { .. } => Answer { documents: 0, stray: None, failure: None, value: Reading::NotReported },
        Ended::Exited { .. } | Ended::Signaled { .. } | Ended::TimedOut { .. } | Ended::Cancelled | Ended::Unreaped => {
            parse(&call)
        }
    };
    Asked { call, answer }
}
