//! `partition assert`: are the modes in force the ones that somebody relies on?

use crate::domain::{ComputeMode, MemoryMode, Reading};
use crate::topology::Socket;

/// What must be so. What is `None` may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Compute mode of each GPU.
    pub compute: Option<ComputeMode>,
    /// Memory mode of each GPU.
    pub memory: Option<MemoryMode>,
    /// Logical devices of all the GPUs together, as KFD shows them.
    pub devices: Option<usize>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asserted {
    /// All of it is so.
    Holds,
    /// Something is not so, whatever else could be read.
    Differs(Vec<Difference>),
    /// What could be read is as expected; this could not be.
    Unreadable(Vec<Difference>),
}

/// One thing that is not as expected, or could not be read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Of what: `GPU 0000:05:00.0`, or all of them together.
    pub subject: String,
    /// `compute partition`, `memory partition`, `logical devices`.
    pub what: &'static str,
    /// What was expected.
    pub expected: String,
    /// What is there, or why nothing could be read.
    pub found: String,
}

/// Compares. Modes are sysfs's, the number of devices is KFD's; `kfd_read` says whether KFD could be read.
pub fn assert_modes(sockets: &[&Socket<'_>], kfd_read: bool, expected: &Expected) -> Asserted {
    let (mut differs, mut unreadable) = (Vec::new(), Vec::new());
    for socket in sockets {
        let mut note = |what, wanted: String, found: Reading<String>| {
            let (into, found) = match found {
                Reading::Value(found) if found == wanted => return,
                Reading::Value(found) => (&mut differs, found),
                absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
                    (&mut unreadable, absent.absence().unwrap_or_default())
                }
            };
            into.push(Difference { subject: socket.name(), what, expected: wanted, found });
        };
        if let Some(wanted) = expected.compute {
            note("compute partition", wanted.to_string(), socket.compute().map(|mode| mode.to_string()));
        }
        if let Some(wanted) = expected.memory {
            note("memory partition", wanted.to_string(), socket.memory().map(|mode| mode.to_string()));
        }
    }
    if let Some(wanted) = expected.devices {
        let found: usize = sockets.iter().map(|socket| socket.nodes.len()).sum();
        let difference = |found| Difference {
            subject: "the GPUs together".to_owned(),
            what: "logical devices",
            expected: wanted.to_string(),
            found,
        };
        if !kfd_read {
            unreadable.push(difference("no KFD topology".to_owned()));
        } else if found != wanted {
            differs.push(difference(found.to_string()));
        }
    }
    if !differs.is_empty() {
        Asserted::Differs(differs)
    } else if unreadable.is_empty() {
        Asserted::Holds
    } else {
        Asserted::Unreadable(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::samples::{gpu, node};

    const CPX_NPS4: Expected =
        Expected { compute: Some(ComputeMode::Cpx), memory: Some(MemoryMode::Nps4), devices: Some(2) };

    fn judged(compute: Reading<ComputeMode>, memory: Reading<MemoryMode>, nodes: usize, kfd_read: bool) -> String {
        let sysfs = gpu("0000:05:00.0", 0x74a1, compute, memory);
        let kfd: Vec<_> = (0..nodes).map(|at| node("0000:05:00.0", at)).collect();
        let socket = Socket { bdf: sysfs.bdf, sysfs: Some(&sysfs), nodes: kfd.iter().collect() };
        let words = |all: &[Difference]| {
            let each: Vec<_> = all.iter().map(|each| format!("{} {}", each.what, each.found)).collect();
            each.join("; ")
        };
        match assert_modes(&[&socket], kfd_read, &CPX_NPS4) {
            Asserted::Holds => "holds".to_owned(),
            Asserted::Differs(all) => format!("differs: {}", words(&all)),
            Asserted::Unreadable(all) => format!("unreadable: {}", words(&all)),
        }
    }

    #[test]
    fn an_assertion_holds_only_when_all_of_it_was_read_and_is_so() {
        use ComputeMode::{Cpx, Spx};
        use MemoryMode::{Nps1, Nps4};
        use Reading::{NotReported, Value};
        for (compute, memory, nodes, kfd, expected) in [
            (Value(Cpx), Value(Nps4), 2, true, "holds"),
            (Value(Spx), Value(Nps4), 2, true, "differs: compute partition SPX"),
            (Value(Cpx), Value(Nps1), 1, true, "differs: memory partition NPS1; logical devices 1"),
            (NotReported, Value(Nps4), 2, true, "unreadable: compute partition not reported"),
            (NotReported, Value(Nps1), 2, true, "differs: memory partition NPS1"),
            (Value(Cpx), Value(Nps4), 0, false, "unreadable: logical devices no KFD topology"),
            (Value(Cpx), Value(Nps4), 0, true, "differs: logical devices 0"),
        ] {
            assert_eq!(judged(compute.clone(), memory.clone(), nodes, kfd), expected, "{compute:?} {memory:?} {nodes}");
        }
    }
}
