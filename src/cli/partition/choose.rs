//! Which machine and which GPUs: the options that every partition command shares.

use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::Failure;
use crate::cli::target;
use crate::host::Host;
use crate::partition::{Choice, chosen};
use crate::topology::Socket;

/// `--host` and `--gpu`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    /// A host folder, simulated or recorded, instead of this machine
    #[arg(long, value_name = "DIR")]
    pub host: Option<PathBuf>,
    /// A physical GPU, by PCI address or by its number in PCI order; may be given several times [default: all]
    #[arg(long = "gpu", value_name = "BDF|INDEX")]
    pub gpus: Vec<Choice>,
}

impl MachineArgs {
    /// Opens the machine.
    ///
    /// # Errors
    /// The folder is no host, or there is no AMD GPU here.
    pub fn open(&self) -> Result<Host, Failure> {
        Ok(target::open(self.host.as_deref(), self.host.is_none())?.unwrap_or(Host::Real))
    }

    /// The GPUs that are meant.
    ///
    /// # Errors
    /// The machine shows no GPU, or one is named that is not there.
    pub fn pick<'a, 'b>(&self, sockets: &'b [Socket<'a>]) -> Result<Vec<&'b Socket<'a>>, Failure> {
        if sockets.is_empty() {
            let problem = "this machine shows no AMD GPU: neither sysfs nor KFD has one; `validate doctor` says why";
            return Err(Failure::unavailable(anyhow::anyhow!(problem)));
        }
        let places = chosen(sockets, &self.gpus).map_err(Failure::usage)?;
        Ok(places.into_iter().filter_map(|place| sockets.get(place)).collect())
    }
}
