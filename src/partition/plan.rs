//! What it takes to put GPUs into other modes, and what stands in the way. Nothing is touched to find out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Bdf, ComputeMode, KernelRules, MemoryMode, Reading, ToolVersion};
use crate::facts::{self, Part, ReloadHabit};
use crate::topology::Socket;
use crate::witness::{KfdProcess, ModuleState, Snapshot};

use super::legal::{Judge, Refusal, judge};
use super::sizes::Sizes;
use super::steps::{Begun, Modes, ModesByGpu, Next, Step, Waiting, next};

/// What is wished for; what is `None` stays, or follows from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Compute mode.
    pub compute: Option<ComputeMode>,
    /// Memory mode.
    pub memory: Option<MemoryMode>,
}

/// By what a mode is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Through {
    /// `amd-smi set`.
    AmdSmi,
    /// Writes to the partition files.
    Sysfs,
}

/// What a plan stands on beside the look at the machine.
#[derive(Debug, Clone)]
pub struct Footing {
    /// Whether the caller may change modes: root, or whoever a simulated machine takes for it.
    pub privileged: bool,
    /// Version of amd-smi.
    pub tool: Reading<ToolVersion>,
    /// By what modes would be set.
    pub through: Through,
}

/// The plan.
#[derive(Debug, Clone, Serialize)]
pub struct ModePlan {
    /// Version of this document.
    pub schema: u32,
    /// Whether it could be applied now.
    pub applicable: bool,
    /// The GPUs that were chosen.
    pub gpus: Vec<GpuPlan>,
    /// Every other GPU that changes with them.
    pub others: Vec<OtherGpu>,
    /// What would be done, in order; nothing where the modes are in force already.
    pub steps: Vec<Step>,
    /// What the driver reload is about; `None` where none is needed.
    pub reload: Option<ReloadNeed>,
    /// Whether `amd-smi set -M` would put a question.
    pub question: bool,
    /// Processes that hold a GPU; `None` where KFD has no list of them.
    pub holders: Option<Vec<Holder>>,
    /// What stands in the way.
    pub obstacles: Vec<Obstacle>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// The modes found and the modes to reach, for everyone who changes anything.
    #[serde(skip)]
    pub route: Route,
}

/// From where to where, for every GPU that is touched.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// As it is.
    pub found: ModesByGpu,
    /// As it should be.
    pub target: ModesByGpu,
    /// The first GPU of each GPU's hive.
    pub hives: BTreeMap<Bdf, Bdf>,
}

/// One chosen GPU.
#[derive(Debug, Clone, Serialize)]
pub struct GpuPlan {
    /// Address.
    pub gpu: Bdf,
    /// Part, where it is known.
    pub part: Option<String>,
    /// Modes in force, where they could be read.
    pub now: Option<Modes>,
    /// Modes wished for.
    pub then: Option<Modes>,
    /// Its logical devices then; `None` where it cannot be put into those modes.
    pub sizes: Option<Sizes>,
}

/// A GPU that was not chosen and changes all the same.
#[derive(Debug, Clone, Serialize)]
pub struct OtherGpu {
    /// Address.
    pub gpu: Bdf,
    /// Modes in force.
    pub now: Modes,
    /// Modes afterwards.
    pub then: Modes,
    /// Why.
    pub why: &'static str,
}

/// The driver reload that a memory mode needs.
#[derive(Debug, Clone, Serialize)]
pub struct ReloadNeed {
    /// What this version of amd-smi does about it; `None` where the modes are set without it.
    pub habit: Option<ReloadHabit>,
    /// In words.
    pub what: String,
}

/// A process that holds `/dev/kfd`.
#[derive(Debug, Clone, Serialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Its name.
    pub name: Option<String>,
    /// Its systemd unit or container.
    pub unit: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name.as_deref().unwrap_or("?"), self.pid)?;
        self.unit.as_ref().map_or(Ok(()), |unit| write!(f, " of {unit}"))
    }
}

/// Something that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// What it is.
    pub kind: ObstacleKind,
    /// The GPU, or the machine.
    pub subject: String,
    /// Why it is one.
    pub why: String,
    /// What would remove it.
    pub next: String,
}

/// See [`Obstacle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObstacleKind {
    /// No part with this PCI id is known.
    UnknownPart,
    /// The part has no partitions.
    NoPartitions,
    /// A virtual function: its modes are its host's.
    VirtualFunction,
    /// An SR-IOV host: the modes are the host driver's.
    SrIovHost,
    /// amd-smi takes the machine for a guest and offers no `set`.
    Guest,
    /// The pair is not legal, by what is known of the part.
    IllegalByFacts,
    /// This machine does not offer it.
    NotOffered,
    /// The modes in force cannot be read.
    Unreadable,
    /// A process holds the GPU.
    Busy,
    /// The caller may not.
    Unprivileged,
    /// amd-smi cannot be asked.
    NoTool,
    /// The driver cannot be reloaded.
    NoReload,
}

/// Plans. `chosen` are places in `sockets`.
pub fn plan(look: &Snapshot, sockets: &[Socket<'_>], chosen: &[usize], wish: Wish, footing: &Footing) -> ModePlan {
    let mut draft = Draft::default();
    let gpus: Vec<GpuPlan> =
        chosen.iter().filter_map(|place| sockets.get(*place)).map(|socket| draft.gpu(socket, wish)).collect();
    let mut route = Route { hives: hives(sockets), ..Route::default() };
    for gpu in &gpus {
        if let (Some(now), Some(then)) = (gpu.now, gpu.then) {
            route.found.insert(gpu.gpu, now);
            route.target.insert(gpu.gpu, then);
        }
    }
    let reloads =
        gpus.iter().any(|gpu| matches!((gpu.now, gpu.then), (Some(now), Some(then)) if now.memory != then.memory));
    let others = if reloads { draft.others(sockets, &mut route) } else { Vec::new() };
    let habit = match footing.through {
        Through::AmdSmi => footing.tool.value().map(|tool| facts::reload_habit(*tool)),
        Through::Sysfs => None,
    };
    let steps = if draft.obstacles.is_empty() { foresee(&route, sockets, habit) } else { Vec::new() };
    let holders = holders(look);
    let reload = reloads.then(|| reload_need(habit));
    if !steps.is_empty() {
        draft.machine(look, sockets, chosen, footing, holders.as_deref(), steps.contains(&Step::Reload));
        draft.notes(sockets, reloads, look);
    }
    ModePlan {
        schema: 1,
        applicable: draft.obstacles.is_empty(),
        gpus,
        others,
        question: reloads && habit.is_some_and(ReloadHabit::asks),
        steps,
        reload,
        holders,
        obstacles: draft.obstacles,
        notes: draft.notes,
        route,
    }
}

#[derive(Default)]
struct Draft {
    obstacles: Vec<Obstacle>,
    notes: Vec<String>,
}

impl Draft {
    fn obstacle(&mut self, kind: ObstacleKind, subject: &str, why: impl Into<String>, next: impl Into<String>) {
        let obstacle = Obstacle { kind, subject: subject.to_owned(), why: why.into(), next: next.into() };
        self.obstacles.push(obstacle);
    }

    /// One chosen GPU: what it is, what it would be, and whether it can be that.
    fn gpu(&mut self, socket: &Socket<'_>, wish: Wish) -> GpuPlan {
        let name = socket.name();
        let mut plan = GpuPlan { gpu: socket.bdf, part: None, now: None, then: None, sizes: None };
        let part = match socket.parts() {
            (parts, false) => parts.first().copied(),
            (parts, true) => {
                plan.part = parts.first().map(|part| part.id.clone());
                let why = "it is a virtual function: its modes are fixed by the host that lends it";
                self.obstacle(
                    ObstacleKind::VirtualFunction,
                    &name,
                    why,
                    "change the mode on the host, by its GIM driver",
                );
                return plan;
            }
        };
        let Some(part) = part else {
            let id = socket.device_id().map_or_else(|| "that cannot be read".to_owned(), |id| format!("{id:04x}"));
            let why = format!("no part with PCI device id {id} is known, so what is legal for it is not either");
            self.obstacle(ObstacleKind::UnknownPart, &name, why, "`validate explain fact.part` lists the known parts");
            return plan;
        };
        plan.part = Some(part.id.clone());
        plan.now = modes(socket);
        if let Some(sysfs) = socket.sysfs
            && (sysfs.physical_function.is_some() || !sysfs.virtual_functions.is_empty())
        {
            let why = "it is part of an SR-IOV host: modes follow the number of virtual functions";
            self.obstacle(ObstacleKind::SrIovHost, &name, why, "change them by the host's GIM driver");
            return plan;
        }
        if !part.partitionable {
            let why = format!("{} has no partitions", part.id);
            self.obstacle(ObstacleKind::NoPartitions, &name, why, "nothing can be set on it");
            return plan;
        }
        let Some(now) = plan.now else {
            let (compute, memory) = (socket.compute().absence(), socket.memory().absence());
            let each = [("compute partition", compute), ("memory partition", memory)];
            let why: Vec<_> =
                each.iter().filter_map(|(what, why)| Some(format!("{what}: {}", why.as_ref()?))).collect();
            self.obstacle(
                ObstacleKind::Unreadable,
                &name,
                why.join("; "),
                "`validate doctor` says what stands in the way",
            );
            return plan;
        };
        let then = wished(part, now, wish);
        plan.then = Some(then);
        let judged = if then == now { Ok(None) } else { judge(part, socket, now, then) };
        match judged {
            Ok(note) => {
                self.notes.extend(note.map(|note| format!("{name}: {note}")));
                plan.sizes = Some(Sizes::of(part, socket, then));
            }
            Err(Refusal { by, why, next }) => {
                let kind = match by {
                    Judge::Facts => ObstacleKind::IllegalByFacts,
                    Judge::Machine => ObstacleKind::NotOffered,
                };
                self.obstacle(kind, &name, format!("{then}: {why}"), next);
            }
        }
        plan
    }

    /// The GPUs that a reload changes too.
    fn others(&mut self, sockets: &[Socket<'_>], route: &mut Route) -> Vec<OtherGpu> {
        let mut others = Vec::new();
        let changed: BTreeMap<Bdf, MemoryMode> = route
            .target
            .iter()
            .filter(|(gpu, then)| route.found.get(gpu).is_some_and(|now| now.memory != then.memory))
            .filter_map(|(gpu, then)| Some((*route.hives.get(gpu)?, then.memory)))
            .collect();
        for socket in sockets {
            if route.target.contains_key(&socket.bdf) || socket.unpartitionable() {
                continue;
            }
            let (Some(now), Some(part)) = (modes(socket), socket.parts().0.first().copied()) else {
                self.notes
                    .push(format!("{}: its modes cannot be read; the reload resets its compute mode", socket.name()));
                continue;
            };
            let memory = route.hives.get(&socket.bdf).and_then(|hive| changed.get(hive)).copied();
            let (then, why) = match memory {
                Some(memory) => (
                    wished(part, now, Wish { compute: None, memory: Some(memory) }),
                    "in the same hive, so the memory mode changes too; the driver chooses the compute mode",
                ),
                None => (now, "the reload resets the compute mode; it is put back"),
            };
            route.found.insert(socket.bdf, now);
            route.target.insert(socket.bdf, then);
            others.push(OtherGpu { gpu: socket.bdf, now, then, why });
        }
        others
    }

    /// What stands in the way of any change at all.
    fn machine(
        &mut self,
        look: &Snapshot,
        sockets: &[Socket<'_>],
        chosen: &[usize],
        footing: &Footing,
        holders: Option<&[Holder]>,
        reload: bool,
    ) {
        const MACHINE: &str = "the machine";
        if !footing.privileged {
            self.obstacle(ObstacleKind::Unprivileged, MACHINE, "only root may change modes", "run it with sudo");
        }
        if let Some(holders) = holders
            && !holders.is_empty()
        {
            let names: Vec<_> = holders.iter().map(ToString::to_string).collect();
            let why = format!("held by {}: the driver answers EBUSY", names.join(", "));
            self.obstacle(ObstacleKind::Busy, MACHINE, why, "stop what holds it, then plan again");
        }
        if footing.through == Through::AmdSmi {
            match &footing.tool {
                Reading::Value(tool) => self.guest(look, sockets, chosen, *tool),
                absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
                    let why = format!("amd-smi's version: {}", absent.absence().unwrap_or_default());
                    self.obstacle(ObstacleKind::NoTool, MACHINE, why, "`validate doctor` says why; or --through sysfs");
                }
            }
        }
        let state = look.driver.as_ref().map(|driver| &driver.module);
        if reload && let Some(ModuleState::BuiltIn) = state {
            let why = "the driver is built into the kernel and cannot be reloaded";
            self.obstacle(ObstacleKind::NoReload, MACHINE, why, "use a kernel with amdgpu as a module");
        }
    }

    /// In a guest the tool offers `set` only for devices that it recognises.
    fn guest(&mut self, look: &Snapshot, sockets: &[Socket<'_>], chosen: &[usize], tool: ToolVersion) {
        let guest = look.kernel.as_ref().and_then(|kernel| kernel.hypervisor.value()) == Some(&true);
        let ids = || sockets.iter().filter_map(Socket::device_id);
        if guest && !ids().any(|id| facts::sets_in_guest(tool, id)) {
            let names: Vec<_> = chosen.iter().filter_map(|place| sockets.get(*place)).map(Socket::name).collect();
            let why = format!("this is a virtual machine, and amd-smi {tool} offers no `set` in it for such a GPU");
            self.obstacle(ObstacleKind::Guest, &names.join(", "), why, "change the mode on the host of this machine");
        }
    }

    fn notes(&mut self, sockets: &[Socket<'_>], reloads: bool, look: &Snapshot) {
        let has_policy = sockets.iter().any(|socket| socket.sysfs.is_some_and(|gpu| gpu.alloc_mode.value().is_some()));
        if has_policy {
            self.notes.push("a mode switch sets compute_partition_mem_alloc_mode back to CAPPING".to_owned());
        }
        if reloads && sockets.len() > 1 && sockets.iter().all(|socket| hive(socket).is_none()) {
            self.notes.push("no GPU shows its hive; GPUs of one hive would all change".to_owned());
        }
        if matches!(look.processes, None | Some(Reading::NotReported)) {
            self.notes
                .push("who holds the GPUs is not known here; the driver answers EBUSY if anybody does".to_owned());
        }
    }
}

/// The pair that a wish makes. A memory mode that changes brings the driver's own compute mode with it.
fn wished(part: &Part, now: Modes, wish: Wish) -> Modes {
    let memory = wish.memory.unwrap_or(now.memory);
    let left =
        if memory == now.memory { Some(now.compute) } else { facts::auto_mode(part, memory, KernelRules::Latest) };
    Modes { compute: wish.compute.or(left).unwrap_or(now.compute), memory }
}

fn modes(socket: &Socket<'_>) -> Option<Modes> {
    let (compute, memory) = (socket.compute(), socket.memory());
    Some(Modes { compute: *compute.value()?, memory: *memory.value()? })
}

/// Walks the route with a driver as the facts describe it.
fn foresee(route: &Route, sockets: &[Socket<'_>], habit: Option<ReloadHabit>) -> Vec<Step> {
    let (mut now, mut begun, mut steps) = (route.found.clone(), Begun::default(), Vec::new());
    // Each GPU takes three steps at most.
    for _ in 0..=3 * route.target.len() {
        let shown = now.iter().map(|(gpu, modes)| (*gpu, Reading::Value(*modes))).collect();
        let Next::Do(step) = next(&route.target, &shown, &route.hives, &begun) else { break };
        begun.note(&step);
        match &step {
            Step::Memory { .. } if habit.is_some_and(ReloadHabit::reloads) => {
                reloaded(&mut now, &begun.reloaded(), route, sockets);
            }
            Step::Memory { .. } | Step::Withdraw { .. } => {}
            Step::Reload => reloaded(&mut now, &begun.reloaded(), route, sockets),
            Step::Compute { mode, gpu } => {
                if let Some(modes) = now.get_mut(gpu) {
                    modes.compute = *mode;
                }
            }
        }
        steps.push(step);
    }
    steps
}

fn reloaded(now: &mut ModesByGpu, asked: &Waiting, route: &Route, sockets: &[Socket<'_>]) {
    let by_hive: BTreeMap<Bdf, MemoryMode> =
        asked.iter().filter_map(|(gpu, modes)| Some((*route.hives.get(gpu)?, *modes.first()?))).collect();
    for socket in sockets {
        let Some(modes) = now.get_mut(&socket.bdf) else { continue };
        if let Some(memory) = route.hives.get(&socket.bdf).and_then(|hive| by_hive.get(hive)) {
            modes.memory = *memory;
        }
        let auto = |part: &&Part| facts::auto_mode(part, modes.memory, KernelRules::Latest);
        if let Some(compute) = socket.parts().0.first().and_then(auto) {
            modes.compute = compute;
        }
    }
}

fn hive(socket: &Socket<'_>) -> Option<u64> {
    let by_sysfs = socket.sysfs.and_then(|gpu| gpu.hive_id.value().copied());
    by_sysfs.or_else(|| socket.nodes.iter().find_map(|node| node.hive_id.value().copied())).filter(|id| *id != 0)
}

/// The first GPU of each GPU's hive; a GPU without one is its own.
pub fn hives(sockets: &[Socket<'_>]) -> BTreeMap<Bdf, Bdf> {
    let mut first: BTreeMap<u64, Bdf> = BTreeMap::new();
    sockets
        .iter()
        .map(|socket| (socket.bdf, hive(socket).map_or(socket.bdf, |id| *first.entry(id).or_insert(socket.bdf))))
        .collect()
}

fn holders(look: &Snapshot) -> Option<Vec<Holder>> {
    let holder = |process: &KfdProcess| Holder {
        pid: process.pid,
        name: process.name.value().cloned(),
        unit: process.unit.value().cloned(),
    };
    let processes = look.processes.as_ref()?.value()?;
    Some(processes.iter().map(holder).collect())
}

fn reload_need(habit: Option<ReloadHabit>) -> ReloadNeed {
    let what = match habit {
        Some(ReloadHabit::Silent) => "amd-smi reloads the driver by itself, without asking",
        Some(ReloadHabit::AfterQuestion) => "amd-smi asks, then reloads the driver by itself (up to 140 s)",
        Some(ReloadHabit::RequestOnly) => {
            "amd-smi asks and leaves a request: nothing changes until the driver is reloaded (modprobe -r amdgpu && modprobe amdgpu)"
        }
        None => {
            "the write is a request: nothing changes until the driver is reloaded (modprobe -r amdgpu && modprobe amdgpu)"
        }
    };
    ReloadNeed { habit, what: what.to_owned() }
}

#[cfg(test)]
mod tests;
