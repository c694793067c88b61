//! The journal of probes that are run by hand: each is on the disk with the boot before its process starts, and what came
//! of it before the next one.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use crate::cli::exit::Failure;
use crate::cli::{results, resume};
use crate::host::{Host, previous_boot};
use crate::journal::{Durable, Next, Progress};
use crate::probe::record::ProbeRecord;
use crate::run::{Clock, RunFolder, keep_text};
use crate::witness::kernel::read_boot_id;

/// Format name and major version.
const SCHEMA: &str = "rocvet.probes/1";

/// Most that is kept of one stream as evidence, from its end, in bytes.
const KEPT: usize = 1 << 20;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
enum Event {
    /// The first line.
    ProbesStarted { schema: String, run: String, command: Vec<String>, plan: String, boot_id: Option<String> },
    /// It goes on after it was cut off.
    ProbesResumed { at: String, boot_id: Option<String> },
    /// A process is about to start.
    ProbeStarted { probe: String, boot_id: Option<String> },
    /// It is over.
    ProbeFinished { probe: String, record: Box<ProbeRecord> },
    /// The last line of one that was not cut off.
    ProbesFinished { exit: u8 },
}

/// What was begun before.
#[derive(Debug)]
pub(super) struct Earlier {
    folder: RunFolder,
    /// Command line.
    pub(super) command: Vec<String>,
    plan: String,
    progress: Progress<ProbeRecord>,
}

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct Session {
    folder: RunFolder,
    progress: Progress<ProbeRecord>,
    boot_id: Option<String>,
}

impl Earlier {
    /// Takes up the run with this folder or id.
    ///
    /// # Errors
    /// There is none, or it cannot go on.
    pub(super) fn take_up(run: &str) -> Result<Self, Failure> {
        let path = resume::folder(run);
        let (folder, lines) = RunFolder::lines::<Event>(&path)
            .map_err(|error| Failure::usage(anyhow!("this run cannot go on: {error}")))?;
        let refuse = |why: &str| Failure::usage(anyhow!("this run cannot go on: {}: {why}", path.display()));
        let mut lines = lines.into_iter();
        let Some(Event::ProbesStarted { schema, command, plan, .. }) = lines.next() else {
            return Err(refuse("its journal does not begin with the start of probes: nothing was run"));
        };
        if schema != SCHEMA {
            return Err(refuse("its journal is of a version that this program does not read"));
        }
        let mut progress = Progress::new();
        for line in lines {
            match line {
                Event::ProbesStarted { .. } => return Err(refuse("its journal holds the start of two runs")),
                Event::ProbeStarted { probe, boot_id } => progress.begun(probe, boot_id),
                Event::ProbeFinished { probe, record } => progress.finished(probe, *record),
                Event::ProbesResumed { .. } | Event::ProbesFinished { .. } => {}
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
                (folder, progress, Event::ProbesResumed { at: Clock::now(), boot_id: boot_id.clone() })
            }
            None => {
                let run = Clock::start().run_id();
                let folder = RunFolder::create(&results::folder(results), &run).map_err(Failure::unavailable)?;
                let (schema, command) = (SCHEMA.to_owned(), crate::cli::run::command());
                (folder, Progress::new(), Event::ProbesStarted { schema, run, command, plan, boot_id: boot_id.clone() })
            }
        };
        let mut session = Self { folder, progress, boot_id };
        session.append(&event)?;
        Ok(session)
    }

    /// What is to be done with a probe.
    pub(super) fn next(&self, probe: &str) -> Next<'_, ProbeRecord> {
        self.progress.next(probe, self.boot_id.as_deref())
    }

    /// A process is about to start.
    ///
    /// # Errors
    /// That cannot be written down: then it must not.
    pub(super) fn starts(&mut self, probe: &str) -> Result<(), Failure> {
        self.append(&Event::ProbeStarted { probe: probe.to_owned(), boot_id: self.boot_id.clone() })
    }

    /// It is over.
    ///
    /// # Errors
    /// That cannot be written down.
    pub(super) fn ended(&mut self, probe: &str, record: ProbeRecord) -> Result<(), Failure> {
        self.append(&Event::ProbeFinished { probe: probe.to_owned(), record: Box::new(record) })
    }

    /// All is over.
    ///
    /// # Errors
    /// That cannot be written down.
    pub(super) fn finish(&mut self, exit: u8) -> Result<(), Failure> {
        self.append(&Event::ProbesFinished { exit })
    }

    /// Keeps what a probe left behind; returns its folder. Without it the record is still worth having.
    pub(super) fn keep(&self, probe: &str, name: &str, text: &[u8]) -> Option<String> {
        let last = &text[text.len().saturating_sub(KEPT)..];
        keep_text(self.folder.path(), probe, name, &String::from_utf8_lossy(last)).ok()
    }

    /// Keeps what the kernel logged before the machine went down in this boot, and says whether anybody had it.
    pub(super) fn keep_previous(&self, probe: &str, root: &Path, boot_id: &str) -> (Option<String>, String) {
        let host = if root == Path::new("/") { Ok(Host::Real) } else { Host::open(root) };
        let log = host.map_err(|error| error.to_string()).and_then(|host| previous_boot(&host, boot_id));
        match log {
            Ok(log) => {
                let kept = self.keep(probe, "previous-boot.log", log.as_bytes());
                (kept, log.lines().next().unwrap_or_default().to_owned())
            }
            Err(why) => (None, why),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn append(&mut self, event: &Event) -> Result<(), Failure> {
        self.folder.append(event, Durable::Yes).map_err(Failure::unavailable)
    }
}
