//! What a run leaves on disk: `events.jsonl` as it goes, `run.json` at the end, and each case's evidence.

#![expect(clippy::disallowed_methods, reason = "the run folder is written here")]

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::domain::Status;
use crate::journal::{Durable, Journal, JournalError, Progress};
use crate::witness::{Call, Observations, ProbeCame, ProbeDone, ProbeEnd, ProbeNumbers, ProbeProcess, ProbeRaised};

use super::kept;
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
        /// Command line; of the program only its file name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        command: Vec<String>,
        /// Digest of what the planned cases say: a run goes on only with the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<String>,
    },
    /// The run goes on after it was cut off.
    RunResumed {
        /// When, RFC 3339.
        at: String,
        /// Boot of the machine; absent where it does not say, or each case has a simulated machine of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot_id: Option<String>,
    },
    /// A case is about to begin: on the disk before it does anything, where it may take the machine down.
    CaseStarted {
        /// Case id.
        id: String,
        /// Boot of the machine; absent where it does not say, or the case has a simulated machine of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot_id: Option<String>,
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
    pub fn started(run: String, cases: Vec<String>, command: Vec<String>, plan: String) -> Self {
        Self::RunStarted { schema: SCHEMA.to_owned(), run, cases, command, plan: Some(plan) }
    }
}

/// Format name and major version.
const SCHEMA: &str = "rocvet.events/1";

const FILE: &str = "events.jsonl";

/// The folder of one run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    events: Journal,
}

/// What the journal of a run that was cut off says.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    /// Run id.
    pub run: String,
    /// Command line.
    pub command: Vec<String>,
    /// Digest of the plan.
    pub plan: String,
    /// How far every case came.
    pub progress: Progress<CaseRecord>,
    /// Times that it went on already.
    pub resumed: u32,
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
            move |error| JournalError::Write { path, error }
        };
        fs::create_dir_all(results).map_err(fail(results))?;
        fs::create_dir(&path).map_err(fail(&path))?;
        let events = Journal::create(&path.join(FILE))?;
        // The journal's name is on the disk; so must be that of the folder that it lies in.
        File::open(results).and_then(|results| results.sync_all()).map_err(fail(results))?;
        Ok(Self { path, events })
    }

    /// Takes up the run in this folder.
    ///
    /// # Errors
    /// It is the folder of no run, or of one that cannot go on.
    pub fn take_up(path: &Path) -> Result<(Self, Earlier), TakeUpError> {
        let (folder, lines) = Self::lines(path)?;
        let earlier = earlier(lines).map_err(|problem| TakeUpError::NoRun { path: path.join(FILE), problem })?;
        Ok((folder, earlier))
    }

    /// Takes up the folder of anything that keeps a journal of such lines.
    ///
    /// # Errors
    /// As [`Journal::take_up`].
    pub fn lines<E: DeserializeOwned>(path: &Path) -> Result<(Self, Vec<E>), JournalError> {
        let (events, lines) = Journal::take_up(path, FILE)?;
        Ok((Self { path: path.to_owned(), events }, lines))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line.
    ///
    /// # Errors
    /// The disk is full, or the folder is gone.
    pub fn append(&mut self, event: &impl Serialize, durable: Durable) -> Result<(), JournalError> {
        self.events.append(event, durable)
    }

    /// Writes `run.json` in one step: a reader sees the whole file or none.
    ///
    /// # Errors
    /// As [`RunFolder::append`].
    pub fn finish(&self, record: &RunRecord) -> Result<(), JournalError> {
        write_record(&self.path, "run.json", record)
    }
}

/// Writes a record into a run's folder in one step: a reader sees the whole file or none.
///
/// # Errors
/// The disk is full, or the folder is gone.
pub(super) fn write_record(folder: &Path, name: &str, record: &impl Serialize) -> Result<(), JournalError> {
    let path = folder.join(name);
    let write = || -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(record)?;
        text.push(b'\n');
        // Readable like every other file of the run; a temporary file is its owner's alone otherwise.
        let open = fs::Permissions::from_mode(0o666);
        let mut file = tempfile::Builder::new().permissions(open).tempfile_in(folder)?;
        file.write_all(&text)?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|error| JournalError::Write { path: path.clone(), error })
}

/// A run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TakeUpError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its journal is not that of a run.
    #[error("{}: {problem}", path.display())]
    NoRun {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: &'static str,
    },
}

/// What the lines of a journal come to.
fn earlier(lines: Vec<Event>) -> Result<Earlier, &'static str> {
    let mut lines = lines.into_iter();
    let Some(Event::RunStarted { schema, run, command, plan, .. }) = lines.next() else {
        return Err("it does not begin with the start of a run: it was cut off before anything was run");
    };
    if schema != SCHEMA {
        return Err("it is of a version that this program does not read");
    }
    let plan = plan.ok_or("it was written by a version that could not go on with a run")?;
    let mut earlier = Earlier { run, command, plan, progress: Progress::new(), resumed: 0 };
    for line in lines {
        match line {
            Event::RunStarted { .. } => return Err("it holds the start of two runs"),
            Event::RunResumed { .. } => earlier.resumed = earlier.resumed.saturating_add(1),
            Event::CaseStarted { id, boot_id } => earlier.progress.begun(id, boot_id),
            Event::CaseFinished { case } if case.status == Status::Aborted => earlier.progress.withdrawn(&case.id),
            Event::CaseFinished { case } => earlier.progress.finished(case.id.clone(), *case),
            Event::RunFinished { .. } => {}
        }
    }
    Ok(earlier)
}

/// Writes every call of a case into `run/evidence/<case>/calls.txt`, and where it ran probes every process of theirs into
/// `probes.jsonl` beside it; returns that folder relative to the run folder.
///
/// # Errors
/// The folder cannot be written.
pub fn keep_evidence(run: &Path, case: &str, seen: &Observations) -> Result<String, JournalError> {
    let relative = format!("evidence/{}", folder_name(case));
    let folder = run.join(&relative);
    let write = || -> io::Result<()> {
        fs::create_dir_all(&folder)?;
        let mut file = BufWriter::new(File::create(folder.join("calls.txt"))?);
        kept::write(&calls(seen), &mut file)?;
        file.flush()?;
        if seen.probes.is_empty() {
            return Ok(());
        }
        let mut file = BufWriter::new(File::create(folder.join("probes.jsonl"))?);
        for line in seen.probes.iter().flat_map(probe_lines) {
            writeln!(file, "{line}")?;
        }
        file.flush()
    };
    write().map_err(|error| JournalError::Write { path: folder.clone(), error })?;
    Ok(relative)
}

/// Writes a text into the evidence of a case; returns its folder relative to the run folder.
///
/// # Errors
/// The folder cannot be written.
pub fn keep_text(run: &Path, case: &str, name: &str, text: &str) -> Result<String, JournalError> {
    let relative = format!("evidence/{}", folder_name(case));
    let folder = run.join(&relative);
    let write = || fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(name), text));
    write().map_err(|error| JournalError::Write { path: folder.join(name), error })?;
    Ok(relative)
}

/// One line for each process of a probe, or one that says why there was none: what was asked, how to ask it again, and
/// the last words.
fn probe_lines(probe: &ProbeDone) -> Vec<serde_json::Value> {
    let asked = json!({
        "probe": probe.probe, "request": serde_json::from_str::<serde_json::Value>(&probe.spec).ok(),
        "engine": probe.engine, "env": probe.env, "again": probe.again,
    });
    let with = |what: &str, value: serde_json::Value| {
        let mut line = asked.clone();
        if let Some(object) = line.as_object_mut() {
            object.insert(what.to_owned(), value);
        }
        line
    };
    match &probe.came {
        ProbeCame::NotRun { why } => vec![with("not_run", json!(why))],
        ProbeCame::Ran(processes) => processes.iter().map(|each| with("process", process_line(each))).collect(),
    }
}

fn process_line(process: &ProbeProcess) -> serde_json::Value {
    let end = match &process.end {
        ProbeEnd::Reported => "reported".to_owned(),
        ProbeEnd::Died(ended) => ended.to_string(),
        ProbeEnd::BrokeProtocol(problem) => format!("broke the protocol: {problem}"),
    };
    let raised = process.raised.as_ref().map(|raised| match raised {
        ProbeRaised::OutOfMemory(text) | ProbeRaised::Unsupported(text) | ProbeRaised::Other(text) => text,
    });
    let numbers = process.numbers.iter().map(|numbers| match numbers {
        ProbeNumbers::Right(text) | ProbeNumbers::Wrong { text, .. } => text,
    });
    json!({
        "end": end,
        "class": process.class, "signature": process.signature, "collateral": process.collateral,
        "seconds": process.took.as_secs_f64(),
        "device_seconds": process.device_time.map(|time| time.as_secs_f64()),
        "counted": process.counted, "device": process.device, "raised": raised,
        "libraries": process.libraries, "mapped": process.mapped,
        "environment": process.environment.value(), "environment_unread": process.environment.absence(),
        "numbers": numbers.collect::<Vec<_>>(), "memory": process.memory.iter().map(|each| json!({ "judged": each.text, "report": each.report })).collect::<Vec<_>>(),
        "before": process.before.as_deref().map(process_line), "stop": process.stop,
        "stderr": String::from_utf8_lossy(&process.stderr),
        "kernel": process.kernel, "kernel_unread": process.kernel_unread,
    })
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
