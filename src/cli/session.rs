//! The journal of a command that runs processes one after another: each is on the disk with the boot before it starts, and
//! what came of it before the next one. A command that goes on takes what came of each from here.

use std::path::Path;

use anyhow::anyhow;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::{Durable, Next, Progress};
use crate::run::{Clock, RunFolder};
use crate::witness::kernel::read_boot_id;

use super::exit::Failure;
use super::{results, resume};

/// One line of the journal; `C` is what came of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
enum Event<C> {
    /// The first line.
    SessionStarted { schema: String, run: String, command: Vec<String>, plan: String, boot_id: Option<String> },
    /// It goes on after it was cut off.
    SessionResumed { at: String, boot_id: Option<String> },
    /// A process is about to start.
    ProcessStarted { process: String, boot_id: Option<String> },
    /// It is over.
    ProcessFinished { process: String, came: Box<C> },
    /// The last line of one that was not cut off.
    SessionFinished { exit: u8 },
}

/// What was begun before.
#[derive(Debug)]
pub struct Earlier<C> {
    folder: RunFolder,
    /// Command line.
    pub command: Vec<String>,
    plan: String,
    progress: Progress<C>,
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Session<C> {
    folder: RunFolder,
    progress: Progress<C>,
    boot_id: Option<String>,
}

impl<C: DeserializeOwned> Earlier<C> {
    /// Takes up what has this folder or id; `schema` is the format name and major version of the command that goes on.
    ///
    /// # Errors
    /// There is none, or it cannot go on.
    pub fn take_up(schema: &str, run: &str) -> Result<Self, Failure> {
        let path = resume::folder(run);
        // Whose journal it is decides what came of its processes, so that is read after it.
        let (folder, lines) = RunFolder::lines::<Event<Value>>(&path).map_err(resume::refused)?;
        let refuse = |why: &str| resume::refused(anyhow!("{}: {why}", path.display()));
        let mut lines = lines.into_iter();
        let Some(Event::SessionStarted { schema: found, command, plan, .. }) = lines.next() else {
            return Err(refuse("its journal does not begin with a start: nothing was run"));
        };
        if found != schema {
            let found: String = found.chars().take(64).collect();
            return Err(refuse(&format!("its journal is {found:?}, and this command goes on with {schema:?}")));
        }
        let mut progress = Progress::new();
        for (number, line) in (2..).zip(lines) {
            match line {
                Event::SessionStarted { .. } => return Err(refuse("its journal holds two starts")),
                Event::ProcessStarted { process, boot_id } => progress.begun(process, boot_id),
                Event::ProcessFinished { process, came } => {
                    let came = C::deserialize(*came).map_err(|error| refuse(&format!("line {number}: {error}")))?;
                    progress.finished(process, came);
                }
                Event::SessionResumed { .. } | Event::SessionFinished { .. } => {}
            }
        }
        Ok(Self { folder, command, plan, progress })
    }
}

impl<C: Serialize> Session<C> {
    /// Begins, or goes on with `earlier`; `root` shows the machine's `/proc`.
    ///
    /// # Errors
    /// The plan is another one, or the journal cannot be written.
    pub fn begin(
        schema: &str,
        earlier: Option<Earlier<C>>,
        results: Option<&Path>,
        plan: String,
        root: &Path,
    ) -> Result<Self, Failure> {
        let boot_id = read_boot_id(&root.join("proc"));
        let (folder, progress, event) = match earlier {
            Some(Earlier { folder, command, plan: then, progress }) => {
                resume::same_plan(&then, &plan, folder.path(), &command)?;
                (folder, progress, Event::SessionResumed { at: Clock::now(), boot_id: boot_id.clone() })
            }
            None => {
                let run = Clock::start().run_id();
                let folder = RunFolder::create(&results::folder(results), &run).map_err(Failure::unavailable)?;
                let (schema, command) = (schema.to_owned(), super::run::command());
                let event = Event::SessionStarted { schema, run, command, plan, boot_id: boot_id.clone() };
                (folder, Progress::new(), event)
            }
        };
        let mut session = Self { folder, progress, boot_id };
        session.append(&event)?;
        Ok(session)
    }

    /// What is to be done with a process.
    pub fn next(&self, process: &str) -> Next<'_, C> {
        self.progress.next(process, self.boot_id.as_deref())
    }

    /// A process is about to start.
    ///
    /// # Errors
    /// That cannot be written down: then it must not.
    pub fn starts(&mut self, process: &str) -> Result<(), Failure> {
        self.append(&Event::ProcessStarted { process: process.to_owned(), boot_id: self.boot_id.clone() })
    }

    /// It is over.
    ///
    /// # Errors
    /// That cannot be written down.
    pub fn ended(&mut self, process: &str, came: C) -> Result<(), Failure> {
        self.append(&Event::ProcessFinished { process: process.to_owned(), came: Box::new(came) })
    }

    /// All is over.
    ///
    /// # Errors
    /// That cannot be written down.
    pub fn finish(&mut self, exit: u8) -> Result<(), Failure> {
        self.append(&Event::SessionFinished { exit })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn append(&mut self, event: &Event<C>) -> Result<(), Failure> {
        self.folder.append(event, Durable::Yes).map_err(Failure::unavailable)
    }
}
