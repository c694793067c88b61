//! What happens to the machine while a probe runs, beside what the kernel logs: a GPU that is gone, a kernel that is not
//! itself any more.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::domain::{Bdf, Reading};
use crate::facts::Class;
use crate::witness::sysfs::read_modes;
use crate::witness::taint::{Mark, Taint, read_taint};

/// A machine as it was before a probe.
#[derive(Debug)]
pub(super) struct Watch {
    root: PathBuf,
    taint: Reading<Taint>,
    gpus: BTreeSet<Bdf>,
}

/// Why nothing more is run on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The probe's death, or what the kernel logged of it.
    Seen(Class),
    /// The kernel came to hold this against itself.
    Tainted(Mark),
    /// This GPU is gone from sysfs.
    Gone(Bdf),
}

impl Watch {
    /// Looks at the machine below this root.
    pub(super) fn begin(root: &Path) -> Self {
        Self { root: root.to_owned(), taint: read_taint(&root.join("proc")), gpus: gpus(root) }
    }

    /// Looks again. What could not be read before says nothing.
    pub(super) fn end(self) -> Option<Stop> {
        let gone = self.gpus.difference(&gpus(&self.root)).next().copied().map(Stop::Gone);
        gone.or_else(|| {
            let now = read_taint(&self.root.join("proc"));
            let mark = now.value()?.since(*self.taint.value()?)?;
            Some(Stop::Tainted(mark))
        })
    }
}

fn gpus(root: &Path) -> BTreeSet<Bdf> {
    read_modes(&root.join("sys")).into_iter().map(|gpu| gpu.bdf).collect()
}

impl Stop {
    /// What that is, among what a process can die of.
    pub const fn class(self) -> Class {
        match self {
            Self::Seen(class) => class,
            Self::Tainted(mark) => match mark.letter {
                'M' => Class::MachineCheck,
                _ => Class::Unknown,
            },
            Self::Gone(_) => Class::GpuLost,
        }
    }

    /// What to do next.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Seen(class) => class.advice(),
            Self::Tainted(_) => "Read the kernel log; reboot the machine before anything else is run.",
            Self::Gone(_) => Class::GpuLost.advice(),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen(class) => write!(f, "{class}"),
            Self::Tainted(mark) => write!(f, "{mark}"),
            Self::Gone(gpu) => write!(f, "the GPU {gpu} is gone from sysfs"),
        }
    }
}
