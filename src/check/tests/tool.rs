//! `amd-smi.version`, `amd-smi.json`, `amd-smi.exit-code`, and what is said where the tool gave nothing.

use super::machine::{answer, call, failure, rows, set};
use super::{case, judge};
use crate::domain::{CheckSpec, ComputeMode, Ended, Limit, Reading, Signal};
use crate::witness::amd_smi::{SetOutcome, SetRequest};
use crate::witness::{Asked, Observations};

fn ended(seen: &mut Observations, ended: Ended) {
    seen.after.list.as_mut().unwrap().call.ended = ended;
}

fn version(seen: &mut Observations, text: &str) {
    rows(&mut seen.after.version).tool = Reading::Value(text.parse().unwrap());
}

#[test]
fn the_version_is_of_a_known_generation() {
    judge(
        &CheckSpec::AmdSmiVersion { version: None },
        &[
            case("the oldest known", |seen| version(seen, "23.4.0"), &[]),
            case("older", |seen| version(seen, "22.9.9"), &["unmet unknown-generation amd-smi"]),
            case("newer", |seen| version(seen, "28.0.0"), &["unmet unknown-generation amd-smi"]),
            case(
                "no version in the output",
                |seen| rows(&mut seen.after.version).tool = Reading::NotReported,
                &["gap not reported amd-smi"],
            ),
        ],
    );
    let expected = CheckSpec::AmdSmiVersion { version: Some("27.1.0".parse().unwrap()) };
    judge(
        &expected,
        &[
            case("the one expected", |_| {}, &[]),
            case("another", |seen| version(seen, "27.1.1"), &["unmet other-version amd-smi"]),
        ],
    );
}

#[test]
fn json_is_one_document_and_nothing_else() {
    judge(
        &CheckSpec::AmdSmiJson,
        &[
            case(
                "two documents",
                |seen| seen.after.list.as_mut().unwrap().answer.documents = 2,
                &["unmet several-documents amd-smi list --json"],
            ),
            case(
                "none",
                |seen| seen.after.list.as_mut().unwrap().answer.documents = 0,
                &["unmet no-document amd-smi list --json"],
            ),
            case(
                "text beside it",
                |seen| seen.after.list.as_mut().unwrap().answer.stray = Some("Legend".into()),
                &["unmet stray-text amd-smi list --json"],
            ),
            case(
                "bytes that are no text",
                |seen| seen.after.list.as_mut().unwrap().call.stdout = vec![0xff],
                &["unmet not-utf8 amd-smi list --json"],
            ),
            case("a failure that exits", |seen| ended(seen, Ended::Exited { code: 1 }), &[]),
            case(
                "a call that was killed",
                |seen| ended(seen, Ended::Signaled { signal: Signal(6) }),
                &["gap tool failed amd-smi list --json"],
            ),
            case(
                "a call in another format",
                |seen| {
                    let asked = seen.after.list.as_mut().unwrap();
                    asked.call.args = vec!["list".into()];
                    asked.answer.documents = 0;
                },
                &[],
            ),
            case(
                "each request and each command too",
                |seen| {
                    let mut request = set(SetRequest::Compute { mode: ComputeMode::Cpx, gpu: None });
                    request.asked.answer.documents = 8;
                    seen.sets.push(request);
                    let run = call(vec!["static".into(), "--json".into()]);
                    let mut answer = answer(Reading::Value(()));
                    answer.documents = 0;
                    seen.runs.push(Asked { call: run, answer });
                    let mut before = super::machine::look();
                    before.list.as_mut().unwrap().answer.documents = 3;
                    seen.before = Some(before);
                },
                &[
                    "unmet several-documents amd-smi list --json",
                    "unmet several-documents amd-smi set -g all -C CPX --json",
                    "unmet no-document amd-smi static --json",
                ],
            ),
        ],
    );
}

#[test]
fn the_exit_code_says_whether_it_failed() {
    fn fails(seen: &mut Observations) {
        seen.after.list.as_mut().unwrap().answer.failure = Some(failure(None, "no"));
    }
    judge(
        &CheckSpec::AmdSmiExitCode,
        &[
            case("a failure that exits 0", fails, &["unmet failed-with-exit-zero amd-smi list --json"]),
            case(
                "a failure with its code",
                |seen| {
                    fails(seen);
                    ended(seen, Ended::Exited { code: 224 });
                },
                &[],
            ),
            case(
                "a code without a failure",
                |seen| ended(seen, Ended::Exited { code: 1 }),
                &["unmet exit-code-without-failure amd-smi list --json"],
            ),
            case(
                "killed",
                |seen| ended(seen, Ended::Signaled { signal: Signal(6) }),
                &["unmet killed amd-smi list --json"],
            ),
            case(
                "hung",
                |seen| ended(seen, Ended::TimedOut { limit: Limit::Deadline }),
                &["unmet hung amd-smi list --json"],
            ),
            case(
                "a process that cannot be killed",
                |seen| ended(seen, Ended::Unreaped),
                &["unmet hung amd-smi list --json"],
            ),
            case(
                "too much output",
                |seen| ended(seen, Ended::TimedOut { limit: Limit::Output }),
                &["unmet flooded amd-smi list --json"],
            ),
            case(
                "not there",
                |seen| ended(seen, Ended::NotStarted { reason: "x".into() }),
                &["gap tool failed amd-smi list --json"],
            ),
            case(
                "stopped by ourselves",
                |seen| ended(seen, Ended::Cancelled),
                &["gap tool failed amd-smi list --json"],
            ),
            case(
                "a request that one GPU refused",
                |seen| {
                    let mut request = set(SetRequest::Compute { mode: ComputeMode::Cpx, gpu: None });
                    if let Reading::Value(rows) = &mut request.asked.answer.value {
                        rows[1].outcome = Reading::Value(SetOutcome::Failed { error: failure(None, "busy") });
                    }
                    seen.sets.push(request);
                },
                &["unmet failed-with-exit-zero amd-smi set -g all -C CPX --json"],
            ),
        ],
    );
}

/// Through `devices.count`, which needs the list: a query without rows is a gap of the kind that fits.
#[test]
fn why_a_query_gave_nothing_is_told() {
    fn nothing(seen: &mut Observations, status: Option<&str>, code: Option<i64>) {
        let asked = seen.after.list.as_mut().unwrap();
        asked.answer.value = Reading::NotReported;
        let error = crate::witness::amd_smi::ToolError { code, ..failure(status, "words") };
        asked.answer.failure = Some(error);
    }
    fn silent(seen: &mut Observations, end: Ended, value: Reading<Vec<crate::witness::amd_smi::ListRow>>) {
        ended(seen, end);
        seen.after.list.as_mut().unwrap().answer.value = value;
    }
    const ZERO: Ended = Ended::Exited { code: 0 };
    judge(
        &CheckSpec::DevicesCount { per_gpu: None },
        &[
            case(
                "not permitted, by status",
                |seen| nothing(seen, Some("AMDSMI_STATUS_NO_PERM"), None),
                &["gap no permission amd-smi list --json"],
            ),
            case(
                "not permitted, by code",
                |seen| nothing(seen, None, Some(-11)),
                &["gap no permission amd-smi list --json"],
            ),
            case(
                "not supported",
                |seen| nothing(seen, Some("AMDSMI_STATUS_NOT_SUPPORTED"), None),
                &["gap not applicable amd-smi list --json"],
            ),
            case(
                "another failure",
                |seen| nothing(seen, Some("AMDSMI_STATUS_BUSY"), Some(30)),
                &["gap tool failed amd-smi list --json"],
            ),
            case(
                "malformed",
                |seen| silent(seen, ZERO, Reading::malformed("{", "x")),
                &["gap malformed amd-smi list --json"],
            ),
            case("N/A", |seen| silent(seen, ZERO, Reading::NotApplicable), &["gap not applicable amd-smi list --json"]),
            case("silence", |seen| silent(seen, ZERO, Reading::NotReported), &["gap not reported amd-smi list --json"]),
            case(
                "a code and silence",
                |seen| silent(seen, Ended::Exited { code: 3 }, Reading::NotReported),
                &["gap tool failed amd-smi list --json"],
            ),
            case(
                "hung",
                |seen| silent(seen, Ended::TimedOut { limit: Limit::Deadline }, Reading::NotReported),
                &["gap tool failed amd-smi list --json"],
            ),
        ],
    );
}

#[test]
fn a_call_that_hung_is_told_from_one_that_failed() {
    for (end, words) in [
        (Ended::TimedOut { limit: Limit::Deadline }, "amd-smi hung"),
        (Ended::TimedOut { limit: Limit::Silence }, "amd-smi hung"),
        (Ended::TimedOut { limit: Limit::Output }, "amd-smi: "),
        (Ended::Signaled { signal: Signal(11) }, "amd-smi: "),
    ] {
        let mut seen = super::healthy();
        ended(&mut seen, end);
        seen.after.list.as_mut().unwrap().answer.value = Reading::NotReported;
        let made = super::evaluate(&CheckSpec::DevicesIds, &seen);
        assert!(made.gaps()[0].reason.starts_with(words), "{}", made.gaps()[0].reason);
    }
}
