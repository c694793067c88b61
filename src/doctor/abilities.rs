//! What can be done with a machine.

use serde::Serialize;

use crate::domain::{Platform, Provenance};
use crate::witness::Access;

use super::diagnosis::Seen;
use super::environment::Caller;
use super::obstacle::{Obstacle, Weight};

/// What can be done with a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Abilities {
    /// Modes, counts and memory can be read.
    pub query: Ability,
    /// Modes can be changed.
    pub set: Ability,
    /// Computations can be run.
    pub probe: Ability,
}

/// Whether one thing can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ability {
    /// Whether it can.
    pub able: bool,
    /// Through what, or why not.
    pub why: String,
}

impl Ability {
    fn yes(why: impl Into<String>) -> Self {
        Self { able: true, why: why.into() }
    }

    fn no(why: impl Into<String>) -> Self {
        Self { able: false, why: why.into() }
    }
}

impl Abilities {
    /// In one line: `can query; cannot set; cannot probe`, or `simulation only`.
    pub fn level(&self) -> String {
        if !self.query.able {
            return "simulation only".to_owned();
        }
        let word = |able: bool| if able { "can" } else { "cannot" };
        format!("can query; {} set; {} probe", word(self.set.able), word(self.probe.able))
    }

    pub(super) fn of(seen: &Seen<'_>, obstacles: &[Obstacle]) -> Self {
        let query = query(seen, obstacles);
        let set = if query.able { set(seen) } else { Ability::no("nothing can be read") };
        let probe = if query.able { probe(seen) } else { Ability::no("there is no device to run on") };
        Self { query, set, probe }
    }
}

/// Why nothing is started.
const UNKILLABLE: &str = "a process that could not be killed holds a GPU";

fn query(seen: &Seen<'_>, obstacles: &[Obstacle]) -> Ability {
    if let Some(block) = obstacles.iter().find(|obstacle| obstacle.weight == Weight::Blocks) {
        return Ability::no(block.what.clone());
    }
    let mut through = Vec::new();
    if seen.sockets.iter().any(|gpu| gpu.sysfs.is_some()) {
        through.push("sysfs");
    }
    if seen.look.kfd.as_ref().is_some_and(|nodes| !nodes.is_empty()) {
        through.push("KFD");
    }
    if seen.tool.trouble.is_none() {
        through.push("amd-smi");
    }
    Ability::yes(format!("through {}", through.join(", ")))
}

/// Source of the requirements: facts/partitions.md section 5; facts/amd-smi.md 1.4.
fn set(seen: &Seen<'_>) -> Ability {
    let mut against: Vec<String> = Vec::new();
    if seen.environment.provenance == Provenance::Recorded {
        return Ability::no("a recording cannot be changed");
    }
    if seen.gpus.iter().all(|gpu| !gpu.parts.is_empty()) && seen.sockets.iter().all(|gpu| gpu.unpartitionable()) {
        return Ability::no("these GPUs have no partitions");
    }
    if seen.whereabouts.platform.value() == Some(&Platform::VirtualFunction) {
        against.push("the modes of a virtual function are its host's to set".to_owned());
    }
    if seen.environment.caller == Caller::User {
        against.push("it needs root".to_owned());
    }
    if !seen.environment.unkillable.is_empty() {
        against.push(UNKILLABLE.to_owned());
    }
    if let Some(holders) = seen.holders.value().filter(|holders| !holders.is_empty()) {
        let count = holders.len();
        against.push(format!("{count} process{} the GPUs", if count == 1 { " holds" } else { "es hold" }));
    }
    let modes_read = seen.sockets.iter().any(|gpu| gpu.compute_in_force().value().is_some());
    if !modes_read {
        against.push("the modes in force cannot be read back".to_owned());
    }
    if against.is_empty() {
        Ability::yes("as root, while no process holds a GPU")
    } else {
        Ability::no(against.join("; "))
    }
}

fn probe(seen: &Seen<'_>) -> Ability {
    match seen.environment.provenance {
        Provenance::Simulated => return Ability::no("a simulated machine computes nothing"),
        Provenance::Recorded => return Ability::no("a recording computes nothing"),
        Provenance::Hardware => {}
    }
    if !seen.environment.unkillable.is_empty() {
        return Ability::no(UNKILLABLE);
    }
    if seen.look.kfd.as_ref().is_none_or(Vec::is_empty) {
        return Ability::no("KFD shows no device");
    }
    let kfd = seen.look.access.iter().flatten().find(|device| device.path.ends_with("/kfd"));
    match kfd.map(|device| &device.access) {
        Some(Access::Granted) | None => {}
        Some(Access::Denied { .. }) => return Ability::no("this user may not use /dev/kfd"),
        Some(Access::Missing) => return Ability::no("there is no /dev/kfd"),
        Some(Access::Unreadable(problem)) => return Ability::no(format!("/dev/kfd: {problem}")),
    }
    match seen.environment.workers.first() {
        Some(worker) => Ability::yes(format!("with {worker}")),
        None => Ability::no("there is no torch worker (`validate-probe-torch`)"),
    }
}
