//! The shim against the real tool: every transcript of 24.5.2, 24.7.0, 26.2.1 and 27.1.0 over the reference tree.
//!
//! Each transcript names a machine and a call. The machine is built, `answer` is called in process, and stdout, stderr
//! and exit code are compared byte for byte. What may differ is said in two places only: `compare::shape` (values of
//! uninitialised memory in 24.x) and `tests/conformance.toml` (exceptions, each with its reason).

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test reads its fixtures and may stop at what is wrong"
)]

mod case;
mod compare;
mod exceptions;
mod play;
mod table;

use std::path::{Path, PathBuf};

use case::Case;
use compare::Outcome;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let cases = case::all(&root().join("tests/fixtures/amd-smi"));
    let exceptions = exceptions::read(&root().join("tests/conformance.toml"));
    let played: Vec<(Case, Outcome)> = cases.into_iter().map(|case| (play::against(&case), case)).map(swap).collect();
    let score = table::score(&played, &exceptions);
    if !arguments.list {
        print!("{}", score.summary());
    }
    let markdown = score.markdown();
    let rows = score.rows();
    let mut trials: Vec<Trial> = Vec::new();
    for (case, outcome) in played {
        let reason = exceptions.reason(&case.name).map(str::to_owned);
        trials.push(Trial::test(case.name.clone(), move || verdict(&case, &outcome, reason.as_deref())));
    }
    trials.push(Trial::test("the fidelity table in docs is current", move || current(&markdown)));
    trials.push(Trial::test("the fidelity table in the README is current", move || readme(&rows)));
    trials.push(Trial::test("every exception names a transcript", move || exceptions.all_used(&score.names)));
    trials.push(Trial::test("the index of held-out transcripts lists each of them", held_out_is_indexed));
    trials.extend(compare::self_tests());
    libtest_mimic::run(&arguments, trials).exit();
}

/// `held-out/INDEX.tsv` says what each transcript shows: file, tool, tree, command, exit code, what.
fn held_out_is_indexed() -> Result<(), Failed> {
    let folder = root().join("tests/fixtures/amd-smi/held-out");
    let index = std::fs::read_to_string(folder.join("INDEX.tsv"))?;
    let rows: Vec<Vec<&str>> =
        index.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    let mut listed: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    let mut present = Vec::new();
    for case in case::all(&root().join("tests/fixtures/amd-smi")) {
        let Some(row) = rows.iter().find(|row| row[0] == case.name) else { continue };
        let command = format!("amd-smi {}", case.args.join(" "));
        let said = [case.tool.as_str(), &command, &case.expected.code.to_string()].map(str::to_owned);
        if row.len() != 6 || [row[1], row[3], row[4]] != said {
            return Err(format!("{row:?} is not what the transcript says: {said:?}").into());
        }
        present.push(case.name);
    }
    let files = std::fs::read_dir(&folder)?.count();
    listed.sort();
    if listed != present || files != present.len() + 1 {
        return Err(format!("{} rows, {} transcripts, {files} files", listed.len(), present.len()).into());
    }
    Ok(())
}

fn swap<A, B>((left, right): (A, B)) -> (B, A) {
    (right, left)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// An exception that is not needed any more is a failure too: the table must not promise less than the shim does.
fn verdict(case: &Case, outcome: &Outcome, reason: Option<&str>) -> Result<(), Failed> {
    match (outcome, reason) {
        (Outcome::Identical | Outcome::ByShape, None) | (Outcome::Different(_), Some(_)) => Ok(()),
        (Outcome::Identical | Outcome::ByShape, Some(reason)) => {
            Err(format!("stale exception: it is the same as the transcript. The reason given was: {reason}").into())
        }
        (Outcome::Different(difference), None) => {
            Err(format!("$ amd-smi {}\non {}\n{difference}", case.args.join(" "), case.machine).into())
        }
    }
}

fn readme(rows: &[String]) -> Result<(), Failed> {
    let text = std::fs::read_to_string(root().join("README.md"))?;
    match rows.iter().find(|row| !text.lines().any(|line| line == row.as_str())) {
        None => Ok(()),
        Some(row) => Err(format!("README.md lacks the row {row}").into()),
    }
}

fn current(markdown: &str) -> Result<(), Failed> {
    let written = std::fs::read_to_string(root().join("docs/fidelity.md")).unwrap_or_default();
    if written == markdown {
        return Ok(());
    }
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fidelity.md");
    std::fs::write(&fresh, markdown)?;
    Err(format!("docs/fidelity.md is not what this run found; the new one is {}", fresh.display()).into())
}
