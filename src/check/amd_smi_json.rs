//! `amd-smi.json`: what `--json` prints is one JSON document and nothing else.

use crate::domain::{CheckId, Confidence, Ended};
use crate::witness::Observations;
use crate::witness::amd_smi::Query;

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::{Collector, Evaluation, GapKind};

pub(super) const ABOUT: About = About {
    id: CheckId::AmdSmiJson,
    what: "Every call with --json printed exactly one JSON document on standard output, and nothing beside it.",
    why: "A reader that calls one JSON parser on the output fails, or silently takes the first of several documents.",
    source: "facts/amd-smi.md 2.1 and section 4 rows 2 and 3 (ROCm/rocm-systems#667, amdsmi#168)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List, Query::StaticPartition], ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "several-documents",
            what: "The output holds more than one JSON document (24.7 and 25.x `partition`, `set` on several GPUs).",
            next: "read the output as a stream of documents, or ask for one GPU or one section at a time",
        },
        FindingAbout {
            id: "stray-text",
            what: "Text stands beside the JSON: a prompt, a legend, a version line, a warning.",
            next: "take the document out of the text before parsing; do not trust the first line",
        },
        FindingAbout {
            id: "no-document",
            what: "The call printed no valid JSON document at all.",
            next: "look at standard error and the exit code; this version reports this failure outside JSON",
        },
        FindingAbout {
            id: "not-utf8",
            what: "The output is not valid UTF-8.",
            next: "keep the raw bytes as evidence; no known version prints such output by design",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    for call in calls::all(seen).iter().filter(|call| call.json()) {
        let subject = call.name();
        match &call.call.ended {
            Ended::Exited { .. } => {}
            ended @ (Ended::Signaled { .. }
            | Ended::TimedOut { .. }
            | Ended::Cancelled
            | Ended::Unreaped
            | Ended::NotStarted { .. }) => {
                collector.gap(GapKind::ToolFailed, subject, format!("amd-smi did not end by itself: {ended}"));
                continue;
            }
        }
        let expected = "one JSON document and nothing else";
        if std::str::from_utf8(&call.call.stdout).is_err() {
            collector.unmet("not-utf8", subject, expected, "bytes that are not UTF-8");
        } else if call.documents == 0 {
            let length = call.call.stdout.len();
            collector.unmet("no-document", subject, expected, format!("no document in {length} bytes"));
        } else if call.documents > 1 {
            collector.unmet("several-documents", subject, expected, format!("{} documents", call.documents));
        } else if let Some(text) = call.stray {
            let text: String = text.trim().chars().take(80).collect();
            collector.unmet("stray-text", subject, expected, format!("one document, and beside it {text:?}"));
        } else {
            collector.met(subject, expected, "one document");
        }
    }
    collector.finish()
}
