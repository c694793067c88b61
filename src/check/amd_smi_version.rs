//! `amd-smi.version`: the tool says which version it is, and it is the one expected.

use crate::domain::{CheckId, Confidence, ToolVersion};
use crate::witness::Observations;
use crate::witness::amd_smi::Query;

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::need;
use super::evaluation::{Collector, Evaluation};

pub(super) const ABOUT: About = About {
    id: CheckId::AmdSmiVersion,
    what: "`amd-smi version` gives a tool version, of a generation whose dialect is known, and the one expected if one is named.",
    why: "Exit codes, JSON containers and field names change with the tool version, which is not ROCm's and not the library's.",
    source: "facts/amd-smi.md 1.1 (version map) and 2.1 (containers by version)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::Version], ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "other-version",
            what: "The tool is another version than the scenario expects.",
            next: "find out which amd-smi is first in PATH; two ROCm installations side by side are the usual cause",
        },
        FindingAbout {
            id: "unknown-generation",
            what: "No facts about this generation of the tool.",
            next: "record its output (`validate record`) and compare it with the newest known dialect before trusting it",
        },
    ],
};

/// Generations whose output was seen. Source: facts/amd-smi.md 1.1.
const KNOWN: std::ops::RangeInclusive<u32> = 23..=27;

pub(super) fn evaluate(expected: Option<ToolVersion>, seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let report = calls::rows(&mut collector, Query::Version, seen.after.version.as_ref());
    let Some(tool) = report.and_then(|report| need(&mut collector, "amd-smi", "tool version", &report.tool)) else {
        return collector.finish();
    };
    match expected {
        Some(version) if version != *tool => {
            collector.unmet("other-version", "amd-smi", version.to_string(), tool.to_string());
        }
        Some(version) => collector.met("amd-smi", version.to_string(), tool.to_string()),
        None if KNOWN.contains(&tool.major) => collector.met("amd-smi", "a known generation", tool.to_string()),
        None => {
            let expected = format!("a generation from {} to {}", KNOWN.start(), KNOWN.end());
            collector.unmet("unknown-generation", "amd-smi", expected, tool.to_string());
        }
    }
    collector.finish()
}
