//! `validate shim DIR`: a simulated machine whose `amd-smi` any other program can put into its PATH.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::domain::{ComputeMode, MemoryMode, ToolVersion};
use crate::host::simulated::{Faces, create, install_program};
use crate::sim::fault::spellings;
use crate::sim::{Caller, Fault, Machine, Platform, machine_named, machine_names};

use super::like::like;

/// Options of `validate shim`.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct ShimArgs {
    /// Folder for the simulated host: empty, not there yet, or a simulated host that starts anew
    pub dir: PathBuf,
    /// Machine by name, or a machine file
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "like")]
    pub machine: Option<String>,
    /// A machine like the one of this recording, or of this folder with a kernel's trees: what was inferred is printed, and
    /// what differs still
    #[arg(long, value_name = "RECORDING", conflicts_with = "machine")]
    pub like: Option<PathBuf>,
    /// Version of the tool
    #[arg(long, value_name = "VERSION")]
    pub amd_smi: Option<ToolVersion>,
    /// Compute partition at the start
    #[arg(long, value_name = "MODE")]
    pub compute: Option<ComputeMode>,
    /// Memory partition at the start
    #[arg(long, value_name = "MODE")]
    pub memory: Option<MemoryMode>,
    /// Physical GPUs, 1 to 8
    #[arg(long, value_name = "N")]
    pub gpus: Option<u32>,
    /// In a virtual machine that owns whole GPUs
    #[arg(long)]
    pub vm: bool,
    /// Who calls the tool [default: actual, or who recorded it]
    #[arg(long, value_name = "WHO")]
    pub caller: Option<CallerArg>,
    /// What goes wrong; may be given more than once
    #[arg(long = "fault", value_name = "SPEC")]
    pub faults: Vec<Fault>,
}

/// `--caller`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CallerArg {
    /// As root, whoever it is
    Root,
    /// As a user without write permission
    User,
    /// Whoever really calls
    Actual,
}

/// Makes the host and says how to use it.
///
/// # Errors
/// The machine cannot be, or the folder cannot be used.
pub fn run(args: &ShimArgs) -> anyhow::Result<()> {
    let machine = machine(args)?;
    create(&args.dir, &machine, Faces::Both)?;
    let program = std::env::current_exe().context("cannot tell which executable this is")?;
    install_program(&args.dir, &program)?;
    let bin = args.dir.canonicalize().unwrap_or_else(|_| args.dir.clone()).join("bin");
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "{}: {} GPU(s) of {}, {}/{}, amd-smi {}",
        args.dir.display(),
        machine.gpus,
        machine.name,
        machine.compute,
        machine.memory,
        machine.amd_smi
    )?;
    writeln!(out, "Use it: PATH={}:$PATH amd-smi list", bin.display())?;
    Ok(())
}

/// The machine that the options describe.
///
/// # Errors
/// It is neither a known name nor a readable machine file, or it cannot be.
pub fn machine(args: &ShimArgs) -> anyhow::Result<Machine> {
    let base = match (&args.like, &args.machine) {
        (Some(recording), _) => like(recording)?,
        (None, Some(name)) => Machine { caller: Caller::Actual, ..base(name)? },
        (None, None) => anyhow::bail!("name a machine (--machine) or a recording (--like)"),
    };
    let machine = Machine {
        gpus: args.gpus.unwrap_or(base.gpus),
        platform: if args.vm { Platform::Passthrough } else { base.platform },
        compute: args.compute.unwrap_or(base.compute),
        memory: args.memory.unwrap_or(base.memory),
        amd_smi: args.amd_smi.unwrap_or(base.amd_smi),
        caller: args.caller.map_or(base.caller, |caller| match caller {
            CallerArg::Root => Caller::Root,
            CallerArg::User => Caller::User,
            CallerArg::Actual => Caller::Actual,
        }),
        faults: base.faults.iter().chain(&args.faults).cloned().collect(),
        ..base
    };
    machine.check()?;
    Ok(machine)
}

/// A name first: a file of that name needs a path with a slash or an ending.
#[expect(clippy::disallowed_methods, reason = "a machine file named on the command line is read here")]
fn base(name: &str) -> anyhow::Result<Machine> {
    /// Longer than any machine file; the parser says the exact limit.
    const LIMIT: u64 = 1 << 17;
    let unknown = match machine_named(name) {
        Ok(machine) => return Ok(machine),
        Err(error) => error,
    };
    if !name.contains(['/', '.']) {
        return Err(unknown.into());
    }
    let meta = std::fs::metadata(name).with_context(|| format!("machine file {name}"))?;
    anyhow::ensure!(meta.is_file() && meta.len() <= LIMIT, "machine file {name}: not a regular file of at most 64 KiB");
    let text = std::fs::read_to_string(name).with_context(|| format!("machine file {name}"))?;
    Machine::parse(&text).with_context(|| format!("machine file {name}"))
}

fn after_help() -> String {
    let faults: Vec<String> = spellings().iter().map(|each| format!("  {:<36} {}", each.example, each.what)).collect();
    format!("Machines: {}\n\nFaults:\n{}\n\n{}", machine_names().join(" "), faults.join("\n"), super::help::SHIM)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        args: ShimArgs,
    }

    fn described(options: &str) -> Result<Machine, String> {
        let words = ["shim", "somewhere", "--machine"].into_iter().chain(options.split_whitespace());
        let wrapper = Wrapper::try_parse_from(words).map_err(|error| error.to_string())?;
        machine(&wrapper.args).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn options_describe_the_machine() {
        let options = "mi300x --compute cpx --memory NPS4 --gpus 2 --amd-smi 27.1.0 --vm --fault compute=EBUSY";
        let machine = described(options).unwrap();
        assert_eq!((machine.compute, machine.memory, machine.gpus), (ComputeMode::Cpx, MemoryMode::Nps4, 2));
        assert_eq!((machine.platform, machine.caller), (Platform::Passthrough, Caller::Actual));
        assert_eq!((machine.amd_smi, machine.faults.len()), (ToolVersion::new(27, 1, 0), 1));
        let reference = described("reference-mi300x --memory NPS4").unwrap();
        assert_eq!(reference.compute, ComputeMode::Spx, "the reference tree may start in any pair of modes");
    }

    #[test]
    fn a_machine_file_is_read_from_any_path() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/machines/mi308x.toml");
        assert_eq!(described(file).unwrap().part, "mi308x");
        let error = described("/no/such/file.toml").unwrap_err();
        assert!(error.contains("/no/such/file.toml"), "{error}");
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        for (options, part) in [
            ("mi300", "nearest: mi300"),
            ("mi300x --memory NPS4", "SPX is not legal with NPS4"),
            ("mi300x --gpus 9", "between 1 and 8"),
            ("mi300x --compute XPX", "not a partition mode"),
            ("mi300x --fault hangs", "nearest: hang"),
            ("mi300x --amd-smi 26", "26.2.1"),
        ] {
            let error = described(options).unwrap_err();
            assert!(error.contains(part), "{options}: {error}");
        }
    }
}
