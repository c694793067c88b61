//! The record of a run of either kind, and what of it is worth sending.

use crate::domain::{Meaning, Status};
use crate::matrix::record::{CellRecord, MatrixRecord};
use crate::run::{CaseRecord, RunRecord};

/// What a run left.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// `run.json`.
    Run(Box<RunRecord>),
    /// `matrix.json`.
    Matrix(Box<MatrixRecord>),
}

/// Where the evidence of a case that did not come out as expected lies, relative to the run folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Case.
    pub case: String,
    /// Folder, as the record says it: it may say anything.
    pub folder: String,
}

/// Whether a case belongs into a report: everything but what came out as it should, or was left out on purpose.
pub(super) fn worth(status: &Status) -> bool {
    match status.meaning() {
        Meaning::AsExpected | Meaning::Skipped => false,
        Meaning::Better | Meaning::Failed | Meaning::NotEvaluated | Meaning::Incomplete | Meaning::Broken => true,
    }
}

/// Whether a cell does: it was run, and did not pass every time.
pub(super) fn cell_worth(cell: &CellRecord) -> bool {
    cell.status().is_some_and(|status| worth(&status))
}

impl Record {
    /// Run id, as the record says it.
    pub fn id(&self) -> &str {
        match self {
            Self::Run(record) => &record.run.id,
            Self::Matrix(record) => &record.id,
        }
    }

    /// Name of its file.
    pub(super) const fn file(&self) -> &'static str {
        match self {
            Self::Run(_) => "run.json",
            Self::Matrix(_) => "matrix.json",
        }
    }

    /// The evidence that belongs to what failed, by case.
    pub fn evidence(&self) -> Vec<Evidence> {
        let Self::Run(record) = self else { return Vec::new() };
        let of = |case: &CaseRecord| Some(Evidence { case: case.id.clone(), folder: case.evidence.clone()? });
        let mut all: Vec<_> = record.cases.iter().filter(|case| worth(&case.status)).filter_map(of).collect();
        all.sort_by(|one, other| one.folder.cmp(&other.folder));
        all
    }

    /// Every folder that the record calls evidence, also of what came out as expected.
    pub fn folders(&self) -> Vec<&str> {
        let Self::Run(record) = self else { return Vec::new() };
        record.cases.iter().filter_map(|case| case.evidence.as_deref()).collect()
    }

    /// The record with nothing but what is worth sending, and the ids of what is not.
    pub(super) fn split(self) -> (Self, Vec<String>) {
        match self {
            Self::Run(mut record) => {
                let (kept, left) = record.cases.into_iter().partition(|case| worth(&case.status));
                record.cases = kept;
                let left: Vec<CaseRecord> = left;
                (Self::Run(record), left.into_iter().map(|case| case.id).collect())
            }
            Self::Matrix(mut record) => {
                let (kept, left) = record.cells.into_iter().partition(cell_worth);
                record.cells = kept;
                let left: Vec<CellRecord> = left;
                (Self::Matrix(record), left.into_iter().map(|cell| cell.id).collect())
            }
        }
    }
}
