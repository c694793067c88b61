//! Going on with a run that was cut off: which one, whether it may, and how that is told.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::exit::Failure;
use super::results;
use super::values::quoted;

/// The folder of a run, by itself or by its id in the results folder.
pub fn folder(run: &str) -> PathBuf {
    let named = PathBuf::from(run);
    if named.is_dir() || run.contains('/') { named } else { results::folder(None).join(run) }
}

/// How to go on.
pub fn how(command: &str, folder: &Path) -> String {
    format!("resume   validate {command} --resume {}", quoted(&folder.display().to_string()))
}

/// The run cannot be taken up.
pub fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::usage(anyhow!("this run cannot go on: {error}"))
}

/// The journal is of another command.
pub fn other_command(words: &[String], wanted: &str) -> Failure {
    let words = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    Failure::usage(anyhow!("this is no run of `validate {wanted}`: it was begun by `{words}`"))
}

/// A plan that changed in between is another run: its results would be of two.
///
/// # Errors
/// It did.
pub fn same_plan(then: &str, now: &str, folder: &Path, words: &[String]) -> Result<(), Failure> {
    if then == now {
        return Ok(());
    }
    let words = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    Err(Failure::usage(anyhow!(
        "the plan is not the one that {} was begun with: a scenario, the machine or this program changed, or it was begun in \
         another folder; `{words}` begins a new run",
        folder.display()
    )))
}

/// The journal names no run.
pub fn no_run_id(id: &str) -> Failure {
    let id: String = id.chars().take(60).collect();
    Failure::usage(anyhow!("this run cannot go on: {id:?} is no run id"))
}
