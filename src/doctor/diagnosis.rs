//! The whole of it: what the machine is, what can be done with it, what stands in the way.

use serde::Serialize;

use crate::domain::{Bytes, Provenance, Reading};
use crate::topology::{Socket, Whereabouts, own_sockets, whereabouts};
use crate::witness::{KfdProcess, ModuleState, Snapshot};

use super::abilities::Abilities;
use super::environment::{Environment, RocmRelease};
use super::gpus::GpuSummary;
use super::obstacle::Obstacle;
use super::obstacles;
use super::tool::ToolState;

/// Format name and major version of the JSON.
pub const DIAGNOSIS_SCHEMA: &str = "rocvet.doctor/1";

/// What to use where nothing can be read.
const SIMULATE: &str = "`validate run` simulates a machine for each scenario; `validate shim DIR --machine mi300x` makes one \
                        for `--host DIR`";

/// What is known of a machine before anything is run on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// [`DIAGNOSIS_SCHEMA`].
    pub schema: &'static str,
    /// What the host is, in words.
    pub host: String,
    /// What kind of host it is.
    pub provenance: Provenance,
    /// What can be done with it.
    pub can: Abilities,
    /// Physical GPUs, in PCI order.
    pub gpus: Vec<GpuSummary>,
    /// Bare metal, passthrough or virtual function, and why.
    pub platform: Whereabouts,
    /// The driver.
    pub driver: DriverSummary,
    /// Kernel release.
    pub kernel: Reading<String>,
    /// ROCm as its files say.
    pub rocm: Vec<RocmRelease>,
    /// The tool.
    pub amd_smi: ToolState,
    /// Programs that run probes with torch.
    pub workers: Vec<String>,
    /// Processes that hold GPUs; no value where the kernel has no such list.
    pub holders: Reading<Vec<Holder>>,
    /// What stands in the way, the worst first.
    pub obstacles: Vec<Obstacle>,
    /// What to use in its place, where nothing can be read.
    pub instead: Option<String>,
}

/// The driver, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriverSummary {
    /// `live`, `built in`, `not loaded`, `going`.
    pub state: String,
    /// Its version.
    pub version: Reading<String>,
    /// Who says the version, or why nobody does.
    pub source: String,
}

/// A process that holds GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Its name.
    pub name: Reading<String>,
    /// Its systemd unit or container.
    pub unit: Reading<String>,
    /// Memory that it holds on all GPUs together; absent where it cannot be read.
    pub memory: Option<Bytes>,
}

/// Everything that the rules look at.
pub(super) struct Seen<'a> {
    pub(super) look: &'a Snapshot,
    pub(super) environment: &'a Environment,
    pub(super) sockets: Vec<Socket<'a>>,
    pub(super) gpus: Vec<GpuSummary>,
    pub(super) whereabouts: Whereabouts,
    pub(super) tool: ToolState,
    pub(super) holders: Reading<Vec<Holder>>,
}

/// Diagnoses.
pub fn diagnose(look: &Snapshot, environment: &Environment) -> Diagnosis {
    let sockets = own_sockets(look);
    let processes = look.processes.as_ref().map_or(Reading::NotReported, Reading::as_ref);
    let seen = Seen {
        look,
        environment,
        gpus: sockets.iter().map(GpuSummary::of).collect(),
        sockets,
        whereabouts: whereabouts(look),
        tool: ToolState::of(look.version.as_ref()),
        holders: processes.map(|all| all.iter().map(Holder::of).collect()),
    };
    let obstacles = obstacles::all(&seen);
    let can = Abilities::of(&seen, &obstacles);
    Diagnosis {
        schema: DIAGNOSIS_SCHEMA,
        host: environment.host.clone(),
        provenance: environment.provenance,
        instead: (!can.query.able).then(|| SIMULATE.to_owned()),
        can,
        driver: DriverSummary::of(&seen),
        kernel: look.kernel.as_ref().map_or(Reading::NotReported, |kernel| kernel.release.clone()),
        rocm: environment.rocm.clone(),
        workers: environment.workers.clone(),
        obstacles,
        gpus: seen.gpus,
        platform: seen.whereabouts,
        amd_smi: seen.tool,
        holders: seen.holders,
    }
}

impl Holder {
    fn of(process: &KfdProcess) -> Self {
        let held: Option<u64> = process.vram.values().map(|bytes| bytes.value().map(|bytes| bytes.0)).sum();
        Self {
            pid: process.pid,
            name: process.name.clone(),
            unit: process.unit.clone(),
            memory: held.filter(|_| !process.vram.is_empty()).map(Bytes),
        }
    }

    /// `python3 (jupyter.service), pid 4711`.
    pub fn told(&self) -> String {
        let name = self.name.value().map_or("a process", String::as_str);
        let unit = self.unit.value().map(|unit| format!(" ({unit})")).unwrap_or_default();
        format!("{name}{unit}, pid {}", self.pid)
    }
}

impl DriverSummary {
    fn of(seen: &Seen<'_>) -> Self {
        let Some(driver) = &seen.look.driver else {
            return Self { state: "not looked at".to_owned(), version: Reading::NotReported, source: String::new() };
        };
        let state = match &driver.module {
            ModuleState::Live => "live".to_owned(),
            ModuleState::Changing(state) => state.clone(),
            ModuleState::BuiltIn => "built into the kernel".to_owned(),
            ModuleState::NotLoaded => "not loaded".to_owned(),
            ModuleState::Unreadable(problem) => format!("cannot be told: {problem}"),
        };
        let (version, source) = match (&driver.version, &seen.tool.driver) {
            (_, _) if driver.module == ModuleState::NotLoaded => (Reading::NotReported, "no /sys/module/amdgpu"),
            (Reading::Value(version), _) => (Reading::Value(version.clone()), "/sys/module/amdgpu/version"),
            (_, Reading::Value(version)) => (Reading::Value(version.clone()), "amd-smi version"),
            (absent, _) => (
                absent.clone(),
                "/sys/module/amdgpu/version is not there: the driver of the kernel has none of its own",
            ),
        };
        Self { state, version, source: source.to_owned() }
    }
}
