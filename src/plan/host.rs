//! What a plan is made for, and whether a scenario is for it.

use crate::domain::{ComputeMode, MemoryMode, Provenance, Reading, ToolVersion};
use crate::facts;
use crate::scenario::{Applies, Level, Pattern};
use crate::sim::Platform;

/// What the cases run on.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a run has one of it")]
pub enum Target {
    /// Every case on the machine that its scenario simulates.
    Simulated,
    /// One given host for all of them (`--hardware`, `--host`).
    Given {
        /// What kind of host it is.
        provenance: Provenance,
        /// What is known about it.
        host: HostDescription,
    },
    /// The CPU of this machine: what only computes, and says nothing about any GPU.
    Cpu,
}

impl Target {
    /// How far a case may go when nobody says. What changes a mode needs permission on every given host: a recording
    /// cannot replay it, and on one host a case would change what the next one finds.
    pub const fn default_level(&self) -> Level {
        match self {
            Self::Simulated => Level::Reconfigure,
            Self::Given { .. } => Level::Observe,
            // A computation changes nothing on a CPU.
            Self::Cpu => Level::Exercise,
        }
    }

    /// What kind of machine all cases share; `None` where each has its own.
    pub const fn provenance(&self) -> Option<Provenance> {
        match self {
            Self::Simulated => None,
            Self::Given { provenance, .. } => Some(*provenance),
            Self::Cpu => Some(Provenance::Hardware),
        }
    }
}

/// What is known about a given host, as far as `[applies]` asks. A machine with several GPUs is described by what they
/// have in common; where they differ the reading is malformed and says so.
#[derive(Debug, Clone, PartialEq)]
pub struct HostDescription {
    /// Part id: `MI300X`.
    pub part: Reading<String>,
    /// Native ISA: `gfx942`.
    pub gfx: Reading<String>,
    /// Compute mode in force.
    pub compute: Reading<ComputeMode>,
    /// Memory mode in force.
    pub memory: Reading<MemoryMode>,
    /// Tool version of amd-smi.
    pub tool: Reading<ToolVersion>,
    /// Where the operating system runs.
    pub platform: Reading<Platform>,
}

/// Whether a scenario is for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    /// It is for others; says which.
    No(String),
    /// What it asks about could not be read; says what.
    CannotTell(String),
}

impl HostDescription {
    /// Compares every key of `[applies]`. One that does not hold decides; else one that cannot be told.
    pub(super) fn fits(&self, applies: &Applies) -> Fit {
        let fits = [
            among("part", &self.part, &applies.part, |pattern, part| matches_part(pattern, part)),
            among("gfx", &self.gfx, &applies.gfx, |pattern, gfx| pattern.matches(gfx)),
            among("compute", &self.compute, &applies.compute, PartialEq::eq),
            among("memory", &self.memory, &applies.memory, PartialEq::eq),
            among("amd-smi", &self.tool, applies.amd_smi.as_slice(), |range, &version| range.matches(version)),
            among("platform", &self.platform, &applies.platform, PartialEq::eq),
        ];
        let mut unknown = None;
        for fit in fits {
            match fit {
                Fit::Yes => {}
                Fit::No(_) => return fit,
                Fit::CannotTell(_) => unknown = unknown.or(Some(fit)),
            }
        }
        unknown.unwrap_or(Fit::Yes)
    }
}

/// A part is found by its id and by its machine name.
pub(super) fn matches_part(pattern: &Pattern, part: &str) -> bool {
    pattern.matches(part) || facts::part(part).is_some_and(|part| pattern.matches(&part.machine_name()))
}

fn among<T: Shown, P: Shown>(key: &str, reading: &Reading<T>, admitted: &[P], admits: impl Fn(&P, &T) -> bool) -> Fit {
    if admitted.is_empty() {
        return Fit::Yes;
    }
    let wanted = || admitted.iter().map(Shown::shown).collect::<Vec<_>>().join(" or ");
    match (reading.value(), reading.absence()) {
        (Some(value), _) if admitted.iter().any(|each| admits(each, value)) => Fit::Yes,
        (Some(value), _) => Fit::No(format!("it is for {key} {}, and this host has {}", wanted(), value.shown())),
        (None, absence) => {
            let absence = absence.unwrap_or_else(|| "not reported".to_owned());
            Fit::CannotTell(format!("it is for {key} {}, and this host's {key} is {absence}", wanted()))
        }
    }
}

/// How a value stands in a reason.
trait Shown {
    fn shown(&self) -> String;
}

macro_rules! shown_as_displayed {
    ($($type:ty),+) => { $(impl Shown for $type { fn shown(&self) -> String { self.to_string() } })+ };
}

shown_as_displayed!(String, ComputeMode, MemoryMode, Platform, ToolVersion, Pattern, crate::scenario::VersionReq);
