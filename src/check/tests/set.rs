//! `set.applied` and `set.refused`.

use super::machine::{failure, known, look, set};
use super::{case, judge};
use crate::domain::{CheckSpec, ComputeMode, MemoryMode, Reading};
use crate::witness::amd_smi::{SetOutcome, SetRequest, SetRow};
use crate::witness::{Observations, Reload};

const BUSY: &str = "AMDSMI_STATUS_BUSY";

fn compute(mode: ComputeMode, gpu: Option<u32>) -> SetRequest {
    SetRequest::Compute { mode, gpu }
}

fn memory(mode: MemoryMode) -> SetRequest {
    SetRequest::Memory { mode, confirm: true }
}

fn ask(seen: &mut Observations, request: SetRequest) {
    seen.before = Some(look());
    seen.sets.push(set(request));
}

/// The last request was refused on the whole.
fn refuse(seen: &mut Observations) {
    seen.sets.last_mut().unwrap().asked.answer.failure = Some(failure(Some(BUSY), "device busy"));
}

/// The last request was refused by the GPU of this row.
fn refuse_row(seen: &mut Observations, row: usize) {
    answers(seen)[row].outcome = Reading::Value(SetOutcome::Failed { error: failure(None, "no") });
}

/// The rows of the last request.
fn answers(seen: &mut Observations) -> &mut Vec<SetRow> {
    known(&mut seen.sets.last_mut().unwrap().asked.answer.value)
}

/// Every GPU says this of the last request.
fn say(seen: &mut Observations, sentence: &str) {
    for row in answers(seen) {
        row.outcome = Reading::Value(SetOutcome::Said { sentence: sentence.to_owned() });
    }
}

/// The row is about another GPU.
fn rename_row(seen: &mut Observations, row: usize, gpu: u32) {
    answers(seen)[row].gpu = gpu;
}

#[test]
fn a_request_is_judged_by_reading_back() {
    judge(
        &CheckSpec::SetApplied,
        &[
            case("in force", |seen| ask(seen, compute(ComputeMode::Dpx, None)), &[]),
            case(
                "both kinds in force",
                |seen| {
                    ask(seen, memory(MemoryMode::Nps1));
                    ask(seen, compute(ComputeMode::Dpx, None));
                },
                &[],
            ),
            case(
                "said, and not done",
                |seen| ask(seen, compute(ComputeMode::Cpx, None)),
                &["unmet said-but-not-applied GPU 0000:05:00.0", "unmet said-but-not-applied GPU 0000:26:00.0"],
            ),
            case(
                "the last of two requests counts",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    ask(seen, compute(ComputeMode::Dpx, None));
                },
                &[],
            ),
            case(
                "a memory request whose driver was loaded again",
                |seen| {
                    ask(seen, memory(MemoryMode::Nps4));
                    seen.sets[0].reload = Some(Reload::Done);
                },
                &["unmet said-but-not-applied GPU 0000:05:00.0", "unmet said-but-not-applied GPU 0000:26:00.0"],
            ),
            case(
                "a memory request whose driver would not be loaded again",
                |seen| {
                    ask(seen, memory(MemoryMode::Nps4));
                    seen.sets[0].reload = Some(Reload::Refused { why: "in use".into() });
                },
                &["unmet needs-reload GPU 0000:05:00.0", "unmet needs-reload GPU 0000:26:00.0"],
            ),
            case(
                "a memory request that says nothing of the driver",
                |seen| {
                    ask(seen, memory(MemoryMode::Nps4));
                    say(seen, "Successfully set");
                },
                &["unmet said-but-not-applied GPU 0000:05:00.0", "unmet said-but-not-applied GPU 0000:26:00.0"],
            ),
            case(
                "a compute request is not excused by the driver",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    say(seen, "reload");
                },
                &["unmet said-but-not-applied GPU 0000:05:00.0", "unmet said-but-not-applied GPU 0000:26:00.0"],
            ),
            case(
                "an answer that cannot be read",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    seen.sets[0].asked.answer.value = Reading::NotReported;
                },
                &["unmet not-applied GPU 0000:05:00.0", "unmet not-applied GPU 0000:26:00.0"],
            ),
            case(
                "done, and only a secondary refused",
                |seen| {
                    ask(seen, compute(ComputeMode::Dpx, None));
                    refuse_row(seen, 1);
                    rename_row(seen, 1, 3);
                },
                &["doubtful secondaries-refused amd-smi set -g all -C DPX --json"],
            ),
            case(
                "done, a secondary refused, and another complaint",
                |seen| {
                    ask(seen, compute(ComputeMode::Dpx, None));
                    refuse_row(seen, 1);
                    rename_row(seen, 1, 3);
                    refuse(seen);
                },
                &["unmet applied-against-its-word GPU 0000:05:00.0", "unmet applied-against-its-word GPU 0000:26:00.0"],
            ),
            case(
                "done, a secondary refused, and nobody listed before",
                |seen| {
                    ask(seen, compute(ComputeMode::Dpx, None));
                    refuse_row(seen, 1);
                    rename_row(seen, 1, 3);
                    seen.before = None;
                },
                &["unmet applied-against-its-word GPU 0000:05:00.0", "unmet applied-against-its-word GPU 0000:26:00.0"],
            ),
            case(
                "a memory request that waits for the driver",
                |seen| ask(seen, memory(MemoryMode::Nps4)),
                &["unmet needs-reload GPU 0000:05:00.0", "unmet needs-reload GPU 0000:26:00.0"],
            ),
            case(
                "refused",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    refuse(seen);
                },
                &["unmet refused GPU 0000:05:00.0", "unmet refused GPU 0000:26:00.0"],
            ),
            case(
                "refused in a row",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    refuse_row(seen, 1);
                },
                &["unmet refused GPU 0000:05:00.0", "unmet refused GPU 0000:26:00.0"],
            ),
            case(
                "refused, and done",
                |seen| {
                    ask(seen, compute(ComputeMode::Dpx, None));
                    refuse(seen);
                },
                &["unmet applied-against-its-word GPU 0000:05:00.0", "unmet applied-against-its-word GPU 0000:26:00.0"],
            ),
            case(
                "one GPU, by its index before the request",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, Some(3)));
                },
                &["unmet said-but-not-applied GPU 0000:26:00.0"],
            ),
            case(
                "one GPU, by its place where nobody listed",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, Some(1)));
                    seen.before = None;
                },
                &["unmet said-but-not-applied GPU 0000:26:00.0"],
            ),
            case(
                "by amd-smi where there is no sysfs",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    (seen.after.sysfs, seen.after.kfd) = (None, None);
                },
                &["unmet said-but-not-applied GPU 0", "unmet said-but-not-applied GPU 2"],
            ),
            case(
                "by amd-smi, one GPU",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, Some(2)));
                    (seen.after.sysfs, seen.after.kfd) = (None, None);
                },
                &["unmet said-but-not-applied GPU 2"],
            ),
            case(
                "memory by amd-smi where there is no sysfs",
                |seen| {
                    ask(seen, memory(MemoryMode::Nps4));
                    (seen.after.sysfs, seen.after.kfd) = (None, None);
                },
                &["unmet needs-reload GPU 0", "unmet needs-reload GPU 2"],
            ),
            case(
                "one GPU's mode is not readable",
                |seen| {
                    ask(seen, compute(ComputeMode::Dpx, None));
                    seen.sysfs()[0].compute = Reading::malformed("EIO", "x");
                },
                &["gap not reported GPU 0000:05:00.0"],
            ),
            case(
                "no witness",
                |seen| {
                    ask(seen, compute(ComputeMode::Dpx, None));
                    (seen.after.sysfs, seen.after.kfd, seen.after.static_partition) = (None, None, None);
                },
                &["gap not reported amd-smi set -g all -C DPX --json"],
            ),
        ],
    );
}

#[test]
fn a_refusal_is_told_and_changes_nothing() {
    judge(
        &CheckSpec::SetRefused { status: None },
        &[
            case(
                "refused",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    refuse(seen);
                },
                &[],
            ),
            case(
                "refused by every GPU",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    refuse_row(seen, 0);
                    refuse_row(seen, 1);
                },
                &[],
            ),
            case(
                "refused by one GPU only",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    refuse_row(seen, 0);
                },
                &["unmet not-refused amd-smi set -g all -C CPX --json"],
            ),
            case(
                "said",
                |seen| ask(seen, compute(ComputeMode::Cpx, None)),
                &["unmet not-refused amd-smi set -g all -C CPX --json"],
            ),
            case(
                "nothing said",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    seen.sets[0].asked.answer.value = Reading::Value(Vec::new());
                },
                &["gap tool failed amd-smi set -g all -C CPX --json"],
            ),
            case(
                "the mode changed all the same",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    refuse(seen);
                    seen.sysfs()[1].compute = Reading::Value(ComputeMode::Cpx);
                },
                &["unmet state-changed state"],
            ),
            case(
                "a device is gone",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    refuse(seen);
                    seen.kfd().pop();
                },
                &["unmet state-changed state"],
            ),
            case(
                "nobody looked before",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    refuse(seen);
                    seen.before = None;
                },
                &["gap not reported state"],
            ),
            case(
                "nothing to look at",
                |seen| {
                    ask(seen, compute(ComputeMode::Cpx, None));
                    refuse(seen);
                    for look in [&mut seen.after, seen.before.as_mut().unwrap()] {
                        (look.sysfs, look.kfd) = (None, None);
                    }
                },
                &["gap not reported state"],
            ),
        ],
    );
}

#[test]
fn a_refusal_gives_the_status_that_is_expected() {
    for (status, said) in
        [(BUSY, &[][..]), ("AMDSMI_STATUS_NO_PERM", &["unmet other-status amd-smi set -g all -C CPX --json"][..])]
    {
        let mut seen = super::healthy();
        ask(&mut seen, compute(ComputeMode::Cpx, None));
        refuse(&mut seen);
        assert_eq!(super::told(&CheckSpec::SetRefused { status: Some(status.to_owned()) }, &seen), said);
    }
}
