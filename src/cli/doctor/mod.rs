//! `validate doctor`: what this machine is and what stands in the way, in two seconds; changes nothing.

mod gather;
mod page;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::process::Cancel;

use super::console;
use super::exit::{Exit, Failure, Outcome};
use super::interrupt::Interrupt;
use super::target;

pub use gather::diagnosis;

/// Below the options of `--help`.
pub const HELP: &str = "\
Examples:
  validate doctor                            this machine
  validate doctor --host sim                 a simulated machine, or a recording
  validate doctor --format json | jq '.obstacles[] | .what, .next'

Reads sysfs, KFD and /proc, asks amd-smi for its version and stops it after a second. Changes nothing, runs nothing else.
An obstacle BLOCKS (nothing can be read), LIMITS (a witness, a change of modes or a probe is lost) or is a NOTE.

Exit codes: 0 the machine can be queried, whatever else stands in the way; 64 usage error; 69 nothing can be queried (no
GPU, or no driver that works); 130 and 143 interrupted";

/// Options of `validate doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A host folder, simulated or recorded, instead of this machine
    #[arg(long, value_name = "DIR")]
    host: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "human")]
    format: DoctorFormat,
}

/// How `doctor` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DoctorFormat {
    /// Text for a person
    Human,
    /// One JSON document
    Json,
}

/// Diagnoses and prints.
///
/// # Errors
/// The folder is no host.
pub fn run(args: &DoctorArgs) -> Outcome {
    let cancel = Cancel::new();
    let interrupt = Interrupt::listen(cancel.clone())?;
    let host = target::any(args.host.as_deref())?;
    let diagnosis = diagnosis(&host, &cancel)?;
    if let Some(signal) = interrupt.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    let text = match args.format {
        DoctorFormat::Human => page::render(&diagnosis, console::paper()),
        DoctorFormat::Json => serde_json::to_string_pretty(&diagnosis).map_err(anyhow::Error::from)? + "\n",
    };
    console::print(text.as_bytes()).map_err(Failure::unavailable)?;
    Ok(if diagnosis.can.query.able { Exit::Done } else { Exit::Unavailable })
}
