//! What is known about the amd-smi tool: versions, dialects, numbers, bugs.

mod bugs;
mod codes;
mod dialects;
mod set;
mod span;
mod versions;

use super::entry::Entry;

pub use bugs::{Bug, bug, bugs};
pub use codes::{CliError, ErrnoStatus, ExitRules, Status, errno_status, exit_rules, status_name};
pub use dialects::{Command, Container, Shape, commands, container};
pub use set::{ReloadHabit, reload_habit, sets_in_guest};
pub use span::Span;
pub use versions::{Release, release, releases};

/// Every fact about the tool as an entry.
pub(super) fn amd_smi_entries() -> impl Iterator<Item = Entry> {
    versions::version_entries()
        .chain(dialects::dialect_entries())
        .chain(codes::code_entries())
        .chain(bugs::bug_entries())
}
