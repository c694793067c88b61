//! Whether a GPU can be put into a pair of modes, and who says no: what is known of the part, or this machine.

use crate::domain::{ComputeMode, KernelRules, MemoryMode, Reading};
use crate::facts::{self, Legality, Part};
use crate::topology::Socket;

use super::steps::Modes;

/// Who refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judge {
    /// The rules of the kernel, as they are known for the part.
    Facts,
    /// What this machine's driver offers (`available_*`).
    Machine,
}

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Whose.
    pub by: Judge,
    /// Why.
    pub why: String,
    /// What could be done instead.
    pub next: String,
}

/// Judges the pair `then` for a GPU that is in the modes `now`.
///
/// What the driver offers is believed where it speaks of `then`: kernels differ in their rules. It lists compute modes
/// for the memory mode in force only, so those of another memory mode are the known rules' to judge.
///
/// # Errors
/// Why not. The second value of a permitted pair is what is worth knowing of it.
pub fn judge(part: &Part, socket: &Socket<'_>, now: Modes, then: Modes) -> Result<Option<String>, Refusal> {
    let known = facts::legality(part, then.compute, then.memory, KernelRules::Latest);
    let offered = Offered::of(socket);
    if then.memory != now.memory {
        if part.apu {
            let why = format!("{}: the memory mode is the BIOS's to set", part.id);
            return Err(Refusal { by: Judge::Facts, why, next: "set it in the BIOS and reboot".to_owned() });
        }
        if let Some(modes) = offered.memory
            && !modes.contains(&then.memory)
        {
            let why = format!("this machine offers {}, not {}", names(modes), then.memory);
            return Err(Refusal { by: Judge::Machine, why, next: format!("choose of {}", names(modes)) });
        }
        return match known {
            Legality::Legal => Ok(None),
            Legality::NotOffered { firmware, .. } if offered.memory.is_some() => {
                Ok(Some(format!("this machine offers {}; in general {firmware}", then.memory)))
            }
            Legality::NotOffered { firmware, .. } => {
                let next = "available_memory_partition says what this machine offers, and it could not be read";
                Err(Refusal { by: Judge::Facts, why: firmware.to_string(), next: next.to_owned() })
            }
            Legality::Illegal { why } => {
                Err(Refusal { by: Judge::Facts, why, next: alternatives(part, then.compute, then.memory) })
            }
        };
    }
    match (offered.compute, known) {
        (Some(modes), Legality::Illegal { why }) if modes.contains(&then.compute) => {
            Ok(Some(format!("this driver offers {}; the newest kernel's rules do not ({why})", then.compute)))
        }
        (Some(modes), Legality::Legal | Legality::NotOffered { .. }) if modes.contains(&then.compute) => Ok(None),
        (Some(modes), Legality::Illegal { why }) => {
            let why = format!("{why}, and this machine offers {} in {}", names(modes), then.memory);
            Err(Refusal { by: Judge::Machine, why, next: alternatives(part, then.compute, then.memory) })
        }
        (Some(modes), Legality::Legal | Legality::NotOffered { .. }) => {
            let why = format!("this machine offers {} in {}, not {}", names(modes), then.memory, then.compute);
            Err(Refusal { by: Judge::Machine, why, next: alternatives(part, then.compute, then.memory) })
        }
        (None, Legality::Legal | Legality::NotOffered { .. }) => Ok(None),
        (None, Legality::Illegal { why }) => {
            Err(Refusal { by: Judge::Facts, why, next: alternatives(part, then.compute, then.memory) })
        }
    }
}

/// What the driver says that it offers; `None` where it does not say.
struct Offered<'a> {
    compute: Option<&'a [ComputeMode]>,
    memory: Option<&'a [MemoryMode]>,
}

impl<'a> Offered<'a> {
    fn of(socket: &Socket<'a>) -> Self {
        let sysfs = socket.sysfs;
        Self {
            compute: sysfs.and_then(|gpu| said(&gpu.available_compute)),
            memory: sysfs.and_then(|gpu| said(&gpu.available_memory)),
        }
    }
}

/// An empty list is a known defect and no answer (facts/amd-smi.md 2.2).
fn said<T>(reading: &Reading<Vec<T>>) -> Option<&[T]> {
    reading.value().map(Vec::as_slice).filter(|modes| !modes.is_empty())
}

/// With which other memory mode the compute mode goes.
fn alternatives(part: &Part, compute: ComputeMode, memory: MemoryMode) -> String {
    let fits = |with: &&MemoryMode| {
        **with != memory && facts::kernel_allows(part, compute, **with, KernelRules::Latest).is_ok()
    };
    match part.memory_modes.iter().find(fits) {
        Some(with) => format!("{compute} goes with {with}: add --memory {with}"),
        None => format!("`validate explain fact.mode.{}` lists the pairs of this part", part.machine_name()),
    }
}

fn names<T: ToString>(modes: &[T]) -> String {
    modes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::samples::gpu;
    use ComputeMode::{Cpx, Dpx, Qpx, Spx};
    use MemoryMode::{Nps1, Nps2, Nps4};
    use Reading::{NotReported, Value};

    fn judged(
        name: &str,
        now: (ComputeMode, MemoryMode),
        offered: (Reading<Vec<ComputeMode>>, Reading<Vec<MemoryMode>>),
        then: (ComputeMode, MemoryMode),
    ) -> String {
        let mut sysfs = gpu("0000:05:00.0", 0x74a1, Value(now.0), Value(now.1));
        (sysfs.available_compute, sysfs.available_memory) = offered;
        let socket = Socket { bdf: sysfs.bdf, sysfs: Some(&sysfs), nodes: Vec::new() };
        let modes = |(compute, memory)| Modes { compute, memory };
        match judge(facts::part(name).unwrap(), &socket, modes(now), modes(then)) {
            Ok(None) => "yes".to_owned(),
            Ok(Some(note)) => format!("yes: {note}"),
            Err(Refusal { by, why, next }) => format!("{by:?}: {why}; {next}"),
        }
    }

    #[test]
    fn who_says_no_is_told_with_a_way_out() {
        let at_nps1 = || (Value(vec![Spx, Dpx, Qpx, Cpx]), Value(vec![Nps1, Nps4]));
        let at_nps4 = || (Value(vec![Qpx, Cpx]), Value(vec![Nps1, Nps4]));
        for (name, now, offered, then, expected) in [
            ("mi300x", (Spx, Nps1), at_nps1(), (Cpx, Nps1), "yes"),
            ("mi300x", (Spx, Nps1), at_nps1(), (Cpx, Nps4), "yes"),
            ("mi300x", (Cpx, Nps4), at_nps4(), (Spx, Nps1), "yes"),
            ("mi300x", (Cpx, Nps4), at_nps4(), (Spx, Nps4), "SPX goes with NPS1: add --memory NPS1"),
            ("mi300x", (Cpx, Nps4), at_nps4(), (Spx, Nps4), "Machine: the kernel does not allow SPX with NPS4"),
            ("mi300x", (Spx, Nps1), at_nps1(), (Spx, Nps4), "Facts: the kernel does not allow SPX with NPS4 on gfx942"),
            ("mi300x", (Spx, Nps1), at_nps1(), (Dpx, Nps2), "Machine: this machine offers NPS1, NPS4, not NPS2"),
            (
                "mi300x",
                (Spx, Nps1),
                (NotReported, Value(vec![Nps1, Nps2])),
                (Dpx, Nps2),
                "yes: this machine offers NPS2; in general newer firmware offers it",
            ),
            ("mi300x", (Spx, Nps1), (NotReported, NotReported), (Dpx, Nps2), "Facts: newer firmware offers it"),
            (
                "mi300x",
                (Spx, Nps1),
                (Value(vec![Spx]), NotReported),
                (Cpx, Nps1),
                "Machine: this machine offers SPX in",
            ),
            ("mi300x", (Spx, Nps1), (Value(vec![]), NotReported), (Cpx, Nps1), "yes"),
            ("mi300x", (Qpx, Nps4), (Value(vec![Dpx]), NotReported), (Dpx, Nps4), "yes: this driver offers DPX"),
            (
                "mi300a",
                (Spx, Nps1),
                (NotReported, NotReported),
                (Cpx, Nps4),
                "Facts: MI300A: the memory mode is the BIOS",
            ),
            ("mi308x", (Spx, Nps1), (NotReported, NotReported), (Qpx, Nps1), "Facts: MI308X has 4 XCCs"),
        ] {
            let found = judged(name, now, offered, then);
            assert!(found.contains(expected), "{name} {now:?} {then:?}: {found}");
        }
    }
}
