//! What amd-smi said of itself, or why it said nothing.

use serde::Serialize;

use crate::domain::{Ended, Reading, ToolVersion};
use crate::witness::Asked;
use crate::witness::amd_smi::VersionReport;

/// The tool's state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolState {
    /// Version of the tool.
    pub version: Reading<ToolVersion>,
    /// Version of its library: another number.
    pub library: Reading<String>,
    /// The ROCm version that it names.
    pub rocm: Reading<String>,
    /// The driver version that it names.
    pub driver: Reading<String>,
    /// What is wrong with it.
    pub trouble: Option<Trouble>,
    /// How long the call took, in seconds.
    pub seconds: f64,
}

/// What is wrong with the tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "detail", rename_all = "kebab-case")]
pub enum Trouble {
    /// Nobody asked it.
    NotAsked,
    /// It could not be started; says why.
    Missing(String),
    /// It did not answer in time, or not with an end.
    Silent(String),
    /// It died.
    Died(String),
    /// It refused, in its own words.
    Refused(String),
}

impl ToolState {
    /// What came of `version`.
    pub fn of(asked: Option<&Asked<VersionReport>>) -> Self {
        let Some(asked) = asked else { return Self::silent(Trouble::NotAsked) };
        let report = asked.answer.value.as_ref();
        let text = |field: fn(&VersionReport) -> &Reading<String>| {
            report.clone().and_then(|report| field(report).clone()).and_then(meant)
        };
        Self {
            version: report.clone().and_then(|report| report.tool.clone()),
            library: text(|report| &report.library),
            rocm: text(|report| &report.rocm),
            driver: text(|report| &report.driver),
            trouble: trouble(asked),
            seconds: (asked.call.took.as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }

    fn silent(trouble: Trouble) -> Self {
        Self {
            version: Reading::NotReported,
            library: Reading::NotReported,
            rocm: Reading::NotReported,
            driver: Reading::NotReported,
            trouble: Some(trouble),
            seconds: 0.0,
        }
    }
}

/// A failed lookup can leak into a value (`AMDSMI_STATUS_FILE_ERROR - Error opening file`): that is no version.
/// Source: facts/amd-smi.md 2.1.
fn meant(text: String) -> Reading<String> {
    if text.contains("AMDSMI_STATUS") || text.contains("Could not") {
        return Reading::malformed(text, "a failure in the place of a version");
    }
    Reading::Value(text)
}

fn trouble(asked: &Asked<VersionReport>) -> Option<Trouble> {
    match &asked.call.ended {
        Ended::NotStarted { reason } => Some(Trouble::Missing(reason.clone())),
        ended @ (Ended::TimedOut { .. } | Ended::Cancelled | Ended::Unreaped) => {
            Some(Trouble::Silent(ended.to_string()))
        }
        ended @ Ended::Signaled { .. } => Some(Trouble::Died(ended.to_string())),
        ended @ Ended::Exited { code } => {
            let told = asked.answer.failure.as_ref().map(|failure| failure.text.trim().to_owned());
            match (told, asked.answer.value.absence()) {
                (Some(told), _) => Some(Trouble::Refused(told)),
                (None, Some(absence)) => Some(Trouble::Refused(format!("{ended}, and its version is {absence}"))),
                (None, None) if *code != 0 => Some(Trouble::Refused(ended.to_string())),
                (None, None) => None,
            }
        }
    }
}
