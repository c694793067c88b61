//! Failures, told by the sentence: exit codes lie (facts/amd-smi.md, sections 3 and 4).

use crate::witness::amd_smi::ToolError;

use super::json;

const MAX_SENTENCE: usize = 400;

/// Words that only failures have. Each is from a transcript or capture of the real tool.
const WORDS: [&str; 16] = [
    "Error code:",
    "[AMDSMI_STATUS_",
    "Unable to",
    "Can not find a device",
    "is invalid",
    "is not of valid type or format",
    "requires elevation",
    "Permission Denied",
    "not supported",
    "does not support",
    "Could not successfully restart",
    "Driver not loaded",
    "Drivers not loaded",
    "driver not initialized",
    "Confirmation not given",
    "could not be loaded",
];

/// The failure that a call told of: as a document or error table, in other text on standard output, or on standard error.
pub(super) fn find(errors: &[ToolError], stray: &str, stderr: &str) -> Option<ToolError> {
    if let Some(error) = errors.first().cloned().or_else(|| json::errors(stderr).into_iter().next()) {
        return Some(error);
    }
    // The version line comes with failures and holds the errors of other look-ups, but tells of no failure itself.
    let lines = [stray, stderr].into_iter().flat_map(str::lines).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.starts_with("AMDSMI Tool:")).collect();
    let told: Vec<&str> = lines.iter().copied().filter(|line| tells(line)).collect();
    // Python chains its exceptions and the last one is what it died of; everything else is told once, first things first.
    let text = told.iter().rev().find(|line| is_exception(line)).or_else(|| told.first())?;
    let around = lines.join("\n");
    Some(ToolError { code: code(&around), status: status(&around), text: bounded(text) })
}

/// The failure in one sentence that is known to be one.
pub(super) fn sentence(text: &str) -> ToolError {
    ToolError { code: code(text), status: status(text), text: bounded(text) }
}

/// Whether a sentence tells of a failure.
pub(super) fn tells(line: &str) -> bool {
    let line = line.trim();
    WORDS.iter().any(|word| line.contains(word)) || is_exception(line) || line.contains(": error: ")
}

/// `ValueError: ...`, `amdsmi_cli_exceptions.AmdSmiInvalidCommandException: ...`: the last line of a traceback.
fn is_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    let class = last.ends_with("Error") || last.ends_with("Exception");
    class
        && last.len() > "Error".len()
        && last.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_')
}

/// `Error code: -3`, or the number before the library's status.
fn code(text: &str) -> Option<i64> {
    let cli = text.rsplit("Error code:").next().filter(|_| text.contains("Error code:"));
    let cli = cli.and_then(|after| after.split_whitespace().next()?.parse().ok());
    cli.or_else(|| {
        text.lines()
            .find_map(|line| line.split_once('|').filter(|(_, name)| status(name).is_some())?.0.trim().parse().ok())
    })
}

/// `AMDSMI_STATUS_BUSY`, wherever it stands.
fn status(text: &str) -> Option<String> {
    let found = &text[text.find("AMDSMI_STATUS_")?..];
    let end = found.find(|char: char| !(char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_'));
    Some(bounded(&found[..end.unwrap_or(found.len())]))
}

fn bounded(text: &str) -> String {
    text.trim().chars().take(MAX_SENTENCE).collect()
}
