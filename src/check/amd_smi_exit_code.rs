//! `amd-smi.exit-code`: a call that failed exits non-zero, and one that did not exits zero.

use crate::domain::{CheckId, Confidence, Ended};
use crate::witness::Observations;
use crate::witness::amd_smi::Query;

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::{Collector, Evaluation, GapKind};

pub(super) const ABOUT: About = About {
    id: CheckId::AmdSmiExitCode,
    what: "The exit code of every call agrees with what its output says: failed means non-zero.",
    why: "Scripts look at the exit code; amd-smi exits 0 on many failures, so they go on with a machine that was not changed.",
    source: "facts/amd-smi.md 3.2, 3.3 and section 4 row 1 (ROCm/rocm-systems#6088, #6862, #8624)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List, Query::StaticPartition], ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "failed-with-exit-zero",
            what: "The call says that it failed and exits 0.",
            next: "decide from the sentence and by reading back, never from this tool's exit code",
        },
        FindingAbout {
            id: "exit-code-without-failure",
            what: "The call exits non-zero and says of no failure.",
            next: "keep standard output and standard error as evidence; no sentence of a known version was recognised",
        },
        FindingAbout {
            id: "killed",
            what: "The call was killed by a signal that nobody sent on purpose.",
            next: "look at the kernel log and a core dump; `amd-smi version` aborts on some builds (ROCm/ROCm#5632)",
        },
        FindingAbout {
            id: "hung",
            what: "The call outlived its deadline.",
            next: "the driver may hang at initialisation; look at the kernel log before calling it again",
        },
        FindingAbout {
            id: "flooded",
            what: "The call printed more than any version prints, and was stopped at the output cap.",
            next: "the start of the output is kept as evidence; find out which program answers by the name amd-smi",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    use crate::domain::Limit;
    let mut collector = Collector::new(&ABOUT);
    for call in calls::all(seen) {
        let subject = call.name();
        let failure = call.failure.as_ref().map(|failure| failure.text.as_str());
        match (&call.call.ended, failure) {
            (Ended::Exited { code: 0 }, None) => collector.met(subject, "exit code 0", "exit code 0, no failure told"),
            (Ended::Exited { code: 0 }, Some(text)) => {
                collector.unmet(
                    "failed-with-exit-zero",
                    subject,
                    "a non-zero exit code",
                    format!("exit code 0: {text}"),
                );
            }
            (Ended::Exited { code }, Some(_)) => {
                collector.met(subject, "a non-zero exit code", format!("exit code {code}"));
            }
            (Ended::Exited { code }, None) => {
                let observed = format!("exit code {code}, and no failure told");
                collector.unmet("exit-code-without-failure", subject, "exit code 0", observed);
            }
            (ended @ Ended::Signaled { .. }, _) => {
                collector.unmet("killed", subject, "an exit code", ended.to_string());
            }
            (ended @ Ended::TimedOut { limit: Limit::Output }, _) => {
                collector.unmet("flooded", subject, "an exit code", ended.to_string());
            }
            (ended @ (Ended::TimedOut { .. } | Ended::Unreaped), _) => {
                collector.unmet("hung", subject, "an exit code before the deadline", ended.to_string());
            }
            (ended @ (Ended::Cancelled | Ended::NotStarted { .. }), _) => {
                collector.gap(GapKind::ToolFailed, subject, ended.to_string());
            }
        }
    }
    collector.finish()
}
