//! What the commands that keep the ledger share: where it is, and a machine that was looked at.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::cli::console;
use crate::cli::exit::Failure;
use crate::domain::Bdf;
use crate::host::Host;
use crate::ledger::{Ledger, LedgerError};
use crate::placement::{Device, Present, devices, devices_of};
use crate::topology::sockets;
use crate::witness::Snapshot;

use super::choose::{MachineArgs, Session, places};
use super::plan_models::{looked, some_device};
use super::state;

/// Where the ledger is.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// Folder of the ledger [default: in a simulated host; else the state folder of this user, one for each machine]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// A machine, looked at.
pub struct Looked {
    /// The machine.
    pub session: Session,
    /// What it shows.
    pub seen: Snapshot,
    /// What it is, in words.
    pub about: String,
    devices: Vec<Device>,
}

impl Looked {
    /// Looks.
    pub fn at(session: Session) -> Self {
        let seen = looked(&session);
        let about = session.about();
        let devices = devices(&seen).usable;
        Self { session, seen, about, devices }
    }

    /// As the ledger takes it.
    pub fn present(&self) -> Present<'_> {
        let boot_id = self.seen.kernel.as_ref().and_then(|kernel| kernel.boot_id.value());
        Present { machine: &self.about, boot_id: boot_id.map(String::as_str), devices: &self.devices }
    }

    /// Addresses of the devices of the GPUs that are meant.
    ///
    /// # Errors
    /// There is no such GPU, or none of its devices can be read.
    pub fn chosen(&self, machine: &MachineArgs) -> Result<Vec<Bdf>, Failure> {
        let all = sockets(&self.seen);
        let gpus: Vec<_> = places(machine, &all)?.into_iter().filter_map(|place| all.get(place)).collect();
        let devices = devices_of(&self.seen, &gpus);
        some_device(&devices)?;
        Ok(devices.usable.iter().map(|device| device.bdf).collect())
    }
}

/// The ledger of a machine.
///
/// # Errors
/// As [`state::folder`].
pub fn ledger(state: &StateArgs, host: &Host) -> Result<Ledger, Failure> {
    state::folder(state.state.as_deref(), host).map(Ledger::new)
}

/// The ledger cannot be used.
pub fn unusable(error: LedgerError) -> Failure {
    Failure::unavailable(anyhow!(error).context("use the ledger"))
}

/// Prints.
///
/// # Errors
/// Standard output cannot be written.
pub fn printed(text: &str) -> Result<(), Failure> {
    console::print(text.as_bytes()).context("write to standard output").map_err(Failure::unavailable)
}
