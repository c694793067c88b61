//! `validate partition`: what the modes are, what could be changed, and changing it. One command, one file.

mod apply;
mod assert;
mod choose;
mod ledger;
mod models;
mod page;
mod place;
mod plan;
mod plan_models;
mod release;
mod restore;
mod show;
pub mod state;
mod usage;

use clap::{Args, Subcommand};

use super::exit::Outcome;

pub use apply::habit;
pub use choose::tool;

/// Options of `validate partition`.
#[derive(Debug, Args)]
pub struct PartitionArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what every witness says of modes and devices, side by side
    #[command(after_help = show::HELP)]
    Show(show::ShowArgs),
    /// Say what it takes to set modes, and what stands in the way; touches nothing
    #[command(after_help = plan::HELP)]
    Plan(plan::PlanArgs),
    /// Check in milliseconds that the modes are as expected; the exit code says it
    #[command(after_help = assert::HELP)]
    Assert(assert::AssertArgs),
    /// Set modes, with the modes found written down first; goes back when it fails
    #[command(after_help = apply::HELP)]
    Apply(apply::ApplyArgs),
    /// Bring back the modes found, also after kill -9 or a reboot
    #[command(after_help = restore::HELP)]
    Restore(restore::RestoreArgs),
    /// Give models devices, and write down what each may use
    #[command(after_help = place::HELP)]
    Place(Box<place::PlaceArgs>),
    /// Take models out of the ledger
    #[command(after_help = release::HELP)]
    Release(release::ReleaseArgs),
    /// Set the ledger against what is in use, and say what is left
    #[command(after_help = usage::HELP)]
    Usage(usage::UsageArgs),
}

/// Runs the command.
///
/// # Errors
/// Wrong input, or something that the command needs is not there.
pub fn run(args: &PartitionArgs) -> Outcome {
    match &args.command {
        Command::Show(args) => show::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Assert(args) => assert::run(args),
        Command::Apply(args) => apply::run(args),
        Command::Restore(args) => restore::run(args),
        Command::Place(args) => place::run(args),
        Command::Release(args) => release::run(args),
        Command::Usage(args) => usage::run(args),
    }
}
