//! `set.refused`: an illegal or untimely request is refused and leaves everything as it was.

use crate::domain::{CheckId, Confidence};
use crate::witness::amd_smi::{Query, SetOutcome, ToolError};
use crate::witness::{Asked, Observations, SetDone, Snapshot};

use super::about::{About, FindingAbout, Needs};
use super::calls::command;
use super::evaluation::{Collector, Evaluation, GapKind};
use crate::topology::sockets;

pub(super) const ABOUT: About = About {
    id: CheckId::SetRefused,
    what: "Every set request of the case was refused in words, with the expected status if one is named, and modes and devices are as before.",
    why: "A refused change that half happened leaves a node in a mode nobody asked for.",
    source: "facts/amd-smi.md 3.3 (scenario matrix); facts/partitions.md section 5 (EINVAL, EBUSY, EPERM)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List, Query::StaticPartition], sysfs: true, kfd: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "not-refused",
            what: "The tool said that it did what it must refuse.",
            next: "read the modes back; report the kernel and tool version if the machine is now in an illegal pair",
        },
        FindingAbout {
            id: "state-changed",
            what: "The request was refused, and the modes or the number of devices changed all the same.",
            next: "restore the mode found before (`validate partition restore`) and keep the evidence",
        },
        FindingAbout {
            id: "other-status",
            what: "The tool refused for another reason than the one expected.",
            next: "the sentence is in the evidence; the errno map of this tool version is in facts/amd-smi.md 3.3",
        },
    ],
};

pub(super) fn evaluate(status: Option<&str>, seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    if seen.sets.is_empty() {
        collector.gap(GapKind::NotApplicable, "set", "the case sets nothing");
        return collector.finish();
    }
    for set in &seen.sets {
        refusal(&mut collector, status, set);
    }
    match &seen.before {
        Some(before) => unchanged(&mut collector, before, &seen.after),
        None => collector.gap(GapKind::NotReported, "state", "nobody looked before the request"),
    }
    collector.finish()
}

fn refusal(collector: &mut Collector, status: Option<&str>, set: &SetDone) {
    let subject = command(&set.asked.call.args);
    let Some(error) = refused_with(&set.asked) else {
        if set.asked.answer.value.value().is_some_and(|rows| !rows.is_empty()) {
            collector.unmet("not-refused", subject, "a refusal", "the tool says that it set the mode");
        } else {
            let ended = &set.asked.call.ended;
            collector.gap(GapKind::ToolFailed, subject, format!("no sentence to judge by ({ended})"));
        }
        return;
    };
    let observed = error.status.clone().unwrap_or_else(|| error.text.clone());
    match status {
        Some(status) if error.status.as_deref() != Some(status) => {
            collector.unmet("other-status", subject, format!("a refusal with {status}"), observed);
        }
        Some(status) => collector.met(subject, format!("a refusal with {status}"), observed),
        None => collector.met(subject, "a refusal", observed),
    }
}

/// The refusal, when every GPU named was refused.
fn refused_with(asked: &Asked<Vec<crate::witness::amd_smi::SetRow>>) -> Option<ToolError> {
    if let Some(failure) = &asked.answer.failure {
        return Some(failure.clone());
    }
    let rows = asked.answer.value.value()?;
    let mut refused = None;
    for row in rows {
        match row.outcome.value() {
            Some(SetOutcome::Failed { error }) => refused = Some(error.clone()),
            Some(SetOutcome::Said { .. }) | None => return None,
        }
    }
    refused
}

fn unchanged(collector: &mut Collector, before: &Snapshot, after: &Snapshot) {
    let (before, after) = (state(before), state(after));
    let readable = before.iter().any(|line| !line.is_empty());
    if !readable {
        collector.gap(GapKind::NotReported, "state", "sysfs and KFD show nothing to compare");
    } else if before == after {
        collector.met("state", "as before", before.join("; "));
    } else {
        collector.unmet("state-changed", "state", before.join("; "), after.join("; "));
    }
}

fn state(look: &Snapshot) -> Vec<String> {
    let mode = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    sockets(look)
        .iter()
        .map(|socket| {
            let compute = mode(socket.compute().value().map(ToString::to_string));
            let memory = mode(socket.memory().value().map(ToString::to_string));
            format!("{} {compute}/{memory}, {} nodes", socket.name(), socket.nodes.len())
        })
        .collect()
}
