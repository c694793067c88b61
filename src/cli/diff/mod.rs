//! `validate diff`: what changed between two stacks, and what an upgrade would break.

mod input;

use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::compare::{Comparison, Rules, compare};
use crate::report::{self, DiffKind, Paper, Target};

use super::console;
use super::exit::{Exit, Failure, Outcome};
use super::results;
use super::selection::SelectionArgs;

use input::{Input, Opened};

/// Below the options of `diff --help`.
pub const HELP: &str = "\
Examples:
  validate run --hardware --repeat 5         before the upgrade, and after it; each leaves a run
  validate diff 20261121T080000Z-1 20261121T090000Z-1
  validate diff results/RUN-1 RUN-2 --format markdown=comment.md --format html=upgrade.html
  validate diff --base RUN-1 RUN-2 RUN-3 --candidate RUN-4 RUN-5 RUN-6
  validate run --hardware --repeat 5 --worker old=/rocm6/bin/python --worker new=/rocm7/bin/python
  validate diff RUN:old RUN:new              the two workers of that run
  validate diff before after                 host folders: what only looks is run on both
  validate diff RUN-1 RUN-2 --format json | jq '.cases[] | select(.class == \"regressed\") | .id'

A case is called regressed or fixed when it fails in all tries of one side and in none of the other.
Where a side is mixed, a change is called when Fisher's exact test gives less than 5 % for chance
alone; else it is flaky. Durations are compared on hardware, from 5 tries on each side, by a
bootstrap interval; the memory of probes from 5 processes on each side, also on simulated machines:
what those count is their own. What ran on another part, in other modes or by another text of its
scenario is not comparable, and said to be so.

Exit codes: 0 every case was compared and none is worse, 1 something is worse, 2 something is fixed
and nothing worse, 3 some cases could not be compared, 4 no case, 64 usage error or no such run,
69 results cannot be written, 130 and 143 interrupted";

/// Options of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// What was: a run (its folder, its run.json, or its id), one worker of it (RUN:NAME), or a host folder
    #[arg(value_name = "BASE", required_unless_present = "base", requires = "second")]
    first: Option<PathBuf>,
    /// What is to be, in the same way
    #[arg(value_name = "CANDIDATE")]
    second: Option<PathBuf>,
    /// Several runs or host folders of what was
    #[arg(long, value_name = "BASE", num_args = 1.., requires = "candidate", conflicts_with = "first")]
    base: Vec<PathBuf>,
    /// Several runs or host folders of what is to be
    #[arg(long, value_name = "CANDIDATE", num_args = 1.., requires = "base", conflicts_with = "first")]
    candidate: Vec<PathBuf>,
    /// How much longer a case has to take to be called slower, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    threshold: u16,
    /// How much more or less memory a probe has to take or find to be named, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    memory_threshold: u16,
    /// Of host folders: cases to run, as `validate run -E` has them
    #[arg(short = 'E', long = "filter", value_name = "FILTER")]
    filter: Option<String>,
    /// Of host folders: run every case this many times
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroU32,
    /// Report: human, markdown, json, junit or html; `=PATH` writes it to a file. May be given several times
    #[arg(long = "format", value_name = "KIND[=PATH]", default_value = "human")]
    formats: Vec<Target<DiffKind>>,
    /// Folder where runs are found by id, and where runs on host folders go [default: as for `run`]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
}

/// Compares.
///
/// # Errors
/// Something named is no run and no host, or a report cannot be written. What changed is no error.
pub fn run(args: &DiffArgs) -> Outcome {
    let selection = SelectionArgs {
        paths: Vec::new(),
        filter: args.filter.clone(),
        shard: None,
        shuffle: None,
        interaction: None,
        repeat: args.repeat,
    };
    let input = Input { selection, results: args.results.clone() };
    let (base, candidate) = (named(&args.base, &args.first), named(&args.candidate, &args.second));
    // What is read takes no time, and what is run does: a name that is wrong is told before anything is run.
    let places = |names: &[PathBuf]| names.iter().map(|name| input.find(name)).collect::<Result<Vec<_>, _>>();
    let (base, candidate) = (places(&base)?, places(&candidate)?);
    let mut sides = Vec::new();
    for places in [base, candidate] {
        match input.side(&places)? {
            Opened::Side(side) => sides.push(*side),
            Opened::Ended(exit) => return Ok(exit),
        }
    }
    let [base, candidate] = sides.as_slice() else { return Err(Failure::from(anyhow!("a side is missing"))) };
    let share = |percent: u16| f64::from(percent) / 100.0;
    let (threshold, memory_threshold) = (share(args.threshold), share(args.memory_threshold));
    let rules = Rules { threshold, memory_threshold, ..Rules::default() };
    let comparison = compare(base, candidate, rules);
    write(&args.formats, &comparison)?;
    Ok(Exit::Run(comparison.exit.code))
}

fn named(several: &[PathBuf], one: &Option<PathBuf>) -> Vec<PathBuf> {
    several.iter().chain(one).cloned().collect()
}

fn write(targets: &[Target<DiffKind>], comparison: &Comparison) -> Result<(), Failure> {
    for target in targets {
        let paper = if target.path.is_some() { Paper::FILE } else { console::paper() };
        let bytes =
            report::render_diff(target.kind, comparison, paper).map_err(|error| Failure::from(anyhow!(error)))?;
        match &target.path {
            Some(path) => results::write(path, &bytes)?,
            None => console::print(&bytes).context("write to standard output").map_err(Failure::unavailable)?,
        }
    }
    Ok(())
}
