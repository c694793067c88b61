//! A recorded host: transcripts of amd-smi, replayed with no execution of anything.
//!
//! `HOST/transcripts/index.toml` lists the calls, and the files beside it hold what each printed. Everything is read
//! through [`Tree`], with limits: a recording is untrusted input.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Ended;
use crate::witness::Call;
use crate::witness::tree::{Tree, TreeProblem};

use super::{HIP_WITNESS, HostError, HostFile, HostKind};

/// The index of the calls, below the host directory.
pub const INDEX: &str = "transcripts/index.toml";

/// What the process that asked the HIP runtime wrote, below the host directory.
pub const HIP_FILE: &str = "hip.json";

/// Calls that one recording can hold.
pub const MAX_CALLS: usize = 4096;

/// Largest stream of one call, in bytes.
pub const MAX_STREAM: usize = 8 << 20;

/// All that a recording's streams may hold together, in bytes.
pub const MAX_TOTAL: usize = 64 << 20;

/// The version of the index that this program writes and reads.
pub const INDEX_SCHEMA: u32 = 1;

const MAX_INDEX: usize = 4 << 20;

/// Content of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Index {
    /// [`INDEX_SCHEMA`].
    pub schema: u32,
    /// The calls, each argument list once.
    #[serde(default, rename = "call")]
    pub calls: Vec<Transcript>,
}

/// One recorded call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Transcript {
    /// Arguments after the program name.
    pub args: Vec<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// File with its standard output, below `transcripts/`; none when it printed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// File with its standard error, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// How it ended.
    pub ended: Ended,
}

/// The recorded calls of one host, read.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    calls: Arc<Vec<Call>>,
    /// What the process that asked HIP wrote, where it was recorded.
    hip: Option<Arc<Call>>,
}

/// What a replayed `amd-smi` prints and how it exits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit code; 128 + signal for a call that a signal ended, 124 for one that was stopped, 127 for one that is not
    /// in the recording.
    pub code: u8,
}

/// Answers one call by the name `amd-smi` in the recorded host `dir`.
pub fn replay(dir: &Path, args: &[String]) -> Result<Replay, HostError> {
    let tree = Tree::open(dir)?;
    let file = HostFile::read(&tree)?;
    match file.kind {
        HostKind::Recorded => Ok(Recording::open(&tree)?.call(args).into()),
        HostKind::Simulated => Err(HostError::Refused(format!("{} is not a recorded host", dir.display()))),
    }
}

impl Recording {
    /// Reads the transcripts of a host directory.
    pub(super) fn open(tree: &Tree) -> Result<Self, HostError> {
        let text = super::read_text(tree, INDEX, MAX_INDEX)?;
        let index: Index = toml::from_str(&text).map_err(|error| HostError::malformed(INDEX, error))?;
        if index.schema != INDEX_SCHEMA {
            return Err(HostError::Schema { file: INDEX.to_owned(), found: index.schema, reads: INDEX_SCHEMA });
        }
        if index.calls.len() > MAX_CALLS {
            let problem = format!("key `call`: {} calls, at most {MAX_CALLS} are read", index.calls.len());
            return Err(HostError::malformed(INDEX, problem));
        }
        let mut left = MAX_TOTAL;
        let mut calls: Vec<Call> = Vec::with_capacity(index.calls.len());
        for (number, transcript) in index.calls.into_iter().enumerate() {
            if calls.iter().any(|call| call.args == transcript.args) {
                let problem =
                    format!("key `call[{number}].args`: `amd-smi {}` is there twice", transcript.args.join(" "));
                return Err(HostError::malformed(INDEX, problem));
            }
            let stdout = stream(tree, number, "stdout", transcript.stdout.as_deref(), &mut left)?;
            let stderr = stream(tree, number, "stderr", transcript.stderr.as_deref(), &mut left)?;
            let took = Duration::from_millis(transcript.took_ms);
            calls.push(Call { args: transcript.args, ended: transcript.ended, stdout, stderr, took });
        }
        Ok(Self { calls: Arc::new(calls), hip: hip(tree)?.map(Arc::new) })
    }

    /// The recorded call with these arguments; one that was not made when there is none.
    pub fn call(&self, args: &[String]) -> Call {
        let found = self.calls.iter().find(|call| call.args == args).cloned();
        found.unwrap_or_else(|| Call::not_made(args, format!("not recorded: amd-smi {}", args.join(" "))))
    }

    /// What the process that asked HIP wrote.
    pub(super) fn hip(&self) -> Option<&Call> {
        self.hip.as_deref()
    }

    /// Every recorded call.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }
}

impl From<Call> for Replay {
    fn from(call: Call) -> Self {
        let low_byte = |number: i32| u8::try_from(number & 0xff).unwrap_or(u8::MAX);
        let (code, note) = match &call.ended {
            Ended::Exited { code } => (low_byte(*code), None),
            Ended::Signaled { signal } => (low_byte(128 + signal.0), None),
            Ended::TimedOut { .. } | Ended::Cancelled | Ended::Unreaped => (124, Some(&call.ended)),
            Ended::NotStarted { .. } => (127, Some(&call.ended)),
        };
        let mut stderr = call.stderr;
        if let Some(ended) = note {
            stderr.extend_from_slice(format!("rocvet replay: {ended}\n").as_bytes());
        }
        Self { stdout: call.stdout, stderr, code }
    }
}

/// [`HIP_FILE`] as the call that it was made from: only one that succeeded is kept.
fn hip(tree: &Tree) -> Result<Option<Call>, HostError> {
    let stdout = match tree.read(HIP_FILE, MAX_STREAM) {
        Ok(stdout) => stdout,
        Err(error) if error.problem == TreeProblem::Missing => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let ended = Ended::Exited { code: 0 };
    Ok(Some(Call { args: vec![HIP_WITNESS.to_owned()], ended, stdout, stderr: Vec::new(), took: Duration::ZERO }))
}

fn stream(tree: &Tree, number: usize, key: &str, file: Option<&str>, left: &mut usize) -> Result<Vec<u8>, HostError> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let refuse = |problem: String| HostError::malformed(INDEX, format!("key `call[{number}].{key}`: {problem}"));
    // A plain name: nothing beside the transcripts can be named, whatever the links say.
    if file.is_empty() || file.starts_with('.') || file.contains(['/', '\0']) {
        return Err(refuse(format!("{file:?} is not the name of a file in transcripts/")));
    }
    let limit = MAX_STREAM.min(*left);
    let bytes = tree.read(&format!("transcripts/{file}"), limit).map_err(|error| refuse(error.to_string()))?;
    *left -= bytes.len();
    Ok(bytes)
}
