//! `validate record`.

use std::path::PathBuf;
use std::time::Duration;

use crate::host::record::{Extent, Recorded, record};
use crate::host::{Asking, Host, HostError};
use crate::process::Cancel;

use super::exit::Failure;
use super::target;

/// Writes a recording of a machine: amd-smi's answers and an excerpt of its kernel trees, with pseudonyms for serial
/// numbers, UUIDs and the host's name.
#[derive(Debug, Clone, clap::Args)]
pub struct RecordArgs {
    /// Folder to write; it must not exist.
    pub dir: PathBuf,
    /// A simulated host to record in the place of this machine.
    #[arg(long, value_name = "DIR")]
    pub host: Option<PathBuf>,
    /// Also record the partition profiles; as root the tool then writes to the driver's profile selector.
    #[arg(long)]
    pub profiles: bool,
}

impl RecordArgs {
    /// Records.
    ///
    /// # Errors
    /// The host cannot be opened or the folder is there already; or nothing can be recorded or written.
    pub fn run(&self, cancel: Cancel) -> Result<Recorded, Failure> {
        if self.dir.symlink_metadata().is_ok() {
            let problem = format!("{} is there already; a recording is written into a new folder", self.dir.display());
            return Err(Failure::usage(HostError::Refused(problem)));
        }
        let host = target::open(self.host.as_deref(), self.host.is_none())?.unwrap_or(Host::Real);
        let asking = Asking { deadline: Duration::from_secs(30), cancel };
        record(&host, &self.dir, Extent { profiles: self.profiles }, &asking).map_err(Failure::unavailable)
    }
}
