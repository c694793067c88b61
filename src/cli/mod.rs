//! The command line: arguments in, exit code out.

mod amd_smi;
mod baseline;
mod bundle;
mod checks;
mod console;
mod diff;
mod doctor;
mod dropped;
mod dying;
mod exit;
mod explain;
mod held;
mod help;
mod hip_witness;
mod interrupt;
mod keep;
mod like;
pub mod list;
mod matrix;
mod partition;
mod probe;
mod probe_launch;
mod probe_worker;
mod record;
mod results;
mod resume;
mod run;
pub mod schema;
pub mod selection;
mod session;
mod shim;
mod shrink;
mod stand;
mod target;
mod values;
mod workers;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{CommandFactory, Parser, Subcommand};

use crate::host::HIP_WITNESS;
use crate::process::Cancel;
use crate::scenario::LoadError;

pub use amd_smi::{AmdSmiCall, called_as_amd_smi};
use exit::{Exit, Failure, Outcome};
use interrupt::Interrupt;

/// Vet an AMD GPU machine before anyone trusts it.
///
/// Runs scenario files against simulated machines (the default), a recorded or simulated host folder (--host), or this
/// machine (--hardware), and gives a verdict: what was expected, what was observed, where each fact comes from, and
/// what was not evaluated.
#[derive(Debug, Parser)]
#[command(name = "validate", version, after_help = help::program(), args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and give a verdict (the default command)
    #[command(after_help = help::run())]
    Run(Box<run::RunArgs>),
    /// List cases, machines, checks or tags
    #[command(after_help = help::LIST)]
    List(Box<list::ListArgs>),
    /// Explain a check, a finding or a fact: what, why, source, confidence, what to do
    #[command(after_help = help::EXPLAIN)]
    Explain(explain::ExplainArgs),
    /// Print the JSON Schema of a format
    #[command(after_help = help::SCHEMA)]
    Schema(schema::SchemaArgs),
    /// Make a simulated machine whose bin/amd-smi any program can use
    Shim(shim::ShimArgs),
    /// What the partition modes are, what could be changed, and changing it
    Partition(Box<partition::PartitionArgs>),
    /// Say what this machine is and what stands in the way, in two seconds
    #[command(after_help = doctor::HELP)]
    Doctor(doctor::DoctorArgs),
    /// Run operations whose numbers are known, and judge what comes out
    #[command(after_help = help::PROBE)]
    Probe(Box<probe::ProbeArgs>),
    /// The crash matrix: what of it this machine shows, beside what was reported
    Matrix(Box<matrix::MatrixArgs>),
    /// Compare two runs, or two hosts: what an upgrade changed, and what it would break
    #[command(after_help = diff::HELP)]
    Diff(Box<diff::DiffArgs>),
    /// From a failing probe to the smallest that still fails, and what reproduces it elsewhere
    #[command(after_help = help::SHRINK)]
    Shrink(Box<shrink::ShrinkArgs>),
    /// One archive of what failed for an upstream bug report, without what names a machine or a person
    #[command(after_help = bundle::HELP)]
    Bundle(bundle::BundleArgs),
    /// Record a host, so that it can be replayed with --host
    #[command(after_help = help::RECORD)]
    Record(record::RecordArgs),
    /// Load the HIP runtime and say what it shows, as JSON: what this program asks of itself, in a child
    #[command(name = HIP_WITNESS, hide = true)]
    HipWitness,
    /// Work on one probe, as the request on standard input says: what this program asks of itself, in a child
    #[command(name = "probe-worker", hide = true)]
    ProbeWorker(probe_worker::WorkerArgs),
    /// Become the worker of a probe, with limits: what this program asks of itself, in a child
    #[command(name = "probe-launch", hide = true)]
    ProbeLaunch(probe_launch::LaunchArgs),
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page
    #[command(after_help = help::MAN)]
    Man {
        /// Of this command; of the whole program when left out
        command: Option<String>,
    },
}

/// Parses, dispatches, and turns what came of it into an exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // Help and usage errors go where clap sends them; a closed pipe there is nobody's loss.
            let _ = error.print();
            return exit.into();
        }
    };
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(Failure { exit, error }) => {
            console::note(&told(&error));
            exit.into()
        }
    }
}

/// A command that a journal names: those that can go on.
pub(crate) enum Parsed {
    /// `validate run`.
    Run(Box<run::RunArgs>),
    /// `validate matrix`.
    Matrix(Box<matrix::MatrixArgs>),
    /// `validate probe`.
    Probe(Box<probe::ProbeArgs>),
    /// `validate shrink`.
    Shrink(Box<shrink::ShrinkArgs>),
    /// Any other.
    Other,
}

/// Reads a command line again.
///
/// # Errors
/// It is none of this version.
fn parsed(words: &[String]) -> Result<Parsed, Failure> {
    let cli = Cli::try_parse_from(words).map_err(|error| {
        let problem = format!("this run cannot go on: its command is none of this version: {}", error.kind());
        Failure::usage(anyhow!(problem))
    })?;
    Ok(match cli.command {
        None => Parsed::Run(Box::new(cli.run)),
        Some(Command::Run(args)) => Parsed::Run(args),
        Some(Command::Matrix(args)) => Parsed::Matrix(args),
        Some(Command::Probe(args)) => Parsed::Probe(args),
        Some(Command::Shrink(args)) => Parsed::Shrink(args),
        Some(_) => Parsed::Other,
    })
}

/// An error as clap shows its own: `error: ` first, unless it is a picture of a file that begins so itself.
fn told(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let text = text.trim_end();
    let begins = anstream::adapter::strip_str(text).to_string().starts_with("error");
    if begins { text.to_owned() } else { format!("error: {text}") }
}

fn dispatch(cli: Cli) -> Outcome {
    match cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::List(args)) => list(&args),
        Some(Command::Explain(args)) => explain(&args),
        Some(Command::Schema(args)) => schema(&args),
        Some(Command::Shim(args)) => shim(&args),
        Some(Command::Partition(args)) => partition::run(&args),
        Some(Command::Doctor(args)) => doctor::run(&args),
        Some(Command::Probe(args)) => probe::run(&args),
        Some(Command::Matrix(args)) => matrix::run(&args),
        Some(Command::Shrink(args)) => shrink::run(&args),
        Some(Command::Diff(args)) => diff::run(&args),
        Some(Command::Bundle(args)) => bundle::run(&args),
        Some(Command::Record(args)) => record(&args),
        Some(Command::HipWitness) => {
            print(hip_witness::run().map_err(|error| Failure::from(anyhow!(error)))?.as_bytes())
        }
        Some(Command::ProbeWorker(args)) => Ok(Exit::Run(probe_worker::run(&args)?)),
        Some(Command::ProbeLaunch(args)) => match probe_launch::run(&args) {
            Ok(code) => Ok(Exit::Run(code)),
            // As a shell says that there is no such program.
            Err(problem) => Err(Failure { exit: Exit::Run(127), error: anyhow!(problem) }),
        },
        Some(Command::Completions { shell }) => completions(shell),
        Some(Command::Man { command }) => man(command.as_deref()),
    }
}

fn list(args: &list::ListArgs) -> Outcome {
    let listed = args.list(console::screen()).map_err(|error| match error {
        list::ListError::Load(error) => scenario_errors(&error),
        list::ListError::Filter(_) => Failure::usage(error),
        list::ListError::Json(_) => Failure::from(anyhow!(error)),
    })?;
    print(listed.text.as_bytes())?;
    Ok(if listed.exit == 0 { Exit::Done } else { Exit::NothingMatched })
}

fn record(args: &record::RecordArgs) -> Outcome {
    let cancel = Cancel::new();
    let interrupt = Interrupt::listen(cancel.clone())?;
    let recorded = match (args.run(cancel), interrupt.signal()) {
        (_, Some(signal)) => return Ok(Exit::Interrupted(signal)),
        (recorded, None) => recorded?,
    };
    let (calls, entries) = (recorded.calls, recorded.entries);
    console::note(&format!("recorded {calls} calls of amd-smi and {entries} files of the kernel's trees"));
    console::note(&format!("replay it with: validate run --host {}", args.dir.display()));
    Ok(Exit::Done)
}

fn shim(args: &shim::ShimArgs) -> Outcome {
    shim::run(args).map_err(Failure::usage)?;
    Ok(Exit::Done)
}

fn explain(args: &explain::ExplainArgs) -> Outcome {
    let extra: Vec<_> = checks::entries().into_iter().chain(crate::probe::catalogue::entries()).collect();
    let text = explain::explain(args, &extra).map_err(Failure::usage)?;
    print(text.as_bytes())
}

fn schema(args: &schema::SchemaArgs) -> Outcome {
    let registry = schema::Registry {
        scenario: crate::scenario::schema,
        run: || schemars::schema_for!(crate::run::RunRecord),
        events: || schemars::schema_for!(crate::run::Event),
        baseline: crate::compare::Baseline::schema,
        matrix: || schemars::schema_for!(crate::matrix::record::MatrixRecord),
        diff: || schemars::schema_for!(crate::compare::Comparison),
        machine: || schemars::schema_for!(crate::sim::Machine),
    };
    print(args.render(&registry).map_err(|error| Failure::from(anyhow!(error)))?.as_bytes())
}

fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "validate", &mut script);
    print(&script)
}

fn man(command: Option<&str>) -> Outcome {
    let mut program = Cli::command();
    program.build();
    let shown = match command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            found
                .ok_or_else(|| Failure::usage(anyhow!("no command is called {name:?}; `validate --help` lists them")))?
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(shown).render(&mut page).map_err(|error| Failure::from(anyhow!(error)))?;
    print(&page)
}

fn print(bytes: &[u8]) -> Outcome {
    console::print(bytes).map_err(Failure::unavailable)?;
    Ok(Exit::Done)
}

/// Scenario files that cannot be used: every problem, with its line.
fn scenario_errors(error: &LoadError) -> Failure {
    Failure::usage(anyhow!(error.render(console::style() == crate::report::Style::Coloured)))
}
