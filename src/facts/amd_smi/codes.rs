//! Numbers: exit codes by generation, CLI codes, library statuses, and the errno that became a status.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{Confidence, Source, ToolVersion};
use crate::facts::embedded;
use crate::facts::entry::Entry;

use super::span::Span;

/// How one generation of the tool exits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExitRules {
    /// Id: `27`.
    pub id: String,
    /// The versions.
    #[serde(flatten)]
    pub span: Span,
    /// How an error of the command line ends.
    pub cli_error: CliError,
    /// The rules in words.
    pub what: String,
    /// Who says so.
    pub source: Source,
}

/// How an error of the command line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CliError {
    /// Exit 0: the exit code says nothing.
    Zero,
    /// Exit 1.
    One,
    /// Exit with the code without its sign, modulo 256.
    AbsCode,
    /// An enum of its own, 193 and up.
    OwnEnum,
}

impl CliError {
    /// The exit code of CLI error `code` (-2: invalid parameter), where the rule gives one.
    pub fn exit_code(self, code: i32) -> Option<u8> {
        match self {
            Self::Zero => Some(0),
            Self::One => Some(1),
            Self::AbsCode => u8::try_from(code.unsigned_abs() % 256).ok(),
            Self::OwnEnum => None,
        }
    }
}

/// A status of the library.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Its number.
    pub value: u32,
    /// Its name: `AMDSMI_STATUS_BUSY`.
    pub name: String,
    /// Anything else.
    pub note: Option<String>,
}

/// What errno of a write to `current_compute_partition` becomes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrnoStatus {
    /// `EBUSY`.
    pub name: String,
    /// Status name.
    pub status: String,
    /// Status name from 27.0.0 on, where it is another.
    pub status_27: Option<String>,
    /// What the kernel means by it.
    pub meaning: String,
}

impl ErrnoStatus {
    /// The status name in a version of the tool.
    pub fn status_in(&self, version: ToolVersion) -> &str {
        match &self.status_27 {
            Some(status) if version >= ToolVersion::new(27, 0, 0) => status,
            Some(_) | None => &self.status,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CliCode {
    value: i32,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<ExitRules>,
    cli: Vec<CliCode>,
    status: Vec<Status>,
    errno: Vec<ErrnoStatus>,
}

static TABLE: LazyLock<File> =
    LazyLock::new(|| embedded::table("amd_smi_codes.toml", include_str!("../data/amd_smi_codes.toml")));

/// How this version exits; `None` for versions between the generations that are known. Source: facts/amd-smi.md 3.2.
pub fn exit_rules(version: ToolVersion) -> Option<&'static ExitRules> {
    TABLE.rules.iter().find(|rules| rules.span.contains(version))
}

/// Name of a library status. Source: facts/amd-smi.md 3.1.
pub fn status_name(value: u32) -> Option<&'static str> {
    TABLE.status.iter().find(|status| status.value == value).map(|status| status.name.as_str())
}

/// What an errno of a write to `current_compute_partition` becomes in 26.2.1 and 27.x. Source: facts/amd-smi.md 3.3.
pub fn errno_status(name: &str) -> Option<&'static ErrnoStatus> {
    TABLE.errno.iter().find(|errno| errno.name == name)
}

/// Exit rules, CLI codes, statuses and errnos as entries: `fact.amd-smi.exit-codes.27`, `fact.amd-smi.cli-code.2`,
/// `fact.amd-smi.status.30`, `fact.amd-smi.errno.EBUSY`.
pub(super) fn code_entries() -> impl Iterator<Item = Entry> {
    let certain = |cite: &str| Source { cite: cite.into(), confidence: Confidence::Certain };
    let rules = TABLE.rules.iter().map(|rules| Entry {
        id: format!("fact.amd-smi.exit-codes.{}", rules.id),
        title: format!("Exit codes of amd-smi, {}", rules.span),
        what: rules.what.clone(),
        why: "In every generation some failure exits 0.".into(),
        source: rules.source.clone(),
        what_to_do: "Decide by the sentence and by reading back, not by the exit code.".into(),
        see: vec!["bug.rocm-systems-6088".into()],
    });
    let cli = TABLE.cli.iter().map(move |code| Entry {
        id: format!("fact.amd-smi.cli-code.{}", code.value.unsigned_abs()),
        title: format!("CLI code {}: {}", code.value, code.name),
        what: format!(
            "The tool prints `Error code: {}`, or \"code\": {} in JSON. Library status N is -1000-N.",
            code.value, code.value
        ),
        why: "The code in the text is not the exit code before 27.".into(),
        source: certain("facts/amd-smi.md 3.1"),
        what_to_do: String::new(),
        see: vec!["fact.amd-smi.exit-codes.27".into()],
    });
    let statuses = TABLE.status.iter().map(|status| Entry {
        id: format!("fact.amd-smi.status.{}", status.value),
        title: format!("{} = {}", status.name, status.value),
        what: format!(
            "Library status {} is {}{}.",
            status.value,
            status.name,
            status.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default()
        ),
        why: "The tool prints the number, the name, or both.".into(),
        source: Source { cite: "facts/amd-smi.md 3.1; names as in amdsmi.h".into(), confidence: Confidence::Likely },
        what_to_do: String::new(),
        see: Vec::new(),
    });
    let errnos = TABLE.errno.iter().map(move |errno| {
        let newer = errno.status_27.as_ref().map(|status| format!(" (27.x: {status})")).unwrap_or_default();
        Entry {
            id: format!("fact.amd-smi.errno.{}", errno.name),
            title: format!("{} on a write to current_compute_partition", errno.name),
            what: format!("The driver means: {}. amd-smi says {}{newer}.", errno.meaning, errno.status),
            why: "The tool's word hides what the driver said.".into(),
            source: certain("facts/amd-smi.md 3.3; 26.2.1 and 27.1.0 run with injected errnos"),
            what_to_do: "Write the file yourself to see the errno.".into(),
            see: vec!["fact.set.sysfs".into()],
        }
    });
    rules.chain(cli).chain(statuses).chain(errnos)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every generation's exit code for `amd-smi query` (CLI code -10, in 24.x -1), as the transcripts show it.
    #[test]
    fn an_unknown_command_exits_as_the_generation_does() {
        for (version, id, code, exit) in [
            ("24.5.2", "24", -1, Some(0)),
            ("24.7.1", "24", -1, Some(0)),
            ("25.5.1", "25", -10, Some(1)),
            ("26.2.1", "26", -10, Some(1)),
            ("26.4.0", "27", -10, Some(10)),
            ("27.1.0", "27", -10, Some(10)),
            ("28.0.0", "after-27.1", -10, None),
        ] {
            let rules = exit_rules(version.parse().unwrap()).unwrap();
            assert_eq!((rules.id.as_str(), rules.cli_error.exit_code(code)), (id, exit), "{version}");
        }
        assert_eq!(exit_rules(ToolVersion::new(26, 3, 0)), None, "nobody knows this version");
        assert_eq!(CliError::AbsCode.exit_code(-1055), Some(31), "library status 55");
    }

    #[test]
    fn statuses_and_errnos_have_the_names_of_the_transcripts() {
        for (value, name) in
            [(2, "AMDSMI_STATUS_NOT_SUPPORTED"), (30, "AMDSMI_STATUS_BUSY"), (55, "AMDSMI_STATUS_SETTING_UNAVAILABLE")]
        {
            assert_eq!(status_name(value), Some(name));
        }
        assert_eq!(status_name(99), None);
        let status = |errno: &str, version: &str| errno_status(errno).unwrap().status_in(version.parse().unwrap());
        assert_eq!(status("EBUSY", "26.2.1"), "AMDSMI_STATUS_BUSY");
        assert_eq!(status("EROFS", "26.2.1"), "AMDSMI_STATUS_UNKNOWN_ERROR");
        assert_eq!(status("EROFS", "27.1.0"), "AMDSMI_STATUS_NO_PERM");
        assert_eq!(errno_status("ENOSPC"), None);
        for errno in &TABLE.errno {
            for name in [Some(&errno.status), errno.status_27.as_ref()].into_iter().flatten() {
                assert!(TABLE.status.iter().any(|status| &status.name == name), "{name}");
            }
        }
    }
}
