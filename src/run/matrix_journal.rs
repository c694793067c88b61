//! The journal of a matrix: each cell before it begins and after it ended, so that a machine that goes down takes nothing
//! with it that was known. And the record at the end.

#![expect(clippy::disallowed_methods, reason = "the folder of a matrix is written here")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::{Durable, Journal, JournalError, Progress};
use crate::matrix::record::{CellRecord, MatrixRecord};

use super::journal::write_record;

/// Format name and major version.
const SCHEMA: &str = "rocvet.matrix-events/1";

/// Name of the journal in the run's folder.
const FILE: &str = "cells.jsonl";

/// Name of the record in the run's folder.
pub const RECORD_FILE: &str = "matrix.json";

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
enum Event {
    /// The first.
    Began {
        schema: String,
        /// Run id.
        run: String,
        /// Command line.
        command: Vec<String>,
        /// Digest of the cells that were planned.
        plan: String,
        /// The kernel's command line, where the host has one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        cmdline: Option<String>,
        /// What was in force of the parameters that somebody asked for, or that a cell names.
        #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
        in_force: BTreeMap<String, String>,
    },
    /// Nothing further can run in this boot.
    Waits {
        /// What the next boot needs, in words.
        needs: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        boot_id: Option<String>,
    },
    /// A cell is about to run.
    CellBegan {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        boot_id: Option<String>,
    },
    /// It was stopped on purpose, as if it had not begun.
    CellWithdrawn { id: String },
    /// It ended.
    CellEnded { cell: Box<CellRecord> },
}

/// The folder of one matrix, with its journal.
#[derive(Debug)]
pub struct MatrixFolder {
    path: PathBuf,
    journal: Journal,
}

/// What there was of a machine when a matrix began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Began {
    /// The kernel's command line; `None` where the host has none.
    pub cmdline: Option<String>,
    /// What was in force of the parameters that somebody asked for, or that a cell names.
    pub in_force: BTreeMap<String, String>,
}

/// What a matrix waited for when it stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waited {
    /// What the next boot needs, in words.
    pub needs: String,
    /// The boot in which it waited.
    pub boot_id: Option<String>,
}

/// What a journal says of a matrix that was cut off.
#[derive(Debug)]
pub struct EarlierMatrix {
    /// Run id.
    pub run: String,
    /// Command line.
    pub command: Vec<String>,
    /// Digest of the cells that were planned.
    pub plan: String,
    /// What there was when it began.
    pub began: Began,
    /// What it waited for when it stopped last.
    pub waited: Option<Waited>,
    /// How far each cell came.
    pub progress: Progress<CellRecord>,
}

/// A matrix cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum NotTakenUp {
    /// Its journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its journal does not begin as one of a matrix does.
    #[error("{0}")]
    NoMatrix(String),
}

impl MatrixFolder {
    /// Makes `results/<run>/` and begins its journal.
    ///
    /// # Errors
    /// It cannot be written, or is there already.
    pub fn begin(
        results: &Path,
        run: &str,
        command: Vec<String>,
        plan: String,
        began: Began,
    ) -> Result<Self, JournalError> {
        let path = results.join(run);
        let made = fs::create_dir_all(results).and_then(|()| fs::create_dir(&path));
        made.map_err(|error| JournalError::Write { path: path.clone(), error })?;
        let mut journal = Journal::create(&path.join(FILE))?;
        let Began { cmdline, in_force } = began;
        let (schema, run) = (SCHEMA.to_owned(), run.to_owned());
        let began = Event::Began { schema, run, command, plan, cmdline, in_force };
        journal.append(&began, Durable::Yes)?;
        Ok(Self { path, journal })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes up the journal of a matrix that was cut off.
    ///
    /// # Errors
    /// It is none, of another version, or somebody else writes it.
    pub fn take_up(folder: &Path) -> Result<(Self, EarlierMatrix), NotTakenUp> {
        let (journal, events) = Journal::take_up::<Event>(folder, FILE)?;
        let mut events = events.into_iter();
        let (run, command, plan, began) = match events.next() {
            Some(Event::Began { schema, run, command, plan, cmdline, in_force }) if schema == SCHEMA => {
                (run, command, plan, Began { cmdline, in_force })
            }
            Some(Event::Began { schema, .. }) => {
                let schema: String = schema.chars().take(60).collect();
                return Err(NotTakenUp::NoMatrix(format!(
                    "{FILE}: schema {schema:?}, and this program reads {SCHEMA}"
                )));
            }
            Some(
                Event::Waits { .. } | Event::CellBegan { .. } | Event::CellWithdrawn { .. } | Event::CellEnded { .. },
            )
            | None => {
                return Err(NotTakenUp::NoMatrix(format!("{FILE}, line 1: it does not say what was begun")));
            }
        };
        let mut progress = Progress::new();
        let mut waited = None;
        for event in events {
            match event {
                Event::Began { .. } => {
                    return Err(NotTakenUp::NoMatrix(format!("{FILE}: it was begun twice")));
                }
                Event::Waits { needs, boot_id } => waited = Some(Waited { needs, boot_id }),
                Event::CellBegan { id, boot_id } => progress.begun(id, boot_id),
                Event::CellWithdrawn { id } => progress.withdrawn(&id),
                Event::CellEnded { cell } => progress.finished(cell.id.clone(), *cell),
            }
        }
        let earlier = EarlierMatrix { run, command, plan, began, waited, progress };
        Ok((Self { path: folder.to_owned(), journal }, earlier))
    }

    /// A cell is about to run; it is on the disk when this returns.
    ///
    /// # Errors
    /// It cannot be written: then the cell is not to be begun.
    pub fn began(&mut self, id: &str, boot_id: Option<&str>) -> Result<(), JournalError> {
        let event = Event::CellBegan { id: id.to_owned(), boot_id: boot_id.map(str::to_owned) };
        self.journal.append(&event, Durable::Yes)
    }

    /// It was stopped on purpose.
    ///
    /// # Errors
    /// As [`MatrixFolder::began`].
    pub fn withdrawn(&mut self, id: &str) -> Result<(), JournalError> {
        self.journal.append(&Event::CellWithdrawn { id: id.to_owned() }, Durable::Yes)
    }

    /// It ended.
    ///
    /// # Errors
    /// As [`MatrixFolder::began`].
    pub fn ended(&mut self, cell: &CellRecord) -> Result<(), JournalError> {
        self.journal.append(&Event::CellEnded { cell: Box::new(cell.clone()) }, Durable::Yes)
    }

    /// Nothing further can run in this boot.
    ///
    /// # Errors
    /// As [`MatrixFolder::began`].
    pub fn waits(&mut self, needs: String, boot_id: Option<String>) -> Result<(), JournalError> {
        self.journal.append(&Event::Waits { needs, boot_id }, Durable::Yes)
    }

    /// Writes the record in one step: a reader sees the whole file or none.
    ///
    /// # Errors
    /// As [`MatrixFolder::began`].
    pub fn finish(&self, record: &MatrixRecord) -> Result<(), JournalError> {
        write_record(&self.path, RECORD_FILE, record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Next;

    #[test]
    fn what_a_reboot_cut_off_is_told_from_what_was_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal =
            MatrixFolder::begin(folder.path(), "run", vec!["validate".into()], "digest".into(), Began::default())
                .unwrap();
        journal.began("a", Some("boot-1")).unwrap();
        journal.withdrawn("a").unwrap();
        journal.began("b", Some("boot-1")).unwrap();
        journal.waits("amdgpu.runpm=0".into(), Some("boot-1".into())).unwrap();
        drop(journal);
        let (_journal, earlier) = MatrixFolder::take_up(&folder.path().join("run")).unwrap();
        assert_eq!((earlier.run.as_str(), earlier.plan.as_str()), ("run", "digest"));
        assert_eq!(earlier.waited.map(|waited| waited.needs).as_deref(), Some("amdgpu.runpm=0"));
        assert_eq!(earlier.progress.next("a", Some("boot-2")), Next::Run);
        assert_eq!(earlier.progress.next("b", Some("boot-1")), Next::Run);
        assert_eq!(earlier.progress.next("b", Some("boot-2")), Next::MachineWentDown { boot_id: "boot-1" });
    }

    #[test]
    fn what_is_no_journal_of_a_matrix_is_refused() {
        for (text, part) in [
            ("", "line 1"),
            ("{\"event\":\"cell-withdrawn\",\"id\":\"a\"}\n", "does not say what was begun"),
            (
                "{\"event\":\"began\",\"schema\":\"rocvet.events/1\",\"run\":\"r\",\"command\":[],\"plan\":\"p\"}\n",
                "this program reads",
            ),
            ("{\"event\":\"tea\"}\n", "line 1: unknown variant"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let error = MatrixFolder::take_up(folder.path()).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
