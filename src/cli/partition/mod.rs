//! `validate partition`: what the modes are, what could be changed, and changing it. One command, one file.

mod assert;
mod choose;

use clap::{Args, Subcommand};

use super::exit::Outcome;

/// Options of `validate partition`.
#[derive(Debug, Args)]
pub struct PartitionArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check in milliseconds that the modes are as expected; the exit code says it
    #[command(after_help = assert::HELP)]
    Assert(assert::AssertArgs),
}

/// Runs the command.
///
/// # Errors
/// Wrong input, or something that the command needs is not there.
pub fn run(args: &PartitionArgs) -> Outcome {
    match &args.command {
        Command::Assert(args) => assert::run(args),
    }
}
