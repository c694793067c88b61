//! Which cases: the arguments that `run` and `list` share.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

use crate::plan::{Filter, Selection, Shard};
use crate::scenario::Level;

/// Which cases, and in what order.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArgs {
    /// Scenario files, or folders of them; the embedded scenarios when none is given
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Cases to take: 'tag(memory) and part(MI300X) and not id(/faults/)'
    ///
    /// Predicates: tag(T) id(TEXT, GLOB or /REGEX/) part(P) gfx(gfx103x) machine(M) check(C) level(L) version(>=26) all() none();
    /// joined by and (&), or (|), not (!) and parentheses.
    #[arg(short = 'E', long = "filter", value_name = "FILTER")]
    pub filter: Option<String>,
    /// One part of the selection: slice:1/4 (by position) or hash:1/4 (by id)
    #[arg(long, value_name = "SHARD")]
    pub shard: Option<Shard>,
    /// Shuffle the order; the same seed gives the same order with the same version of this program
    #[arg(long, value_name = "SEED")]
    pub shuffle: Option<u64>,
    /// How far cases may go: observe, exercise, reconfigure or reboot [default: reconfigure when simulated, else observe]
    #[arg(long, value_name = "LEVEL")]
    pub interaction: Option<Level>,
    /// Run every case this many times; a case whose repeats disagree is flaky
    #[arg(long, value_name = "N", default_value = "1")]
    pub repeat: NonZeroU32,
}

impl SelectionArgs {
    /// What the plan is to choose by.
    ///
    /// # Errors
    /// The filter cannot be read; the message shows it with a caret. It is not read by clap, whose error would not keep the lines.
    pub fn selection(&self) -> Result<Selection, crate::plan::FilterError> {
        let filter = self.filter.as_deref().map(Filter::parse).transpose()?;
        Ok(Selection { filter, shard: self.shard, shuffle: self.shuffle, level: self.interaction, workers: Vec::new() })
    }
}
