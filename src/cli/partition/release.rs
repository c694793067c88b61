//! `validate partition release`: models go out of the ledger.

use anyhow::anyhow;
use clap::Args;

use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::target;
use crate::placement::Held;

use super::choose::HostArgs;
use super::ledger::{StateArgs, ledger, printed, unusable};

/// Below the options of `release --help`.
pub const HELP: &str = "\
Examples:
  validate partition release 3
  validate partition release --all           after a reboot or a change of modes

Exit codes: 0 released, 64 nothing is placed under that number, 69 the ledger cannot be used";

/// Options of `release`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").args(["ids", "all"]).required(true))]
pub struct ReleaseArgs {
    /// Numbers that `place` gave
    #[arg(value_name = "NUMBER")]
    ids: Vec<u64>,
    /// Every model
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    machine: HostArgs,
    #[command(flatten)]
    state: StateArgs,
}

/// Releases.
///
/// # Errors
/// A number is not in the ledger, or the ledger cannot be used.
pub fn run(args: &ReleaseArgs) -> Outcome {
    // A ledger is a file: a machine that lost its GPUs can still be rid of it.
    let host = target::any(args.machine.host.as_deref())?;
    let ledger = ledger(&args.state, &host)?;
    if ledger.read().map_err(unusable)?.is_none() {
        return nothing_placed(args);
    }
    let done = ledger.update(|book| {
        let Some(mut book) = book else { return Err(Failure::usage(anyhow!(NOTHING))) };
        let gone = if args.all { book.release_all() } else { book.release(&args.ids).map_err(Failure::usage)? };
        Ok((book, gone))
    });
    let gone: Vec<Held> = done.map_err(unusable)??;
    let line = |held: &Held| format!("released {}: {} on {}, share {}\n", held.id, held.model, held.device, held.share);
    printed(&match gone.as_slice() {
        [] => format!("{NOTHING}\n"),
        gone => gone.iter().map(line).collect(),
    })?;
    Ok(Exit::Done)
}

const NOTHING: &str = "nothing is placed on this machine";

fn nothing_placed(args: &ReleaseArgs) -> Outcome {
    if !args.all {
        return Err(Failure::usage(anyhow!(NOTHING)));
    }
    printed(&format!("{NOTHING}\n"))?;
    Ok(Exit::Done)
}
