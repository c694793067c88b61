//! What a run leaves on disk: `events.jsonl` as it goes, `run.json` at the end, and each case's evidence.

#![expect(clippy::disallowed_methods, reason = "the run folder is written here")]

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::witness::{Call, Observations};

use super::record::{CaseRecord, RunRecord};

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first line.
    RunStarted {
        /// `rocvet.events/1`.
        schema: String,
        /// Run id.
        run: String,
        /// Ids of every planned case.
        cases: Vec<String>,
    },
    /// A case was taken up.
    CaseStarted {
        /// Case id.
        id: String,
    },
    /// A case came to its end.
    CaseFinished {
        /// Its record.
        case: Box<CaseRecord>,
    },
    /// The last line; a journal without it is of a run that was cut off.
    RunFinished {
        /// Exit code.
        exit: u8,
    },
}

impl Event {
    /// The first line of a journal.
    pub fn started(run: String, cases: Vec<String>) -> Self {
        Self::RunStarted { schema: "rocvet.events/1".to_owned(), run, cases }
    }
}

/// The folder of one run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    events: File,
}

/// The results could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write {path}: {source}; `--results DIR` names another folder")]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

impl RunFolder {
    /// Makes `results/<run-id>/`.
    ///
    /// # Errors
    /// The folder cannot be made, or is there already.
    pub fn create(results: &Path, run: &str) -> Result<Self, JournalError> {
        let path = results.join(run);
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| JournalError { path, source }
        };
        fs::create_dir_all(results).map_err(fail(results))?;
        fs::create_dir(&path).map_err(fail(&path))?;
        let journal = path.join("events.jsonl");
        let events = File::create_new(&journal).map_err(fail(&journal))?;
        Ok(Self { path, events })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line.
    ///
    /// # Errors
    /// The disk is full, or the folder is gone.
    pub fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        let fail = |source| JournalError { path: self.path.join("events.jsonl"), source };
        let mut line = serde_json::to_vec(event).map_err(io::Error::from).map_err(fail)?;
        line.push(b'\n');
        self.events.write_all(&line).map_err(fail)
    }

    /// Writes `run.json` in one step: a reader sees the whole file or none.
    ///
    /// # Errors
    /// As [`RunFolder::append`].
    pub fn finish(&self, record: &RunRecord) -> Result<(), JournalError> {
        let path = self.path.join("run.json");
        let write = || -> io::Result<()> {
            let mut text = serde_json::to_vec_pretty(record)?;
            text.push(b'\n');
            // Readable like every other file of the run; a temporary file is its owner's alone otherwise.
            let open = fs::Permissions::from_mode(0o666);
            let mut file = tempfile::Builder::new().permissions(open).tempfile_in(&self.path)?;
            file.write_all(&text)?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| JournalError { path: path.clone(), source })
    }
}

/// Bytes of one stream of a call that are kept as evidence: more than any answer that can be read, and a tool that prints
/// without end fills no disk.
const KEPT: usize = 1 << 20;

/// Writes every call of a case into `run/evidence/<case>/calls.txt`; returns that folder relative to the run folder.
///
/// # Errors
/// The folder cannot be written.
pub fn keep_evidence(run: &Path, case: &str, seen: &Observations) -> Result<String, JournalError> {
    let relative = format!("evidence/{}", folder_name(case));
    let folder = run.join(&relative);
    let write = || -> io::Result<()> {
        fs::create_dir_all(&folder)?;
        let mut file = BufWriter::new(File::create(folder.join("calls.txt"))?);
        transcript(seen, &mut file)?;
        file.flush()
    };
    write().map_err(|source| JournalError { path: folder.clone(), source })?;
    Ok(relative)
}

/// Every call word for word. Bytes, because what a broken tool prints need not be text.
fn transcript(seen: &Observations, out: &mut impl Write) -> io::Result<()> {
    for call in calls(seen) {
        writeln!(out, "$ amd-smi {}\n# {}", call.args.join(" "), call.ended)?;
        for (name, bytes) in [("stdout", &call.stdout), ("stderr", &call.stderr)] {
            if bytes.is_empty() {
                continue;
            }
            writeln!(out, "----- {name} -----")?;
            out.write_all(bytes.get(..KEPT).unwrap_or(bytes))?;
            if bytes.len() > KEPT {
                writeln!(out, "\n----- {} bytes more are not kept -----", bytes.len() - KEPT)?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn calls(seen: &Observations) -> Vec<&Call> {
    let mut all: Vec<&Call> = Vec::new();
    if let Some(before) = &seen.before {
        all.extend(before.calls().into_iter().map(|(_, call)| call));
    }
    all.extend(seen.sets.iter().map(|set| &set.asked.call));
    all.extend(seen.runs.iter().map(|run| &run.call));
    all.extend(seen.after.calls().into_iter().map(|(_, call)| call));
    all
}

/// A case id as a folder: every character that means something to a file system or a shell becomes `_`.
fn folder_name(case: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.=/,".contains(c) { c } else { '_' };
    case.replace("::", "/").replace("..", "_").chars().map(safe).take(200).collect()
}
