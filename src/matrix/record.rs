//! The record of a matrix: what came of each cell. Its file is `matrix.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::{self, Document, DocumentProblem};
use crate::domain::{Provenance, Status, StatusWord};
use crate::facts::Class;
use crate::probe::verdict::of_repeats;

use super::agreement::Seen;

/// Format name and major version. A reader refuses another major version; a key that may be absent can be added without one
/// ([`document`]).
pub const SCHEMA: &str = "rocvet.matrix/1";

/// A matrix, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MatrixRecord {
    /// [`SCHEMA`].
    pub schema: String,
    /// Run id; starts with the UTC time.
    pub id: String,
    /// Start, RFC 3339 UTC.
    pub started: String,
    /// End, RFC 3339 UTC.
    pub finished: String,
    /// Version of rocvet.
    pub rocvet: String,
    /// Command line; of the program only its file name.
    pub command: Vec<String>,
    /// What it ran on, in words.
    pub host: String,
    /// What may be said of it.
    pub provenance: Provenance,
    /// What each setting does on the machine; none where every cell has its own.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub settings: Vec<SettingRecord>,
    /// Every cell, in the order in which they were planned.
    pub cells: Vec<CellRecord>,
}

/// What one setting does on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SettingRecord {
    /// Its name.
    pub name: String,
    /// Nothing comes of it: its cells are those of none, run again.
    pub same_as_none: bool,
    /// What comes of each of its parameters and variables, in words.
    pub sets: Vec<String>,
}

/// What came of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CellRecord {
    /// What names it.
    pub id: String,
    /// The computation.
    pub probe: String,
    /// The class of shapes.
    pub class: String,
    /// Name of what was in force.
    pub setting: String,
    /// The worker's variables.
    pub env: BTreeMap<String, String>,
    /// What the kernel's command line had to say.
    pub kernel: BTreeMap<String, String>,
    /// What was in force of each parameter that somebody asked for, in the boot in which it ran; none where that is not known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub in_force: BTreeMap<String, String>,
    /// Which worker.
    pub worker: String,
    /// The reported cell that this one plays.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reported: Option<String>,
    /// The simulated machine that it ran on, by name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub machine: Option<String>,
    /// The GPU.
    pub device: CellDevice,
    /// Versions as the loaded libraries say them.
    pub libraries: BTreeMap<String, String>,
    /// Each process, in order.
    pub runs: Vec<CellRun>,
    /// Why it was not run, or not often enough.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_run: Option<String>,
    /// The command that runs it again.
    pub again: String,
}

/// The GPU of a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CellDevice {
    /// Its name.
    pub name: Option<String>,
    /// The ISA of the chip, as the kernel says.
    pub native_isa: Option<String>,
    /// The ISA that the runtime looks for code of, which an override changes.
    pub effective_isa: Option<String>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(into = "RunFile", try_from = "RunFile")]
#[schemars(with = "RunFile")]
pub struct CellRun {
    /// How it came out.
    pub status: Status,
    /// What it died of.
    pub class: Option<Class>,
    /// The same whenever the same thing happens.
    pub signature: Option<String>,
    /// Ids of every signature that was found.
    pub signatures: Vec<String>,
    /// The line that decided, or the last words, or what is wrong with the numbers: what a reader wants to see first.
    pub evidence: Vec<String>,
    /// From the start to the reap.
    pub seconds: f64,
}

/// A process as the file spells it: the status is a word, and its detail stands beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
struct RunFile {
    /// How it came out.
    status: StatusWord,
    /// Reason, problem or signal number, where the word leaves one open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    detail: Option<String>,
    /// What it died of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    class: Option<Class>,
    /// The same whenever the same thing happens.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    signature: Option<String>,
    /// Ids of every signature that was found.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    signatures: Vec<String>,
    /// What a reader wants to see first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    evidence: Vec<String>,
    /// From the start to the reap.
    #[schemars(range(min = 0.0))]
    seconds: f64,
}

impl From<CellRun> for RunFile {
    fn from(run: CellRun) -> Self {
        let CellRun { status, class, signature, signatures, evidence, seconds } = run;
        Self { status: status.word(), detail: status.detail(), class, signature, signatures, evidence, seconds }
    }
}

impl TryFrom<RunFile> for CellRun {
    type Error = String;

    fn try_from(file: RunFile) -> Result<Self, String> {
        let RunFile { status, detail, class, signature, signatures, evidence, seconds } = file;
        let seconds = document::duration(seconds)?;
        Ok(Self { status: Status::from_parts(status, detail)?, class, signature, signatures, evidence, seconds })
    }
}

impl MatrixRecord {
    /// Largest file that is read: some thousands of cells take a few MiB.
    pub const MAX_BYTES: usize = 256 << 20;

    /// Reads a record, which may come from anywhere.
    ///
    /// # Errors
    /// It is none, or of another major version; says which key and where.
    pub fn read(bytes: &[u8]) -> Result<Document<Self>, DocumentProblem> {
        let read: Document<Self> = document::read(bytes, SCHEMA)?;
        document::named_once("cells", read.value.cells.iter().map(|cell| cell.id.as_str()))?;
        Ok(read)
    }
}

impl CellRecord {
    /// How it came out: what all runs agree on, or flaky. `None` where none was made.
    pub fn status(&self) -> Option<Status> {
        let each: Vec<Status> = self.runs.iter().map(|run| run.status.clone()).collect();
        of_repeats(&each)
    }

    /// Runs that passed.
    pub fn passed(&self) -> usize {
        self.runs.iter().filter(|run| run.status == Status::Pass).count()
    }

    /// What each run showed.
    pub fn seen(&self) -> Vec<Seen> {
        let seen =
            |run: &CellRun| Seen { status: run.status.clone(), class: run.class, signatures: run.signatures.clone() };
        self.runs.iter().map(seen).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::Signal;

    fn run(status: Status) -> CellRun {
        CellRun {
            status,
            class: None,
            signature: None,
            signatures: vec![],
            evidence: vec!["a line".into()],
            seconds: 1.5,
        }
    }

    /// A cell with runs that came out so.
    pub(in crate::matrix) fn cell(statuses: &[Status]) -> CellRecord {
        let runs = statuses.iter().cloned().map(run).collect();
        CellRecord {
            id: "matmul/f32/8x8x8::none::torch".into(),
            probe: "matmul/f32/8x8x8".into(),
            class: "matmul-1k".into(),
            setting: "none".into(),
            env: BTreeMap::new(),
            kernel: BTreeMap::new(),
            in_force: BTreeMap::new(),
            worker: "torch".into(),
            reported: None,
            machine: None,
            device: CellDevice::default(),
            libraries: BTreeMap::from([("torch".into(), "2.11.0".into())]),
            runs,
            not_run: None,
            again: "validate probe matmul/f32/8x8x8".into(),
        }
    }

    fn record(statuses: &[Status]) -> MatrixRecord {
        record_of(vec![cell(statuses)])
    }

    /// A matrix of these cells.
    pub(in crate::matrix) fn record_of(cells: Vec<CellRecord>) -> MatrixRecord {
        MatrixRecord {
            schema: SCHEMA.into(),
            id: "20261121T000000Z-000001".into(),
            started: "2026-11-21T00:00:00Z".into(),
            finished: "2026-11-21T00:00:01Z".into(),
            rocvet: "0.1.0".into(),
            command: vec!["validate".into()],
            host: "this machine".into(),
            provenance: Provenance::Simulated,
            settings: Vec::new(),
            cells,
        }
    }

    #[test]
    fn a_record_reads_back_and_runs_that_disagree_are_flaky() {
        let crash = Status::Crash { signal: Signal(6) };
        let record = record(&[Status::Pass, crash.clone()]);
        let text = serde_json::to_vec(&record).unwrap();
        assert_eq!(MatrixRecord::read(&text).unwrap().value, record);
        assert_eq!((record.cells[0].status(), record.cells[0].passed()), (Some(Status::Flaky), 1));
        assert_eq!(record.cells[0].seen()[1].status, crash);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let text = serde_json::to_string(&record(&[Status::Pass])).unwrap();
        for (from, to, part) in [
            (SCHEMA, "rocvet.matrix/2", "this program reads \"rocvet.matrix/1\""),
            ("\"seconds\":1.5", "\"seconds\":-1.0", "seconds are no duration"),
            ("\"status\":\"pass\"", "\"status\":\"crash\"", "needs a detail"),
            ("\"setting\"", "\"settings\"", "missing field `setting`"),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            let error = MatrixRecord::read(changed.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(MatrixRecord::read(b"{}").unwrap_err().to_string().contains("schema"));
    }
}
