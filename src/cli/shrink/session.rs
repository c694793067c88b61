//! The journal of a search: each process is on the disk with the boot before it starts, and what came of it before the
//! next one. A search that goes on repeats its steps, and takes what came of each from here.

use std::path::Path;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use crate::cli::exit::Failure;
use crate::cli::{results, resume};
use crate::journal::{Durable, Next, Progress};
use crate::run::{Clock, RunFolder};
use crate::shrink::Came;
use crate::witness::kernel::read_boot_id;

/// Format name and major version.
const SCHEMA: &str = "rocvet.shrink/1";

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
enum Event {
    /// The first line.
    ShrinkStarted { schema: String, run: String, command: Vec<String>, plan: String, boot_id: Option<String> },
    /// It goes on after it was cut off.
    ShrinkResumed { at: String, boot_id: Option<String> },
    /// A process is about to start.
    ProcessStarted { process: String, boot_id: Option<String> },
    /// It is over.
    ProcessFinished { process: String, came: Came },
    /// The last line of a search that was not cut off.
    ShrinkFinished { exit: u8 },
}

/// What was begun before.
#[derive(Debug)]
pub(super) struct Earlier {
    folder: RunFolder,
    /// Command line.
    pub(super) command: Vec<String>,
    plan: String,
    progress: Progress<Came>,
}

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct Session {
    folder: RunFolder,
    progress: Progress<Came>,
    boot_id: Option<String>,
}

impl Earlier {
    /// Takes up the search with this folder or id.
    ///
    /// # Errors
    /// There is none, or it cannot go on.
    pub(super) fn take_up(run: &str) -> Result<Self, Failure> {
        let path = resume::folder(run);
        let (folder, lines) = RunFolder::lines::<Event>(&path).map_err(resume::refused)?;
        let refuse = |why: &str| resume::refused(anyhow!("{}: {why}", path.display()));
        let mut lines = lines.into_iter();
        let Some(Event::ShrinkStarted { schema, command, plan, .. }) = lines.next() else {
            return Err(refuse("its journal does not begin with the start of a search: nothing was run"));
        };
        if schema != SCHEMA {
            return Err(refuse("its journal is of a version that this program does not read"));
        }
        let mut progress = Progress::new();
        for line in lines {
            match line {
                Event::ShrinkStarted { .. } => return Err(refuse("its journal holds the start of two searches")),
                Event::ProcessStarted { process, boot_id } => progress.begun(process, boot_id),
                Event::ProcessFinished { process, came } => progress.finished(process, came),
                Event::ShrinkResumed { .. } | Event::ShrinkFinished { .. } => {}
            }
        }
        Ok(Self { folder, command, plan, progress })
    }
}

impl Session {
    /// Begins, or goes on with `earlier`; `root` shows the machine's `/proc`.
    ///
    /// # Errors
    /// The plan is another one, or the journal cannot be written.
    pub(super) fn begin(
        earlier: Option<Earlier>,
        results: Option<&Path>,
        plan: String,
        root: &Path,
    ) -> Result<Self, Failure> {
        let boot_id = read_boot_id(&root.join("proc"));
        let (folder, progress, event) = match earlier {
            Some(Earlier { folder, command, plan: then, progress }) => {
                resume::same_plan(&then, &plan, folder.path(), &command)?;
                (folder, progress, Event::ShrinkResumed { at: Clock::now(), boot_id: boot_id.clone() })
            }
            None => {
                let run = Clock::start().run_id();
                let folder = RunFolder::create(&results::folder(results), &run).map_err(Failure::unavailable)?;
                let (schema, command) = (SCHEMA.to_owned(), crate::cli::run::command());
                (folder, Progress::new(), Event::ShrinkStarted { schema, run, command, plan, boot_id: boot_id.clone() })
            }
        };
        let mut session = Self { folder, progress, boot_id };
        session.append(&event)?;
        Ok(session)
    }

    /// What is to be done with a process.
    pub(super) fn next(&self, process: &str) -> Next<'_, Came> {
        self.progress.next(process, self.boot_id.as_deref())
    }

    /// A process is about to start.
    ///
    /// # Errors
    /// That cannot be written down: then it must not.
    pub(super) fn starts(&mut self, process: &str) -> Result<(), Failure> {
        self.append(&Event::ProcessStarted { process: process.to_owned(), boot_id: self.boot_id.clone() })
    }

    /// It is over.
    ///
    /// # Errors
    /// That cannot be written down.
    pub(super) fn ended(&mut self, process: &str, came: Came) -> Result<(), Failure> {
        self.append(&Event::ProcessFinished { process: process.to_owned(), came })
    }

    /// All is over.
    ///
    /// # Errors
    /// That cannot be written down.
    pub(super) fn finish(&mut self, exit: u8) -> Result<(), Failure> {
        self.append(&Event::ShrinkFinished { exit })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn append(&mut self, event: &Event) -> Result<(), Failure> {
        self.folder.append(event, Durable::Yes).map_err(Failure::unavailable)
    }
}
