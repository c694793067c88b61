//! `validate matrix show`: the grid of one run or of several, and beside it what was reported.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};

use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::{console, results, resume};
use crate::matrix::record::MatrixRecord;
use crate::report::matrix::{Kind, Shown, render};
use crate::report::{Paper, Target};
use crate::run::RECORD_FILE;
use crate::witness::tree::Tree;

/// Options of `validate matrix show`.
#[derive(Debug, Clone, Args)]
pub(super) struct ShowArgs {
    /// Runs, each by its folder or its id
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// Beside what was reported
    #[arg(long, value_enum)]
    against: Option<Against>,
    /// Format: human, markdown, json or html; `=PATH` writes it to a file. May be given several times
    #[arg(long = "format", value_name = "KIND[=PATH]", default_value = "human")]
    formats: Vec<Target<Kind>>,
}

/// What runs are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Against {
    /// The 79 public reports of facts/rdna-matrix.json
    Reported,
}

/// # Errors
/// A run is not there or is none, or the report cannot be written.
pub(super) fn run(args: &ShowArgs) -> Outcome {
    let runs = args.runs.iter().map(|run| read(&resume::folder(run))).collect::<Result<Vec<_>, _>>()?;
    let shown = Shown { runs: &runs, against_reported: args.against == Some(Against::Reported) };
    for Target { kind, path } in &args.formats {
        let paper = if path.is_some() { Paper::FILE } else { console::paper() };
        let bytes = render(*kind, shown, paper).map_err(|error| Failure::from(anyhow!(error)))?;
        match path {
            Some(path) => results::write(path, &bytes)?,
            None => console::print(&bytes).context("write to standard output").map_err(Failure::unavailable)?,
        }
    }
    Ok(Exit::Done)
}

/// The record of a run, as untrusted.
pub(super) fn read(folder: &Path) -> Result<MatrixRecord, Failure> {
    let bytes = Tree::open(folder).and_then(|tree| tree.read(RECORD_FILE, MatrixRecord::MAX_BYTES));
    let none = "no finished matrix; `validate matrix run` makes one, and `--resume` goes on with one that was cut off";
    let bytes = bytes.map_err(|error| Failure::usage(anyhow!("{error}: {none}")))?;
    let place = folder.join(RECORD_FILE);
    let read = MatrixRecord::read(&bytes);
    let read = read.map_err(|problem| Failure::usage(anyhow!("{}: not a matrix: {problem}", place.display())))?;
    Ok(console::all_told(read, &place))
}
