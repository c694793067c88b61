//! Which machine and which GPUs: the options that every partition command shares, and a session with the machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use tempfile::TempDir;

use crate::cli::exit::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::results;
use crate::cli::target::{self, Chosen};
use crate::domain::{Reading, ToolVersion};
use crate::host::{Asking, Host, simulated};
use crate::partition::{Choice, chosen};
use crate::process::Cancel;
use crate::sim::machine_named;
use crate::topology::Socket;
use crate::witness::Snapshot;

/// `--host`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machine")]
pub struct HostArgs {
    /// A host folder, simulated or recorded, instead of this machine; `auto`: this machine where it can be queried, else a
    /// simulated one, which can only be looked at
    #[arg(long, value_name = "DIR|auto")]
    pub host: Option<PathBuf>,
}

/// `--host` and `--gpu`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    #[command(flatten)]
    pub host: HostArgs,
    /// A physical GPU, by PCI address or by its number in PCI order; may be given several times [default: all]
    #[arg(long = "gpu", value_name = "BDF|INDEX")]
    pub gpus: Vec<Choice>,
}

impl HostArgs {
    /// Opens the machine.
    ///
    /// # Errors
    /// The folder is no host, or there is no AMD GPU here.
    pub fn open(&self) -> Result<Host, Failure> {
        Ok(target::open(self.host.as_deref(), self.host.is_none())?.unwrap_or(Host::Real))
    }
}

/// Places in `sockets` of the GPUs that are meant.
///
/// # Errors
/// The machine shows no GPU, or one is named that is not there.
pub fn places(machine: &MachineArgs, sockets: &[Socket<'_>]) -> Result<Vec<usize>, Failure> {
    if sockets.is_empty() {
        let problem = "this machine shows no AMD GPU: neither sysfs nor KFD has one; `validate doctor` says why";
        return Err(Failure::unavailable(anyhow!(problem)));
    }
    chosen(sockets, &machine.gpus).map_err(Failure::usage)
}

/// A machine that is asked, with an ear for signals.
pub struct Session {
    /// The machine.
    pub host: Host,
    /// How amd-smi is asked.
    pub asking: Asking,
    interrupt: Interrupt,
    /// Why `--host auto` chose the machine.
    why: Option<String>,
    /// A simulated machine that is there to be looked at.
    _scratch: Option<TempDir>,
}

/// A machine, and what a session keeps of how it was come by.
struct Opened {
    host: Host,
    why: Option<String>,
    scratch: Option<TempDir>,
}

impl Opened {
    /// One that the caller named, or the default.
    const fn named(host: Host) -> Self {
        Self { host, why: None, scratch: None }
    }
}

impl Session {
    /// How long amd-smi may take to answer a question: a machine with 64 devices does in a second.
    const DEADLINE: Duration = Duration::from_secs(5);

    /// Opens the machine and begins to listen for signals.
    ///
    /// # Errors
    /// As [`HostArgs::open`].
    pub fn open(machine: &HostArgs) -> Result<Self, Failure> {
        Self::begin(|| Ok(Opened::named(machine.open()?)))
    }

    /// The same for a command that only looks: `--host auto` gives it a simulated MI300X where this machine cannot be
    /// queried.
    ///
    /// # Errors
    /// The folder is no host, there is no AMD GPU here, or no simulated machine can be made.
    pub fn to_look(machine: &HostArgs) -> Result<Self, Failure> {
        Self::begin(|| {
            let Chosen { host, why } = target::choose(machine.host.as_deref(), machine.host.is_none())?;
            let (host, scratch) = match host {
                Some(host) => (host, None),
                None => {
                    let scratch = results::scratch()?;
                    (simulated_mi300x(scratch.path()).map_err(Failure::unavailable)?, Some(scratch))
                }
            };
            Ok(Opened { host, why, scratch })
        })
    }

    /// The same for a command that brings a machine back: one whose driver was left unloaded shows no GPU.
    ///
    /// # Errors
    /// The folder is no host.
    pub fn to_restore(machine: &HostArgs) -> Result<Self, Failure> {
        Self::begin(|| Ok(Opened::named(target::any(machine.host.as_deref())?)))
    }

    /// Listens before the machine is opened: to choose one may take as long as to ask it.
    fn begin(open: impl FnOnce() -> Result<Opened, Failure>) -> Result<Self, Failure> {
        let cancel = Cancel::new();
        let interrupt = Interrupt::listen(cancel.clone())?;
        let Opened { host, why, scratch } = open()?;
        Ok(Self { host, asking: Asking { deadline: Self::DEADLINE, cancel }, interrupt, why, _scratch: scratch })
    }

    /// The signal that came, if one did.
    pub fn signal(&self) -> Option<i32> {
        self.interrupt.signal()
    }

    /// What the machine is, for the last line of a report.
    pub fn about(&self) -> String {
        let what = match &self.host {
            Host::Real => "this machine (hardware)".to_owned(),
            Host::Simulated { .. } => format!("a simulated machine: {}", self.host.origin()),
            Host::Recorded { .. } => format!("a recorded machine: {}", self.host.origin()),
        };
        match &self.why {
            Some(why) => format!("{what}; {why}"),
            None => what,
        }
    }
}

/// Version of amd-smi, as a look found it.
pub fn tool(seen: &Snapshot) -> Reading<ToolVersion> {
    let report = seen.version.as_ref().map(|asked| asked.answer.value.clone());
    report.map_or(Reading::NotReported, |report| report.and_then(|report| report.tool))
}

fn simulated_mi300x(dir: &Path) -> anyhow::Result<Host> {
    simulated::create(dir, &machine_named("mi300x")?, simulated::Faces::Both)?;
    Ok(Host::open(dir)?)
}
