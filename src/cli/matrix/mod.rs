//! `validate matrix`: the crash matrix of this machine, and beside it what was reported.

mod help;
mod here;
mod next_boot;
mod place;
mod plan;
mod reported;
mod run;
mod show;
mod sweep;
mod sweeping;

use clap::{Args, Subcommand};

use super::exit::{Failure, Outcome};
use crate::matrix::record::MatrixRecord;

/// The crash matrix.
#[derive(Debug, Args)]
pub struct MatrixArgs {
    #[command(subcommand)]
    command: MatrixCommand,
}

#[derive(Debug, Subcommand)]
enum MatrixCommand {
    /// Run every probe in every setting with every worker, several times each, and keep what came of it
    #[command(after_help = help::RUN)]
    Run(Box<run::RunArgs>),
    /// Run a matrix whose settings need other kernel command lines: what to put into the bootloader is printed, and after
    /// each reboot `--resume` goes on
    #[command(after_help = help::CAMPAIGN)]
    Campaign(Box<run::RunArgs>),
    /// Show the grid of runs, and beside it what was reported
    #[command(after_help = help::SHOW)]
    Show(show::ShowArgs),
}

impl MatrixArgs {
    /// The options of `matrix run`, where it is that.
    fn of_run(&self) -> Option<&run::RunArgs> {
        match &self.command {
            MatrixCommand::Run(args) | MatrixCommand::Campaign(args) => Some(args),
            MatrixCommand::Show(_) => None,
        }
    }
}

/// The record of a matrix, by its folder or its id.
///
/// # Errors
/// There is none, or it is none of this version.
pub(super) fn record(run: &str) -> Result<MatrixRecord, Failure> {
    show::read(&super::resume::folder(run))
}

/// # Errors
/// Wrong input, a missing worker, results that cannot be written. What a cell shows is no error.
pub fn run(args: &MatrixArgs) -> Outcome {
    match &args.command {
        MatrixCommand::Run(args) => run::run(args, run::Form::Run),
        MatrixCommand::Campaign(args) => run::run(args, run::Form::Campaign),
        MatrixCommand::Show(args) => show::run(args),
    }
}
