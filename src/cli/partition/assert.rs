//! `validate partition assert`: sysfs and KFD only, no process, so that a job's prologue can afford it.

use clap::Args;

use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::domain::{ComputeMode, MemoryMode};
use crate::partition::{Asserted, Difference, Expected, assert_modes};
use crate::topology::sockets;
use crate::witness::{Snapshot, kfd, sysfs};

use super::choose::{MachineArgs, places};

/// Below the options of `--help`.
pub const HELP: &str = "\
Examples:
  validate partition assert --compute CPX --memory NPS4               in a job's prologue
  validate partition assert --compute CPX --devices 64 || drain-node
  validate partition assert --memory NPS1 --gpu 0 --gpu 0000:26:00.0

Reads sysfs (modes) and, with --devices, the KFD topology; starts no process and never asks amd-smi.

Exit codes: 0 all of it is so, 1 something is not, 3 it could not be read, 64 usage error, 69 there is no GPU";

/// What must be so.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("expected").required(true).multiple(true))]
pub struct AssertArgs {
    /// Compute partition of every GPU
    #[arg(long, value_name = "MODE", group = "expected")]
    compute: Option<ComputeMode>,
    /// Memory partition of every GPU
    #[arg(long, value_name = "MODE", group = "expected")]
    memory: Option<MemoryMode>,
    /// Logical devices of the GPUs together
    #[arg(long, value_name = "N", group = "expected")]
    devices: Option<usize>,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Asserts.
///
/// # Errors
/// There is no such host or GPU.
pub fn run(args: &AssertArgs) -> Outcome {
    let host = args.machine.host.open()?;
    let root = host.sysfs_root();
    let kfd = if args.devices.is_some() { kfd::read_addresses(&root) } else { None };
    let look = Snapshot { sysfs: Some(sysfs::read_modes(&root)), kfd, ..Snapshot::default() };
    let all = sockets(&look);
    let gpus: Vec<_> = places(&args.machine, &all)?.into_iter().filter_map(|place| all.get(place)).collect();
    let expected = Expected { compute: args.compute, memory: args.memory, devices: args.devices };
    Ok(match assert_modes(&gpus, look.kfd.is_some(), &expected) {
        Asserted::Holds => Exit::Done,
        Asserted::Differs(differences) => {
            told(&differences)?;
            Exit::Run(1)
        }
        Asserted::Unreadable(differences) => {
            told(&differences)?;
            console::note(
                "it could not be read, so nothing is asserted; `validate doctor` says what stands in the way",
            );
            Exit::Run(3)
        }
    })
}

fn told(differences: &[Difference]) -> Result<(), Failure> {
    let line = |each: &Difference| {
        format!("{}: {}: expected {}, found {}\n", each.subject, each.what, each.expected, each.found)
    };
    let text: String = differences.iter().map(line).collect();
    console::print(text.as_bytes()).map_err(Failure::unavailable)
}
