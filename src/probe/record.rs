//! What is kept of a probe that was run: a line of a journal, and all that is told of it.

use serde::{Deserialize, Serialize};

use super::classify::Classified;
use super::protocol::Device;
use crate::domain::{Status, StatusWord};

/// One probe, run once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "File", try_from = "File")]
pub struct ProbeRecord {
    /// What it amounts to.
    pub status: Status,
    /// What it died of, or what was seen although it lived; `None` where the machine went down with it.
    pub classified: Option<Classified>,
    /// The device that it named.
    pub device: Option<Device>,
    /// What a report says of it, in lines.
    pub told: String,
    /// From the start of its process to the reap, in seconds.
    pub seconds: f64,
    /// Folder of its evidence, relative to the run folder.
    pub evidence: Option<String>,
    /// Why no log of the kernel was watched.
    pub unwatched: Option<String>,
    /// The run before it, which another process's reset took down.
    pub before: Option<Box<ProbeRecord>>,
}

/// As the file spells it: the status is a word, and its detail stands beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    status: StatusWord,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    classified: Option<Classified>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    device: Option<Device>,
    told: String,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    evidence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    unwatched: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    before: Option<Box<ProbeRecord>>,
}

impl From<ProbeRecord> for File {
    fn from(record: ProbeRecord) -> Self {
        let ProbeRecord { status, classified, device, told, seconds, evidence, unwatched, before } = record;
        let (status, detail) = (status.word(), status.detail());
        Self { status, detail, classified, device, told, seconds, evidence, unwatched, before }
    }
}

impl TryFrom<File> for ProbeRecord {
    type Error = String;

    fn try_from(file: File) -> Result<Self, String> {
        let File { status, detail, classified, device, told, seconds, evidence, unwatched, before } = file;
        let status = Status::from_parts(status, detail)?;
        Ok(Self { status, classified, device, told, seconds, evidence, unwatched, before })
    }
}
