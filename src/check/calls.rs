//! What checks of amd-smi share: its calls, and why one of them gave nothing.

use crate::domain::{Ended, Limit};
use crate::witness::amd_smi::{Answer, Query, SetOutcome, ToolError};
use crate::witness::{Asked, Call, Observations, Snapshot};

use super::evaluation::{Collector, GapKind};

/// One call, reduced to what checks of the tool itself look at.
pub(super) struct CallSeen<'a> {
    pub call: &'a Call,
    pub documents: usize,
    pub stray: Option<&'a str>,
    /// What it failed with, by its own words.
    pub failure: Option<ToolError>,
}

impl CallSeen<'_> {
    /// The command line, for reports.
    pub(super) fn name(&self) -> String {
        command(&self.call.args)
    }

    /// Whether JSON was asked for.
    pub(super) fn json(&self) -> bool {
        self.call.args.iter().any(|arg| arg == "--json")
    }
}

/// The command line of a call.
pub(super) fn command(args: &[String]) -> String {
    std::iter::once("amd-smi").chain(args.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

/// Every call of a case, in order.
pub(super) fn all(seen: &Observations) -> Vec<CallSeen<'_>> {
    let mut calls: Vec<_> = seen.before.iter().flat_map(of_look).collect();
    for set in &seen.sets {
        let rows = set.asked.answer.value.value().map(Vec::as_slice).unwrap_or_default();
        let in_a_row = rows.iter().find_map(|row| match row.outcome.value() {
            Some(SetOutcome::Failed { error }) => Some(error.clone()),
            Some(SetOutcome::Said { .. }) | None => None,
        });
        let mut call = seen_in(&set.asked);
        call.failure = call.failure.or(in_a_row);
        calls.push(call);
    }
    calls.extend(seen.runs.iter().map(seen_in));
    calls.extend(of_look(&seen.after));
    calls
}

fn of_look(look: &Snapshot) -> Vec<CallSeen<'_>> {
    [
        look.version.as_ref().map(seen_in),
        look.list.as_ref().map(seen_in),
        look.static_partition.as_ref().map(seen_in),
        look.partition.as_ref().map(seen_in),
        look.vram.as_ref().map(seen_in),
        look.memory_use.as_ref().map(seen_in),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn seen_in<T>(asked: &Asked<T>) -> CallSeen<'_> {
    let Answer { documents, stray, failure, value: _ } = &asked.answer;
    CallSeen { call: &asked.call, documents: *documents, stray: stray.as_deref(), failure: failure.clone() }
}

/// The rows of a query, or a gap with the reason why there are none.
pub(super) fn rows<'a, T>(collector: &mut Collector, query: Query, asked: Option<&'a Asked<T>>) -> Option<&'a T> {
    let Some(asked) = asked else {
        collector.gap(GapKind::NotReported, format!("{query:?}"), "nobody asked");
        return None;
    };
    let subject = command(&asked.call.args);
    if let Some(value) = asked.answer.value.value() {
        return Some(value);
    }
    let (kind, reason) = why_nothing(asked);
    collector.gap(kind, subject, reason);
    None
}

fn why_nothing<T>(asked: &Asked<T>) -> (GapKind, String) {
    if let Some(failure) = &asked.answer.failure {
        let kind = match failure.status.as_deref() {
            Some("AMDSMI_STATUS_NO_PERM") => GapKind::NoPermission,
            Some("AMDSMI_STATUS_NOT_SUPPORTED") => GapKind::NotApplicable,
            Some(_) | None if failure.code == Some(-11) => GapKind::NoPermission,
            Some(_) | None => GapKind::ToolFailed,
        };
        return (kind, format!("amd-smi failed: {}", failure.text));
    }
    match &asked.call.ended {
        Ended::Exited { code: 0 } => {}
        Ended::TimedOut { limit: Limit::Deadline | Limit::Silence } => {
            return (GapKind::ToolFailed, format!("amd-smi hung: {}", asked.call.ended));
        }
        ended @ (Ended::Exited { .. }
        | Ended::Signaled { .. }
        | Ended::TimedOut { limit: Limit::Output }
        | Ended::Cancelled
        | Ended::Unreaped
        | Ended::NotStarted { .. }) => return (GapKind::ToolFailed, format!("amd-smi: {ended}")),
    }
    let kind = match &asked.answer.value {
        crate::domain::Reading::Malformed { .. } => GapKind::Malformed,
        crate::domain::Reading::NotApplicable => GapKind::NotApplicable,
        crate::domain::Reading::Value(_) | crate::domain::Reading::NotReported => GapKind::NotReported,
    };
    (kind, asked.answer.value.absence().unwrap_or_default())
}
