//! `set.applied`: what the tool says it set is in force when it is read back.

use crate::domain::{CheckId, ComputeMode, Confidence, MemoryMode, Reading};
use crate::witness::amd_smi::{Query, SetOutcome, SetRequest};
use crate::witness::{Observations, Reload, SetDone, Snapshot};

use super::about::{About, FindingAbout, Needs};
use super::calls::command;
use super::evaluation::{Collector, Evaluation, GapKind};
use crate::topology::sockets;

pub(super) const ABOUT: About = About {
    id: CheckId::SetApplied,
    what: "The last compute and the last memory request of the case are in force in sysfs (else in amd-smi) at its end.",
    why: "`Successfully set` is a sentence, not a state: an NPS request waits for a driver reload, and a failure can exit 0.",
    source: "facts/partitions.md section 5 (Verify: re-read after the reload); facts/amd-smi.md 1.4 and 2.3",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List, Query::StaticPartition], sysfs: true, kfd: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "said-but-not-applied",
            what: "The tool says that it set the mode, and the driver was loaded again where that is needed; the machine is in another mode.",
            next: "believe the read-back; try again through sysfs and keep both as evidence",
        },
        FindingAbout {
            id: "needs-reload",
            what: "The memory request is recorded, and not in force before the driver is loaded again (tools from ROCm 7.0 on).",
            next: "stop every client, then `modprobe -r amdgpu && modprobe amdgpu`, and read the mode back",
        },
        FindingAbout {
            id: "not-applied",
            what: "The machine is in another mode, and the tool's answer to the request cannot be read.",
            next: "the raw output is in the evidence; read the mode back and ask again",
        },
        FindingAbout {
            id: "refused",
            what: "The tool refused the request.",
            next: "the status says why: BUSY a client holds the GPU, SETTING_UNAVAILABLE not possible in this NPS mode, NO_PERM root needed",
        },
        FindingAbout {
            id: "secondaries-refused",
            what: "The tool says that it set the GPU, and NOT_SUPPORTED for its other partitions: only the first has the file that is written.",
            next: "believe the read-back; name the first partition of each GPU to be spared the message and the wrong exit code",
        },
        FindingAbout {
            id: "applied-against-its-word",
            what: "The tool says that it failed; the machine is in the requested mode all the same.",
            next: "decide by reading back; the tool's sentence and exit code are both wrong here",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let last = |wanted: fn(&SetRequest) -> bool| seen.sets.iter().rev().find(|set| wanted(&set.request));
    let compute = last(|request| matches!(request, SetRequest::Compute { .. }));
    let memory = last(|request| matches!(request, SetRequest::Memory { .. }));
    if compute.is_none() && memory.is_none() {
        collector.gap(GapKind::NotApplicable, "set", "the case sets nothing");
    }
    for set in [compute, memory].into_iter().flatten() {
        match &set.request {
            SetRequest::Compute { mode, .. } => judge(&mut collector, seen, set, *mode, &compute_modes(set, seen)),
            SetRequest::Memory { mode, .. } => {
                judge(&mut collector, seen, set, *mode, &memory_modes(&seen.after));
            }
        }
    }
    collector.finish()
}

fn judge<T: PartialEq + Copy + ToString>(
    collector: &mut Collector,
    seen: &Observations,
    set: &SetDone,
    wanted: T,
    found: &[(String, Reading<T>)],
) {
    let command = command(&set.asked.call.args);
    let told = refusal(set);
    let only_secondaries = told.is_some() && only_secondaries_refused(set, seen.before.as_ref());
    let refusal = told.clone().filter(|_| !only_secondaries);
    if let Some(text) = told.filter(|_| only_secondaries) {
        collector.doubtful("secondaries-refused", command.clone(), "no word about partitions without a file", text);
    }
    if found.is_empty() {
        collector.gap(GapKind::NotReported, command, "no witness shows the mode afterwards");
        return;
    }
    for (subject, reading) in found {
        let Some(mode) = reading.value() else {
            let reason = reading.absence().unwrap_or_default();
            collector.gap(GapKind::NotReported, subject.clone(), format!("after `{command}`: {reason}"));
            continue;
        };
        let (expected, observed) = (wanted.to_string(), mode.to_string());
        match (&refusal, *mode == wanted) {
            (None, true) => collector.met(subject.clone(), expected, observed),
            (None, false) => {
                let (id, why) = unapplied(set);
                collector.unmet(id, subject.clone(), expected, format!("{observed}, {why}"));
            }
            (Some(text), false) => {
                collector.unmet("refused", subject.clone(), expected, format!("{observed}; refused: {text}"));
            }
            (Some(text), true) => {
                collector.unmet(
                    "applied-against-its-word",
                    subject.clone(),
                    format!("a success told, {expected}"),
                    text.clone(),
                );
            }
        }
    }
}

/// Why a request that nobody refused is not in force. A tool that leaves the driver reload to its user says so.
fn unapplied(set: &SetDone) -> (&'static str, String) {
    let answer = &set.asked.answer.value;
    let Some(rows) = answer.value() else {
        let reason = answer.absence().unwrap_or_default();
        return ("not-applied", format!("and the tool's answer is {reason}"));
    };
    let waits = matches!(set.request, SetRequest::Memory { .. })
        && rows.iter().any(|row| match row.outcome.value() {
            Some(SetOutcome::Said { sentence }) => sentence.contains("reload"),
            Some(SetOutcome::Failed { .. }) | None => false,
        });
    let said = "though the tool says it was set";
    if !waits {
        return ("said-but-not-applied", said.to_owned());
    }
    match &set.reload {
        Some(Reload::Done) => ("said-but-not-applied", format!("{said} and the driver was loaded again")),
        Some(Reload::Refused { why }) => ("needs-reload", format!("{said}: {why}")),
        None => ("needs-reload", said.to_owned()),
    }
}

fn refusal(set: &SetDone) -> Option<String> {
    if let Some(failure) = &set.asked.answer.failure {
        return Some(failure.text.clone());
    }
    set.asked.answer.value.value()?.iter().find_map(|row| match row.outcome.value() {
        Some(SetOutcome::Failed { error }) => Some(error.text.clone()),
        Some(SetOutcome::Said { .. }) | None => None,
    })
}

/// Every GPU took the request, and nothing but rows of its other partitions tells of a failure.
fn only_secondaries_refused(set: &SetDone, before: Option<&Snapshot>) -> bool {
    let listed = before.and_then(|look| look.list.as_ref()?.answer.value.value());
    let (Some(listed), Some(rows)) = (listed, set.asked.answer.value.value()) else { return false };
    let secondary = |gpu: u32| {
        let row = listed.iter().find(|row| row.gpu == gpu);
        row.and_then(|row| row.partition_id.value()).is_some_and(|partition| *partition > 0)
    };
    let mut refused = Vec::new();
    for row in rows {
        match row.outcome.value() {
            Some(SetOutcome::Said { .. }) => {}
            Some(SetOutcome::Failed { error }) if secondary(row.gpu) => refused.push(error),
            Some(SetOutcome::Failed { .. }) | None => return false,
        }
    }
    // What the tool complained of elsewhere is about the whole request.
    set.asked.answer.failure.as_ref().is_none_or(|failure| refused.contains(&failure))
}

/// Compute modes of the GPUs that the request named, by sysfs, else by amd-smi.
fn compute_modes(set: &SetDone, seen: &Observations) -> Vec<(String, Reading<ComputeMode>)> {
    let named = match &set.request {
        SetRequest::Compute { gpu: Some(index), .. } => Some(*index),
        SetRequest::Compute { gpu: None, .. } | SetRequest::Memory { .. } => None,
    };
    let sockets = sockets(&seen.after);
    let by_sysfs: Vec<_> = sockets.iter().map(|socket| (socket.bdf, socket.name(), socket.compute())).collect();
    if by_sysfs.iter().all(|(_, _, reading)| *reading == Reading::NotReported) {
        let rows = rows(&seen.after).filter(|row| named.is_none_or(|index| row.gpu == index));
        return rows.map(|row| (format!("GPU {}", row.gpu), row.compute.clone())).collect();
    }
    // An index names a logical device of the moment of the request: the address behind it stays when indexes change.
    let address = named.and_then(|index| {
        let listed = seen.before.as_ref()?.list.as_ref()?.answer.value.value()?;
        Some(listed.iter().find(|row| row.gpu == index)?.bdf.value()?.socket())
    });
    let all = by_sysfs.into_iter().enumerate();
    let chosen = all.filter(|(at, (bdf, _, _))| match (address, named) {
        (Some(address), _) => *bdf == address,
        (None, Some(index)) => usize::try_from(index) == Ok(*at),
        (None, None) => true,
    });
    chosen.map(|(_, (_, name, reading))| (name, reading)).collect()
}

fn memory_modes(look: &Snapshot) -> Vec<(String, Reading<MemoryMode>)> {
    let modes: Vec<_> = sockets(look).iter().map(|socket| (socket.name(), socket.memory())).collect();
    if modes.iter().all(|(_, reading)| *reading == Reading::NotReported) {
        return rows(look).map(|row| (format!("GPU {}", row.gpu), row.memory.clone())).collect();
    }
    modes
}

/// Rows of primary partitions: the others show N/A by design.
fn rows(look: &Snapshot) -> impl Iterator<Item = &crate::witness::amd_smi::StaticPartitionRow> {
    let rows = look.static_partition.as_ref().and_then(|asked| asked.answer.value.value());
    rows.into_iter().flatten().filter(|row| row.partition_id.value().is_none_or(|id| *id == 0))
}
