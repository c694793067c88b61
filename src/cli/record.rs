//! `validate record`.

use std::path::PathBuf;
use std::time::Duration;

use crate::host::record::{Extent, Recorded, record};
use crate::host::{Asking, Host, HostError};
use crate::process::Cancel;

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
    pub fn run(&self, cancel: Cancel) -> Result<Recorded, HostError> {
        let host = self.host.as_deref().map_or(Ok(Host::Real), Host::open)?;
        let asking = Asking { deadline: Duration::from_secs(30), cancel };
        record(&host, &self.dir, Extent { profiles: self.profiles }, &asking)
    }
}
