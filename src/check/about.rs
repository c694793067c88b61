//! What a check says of itself: the text of `validate explain`, and what it needs to be asked.

use crate::domain::{CheckId, Confidence};
use crate::witness::amd_smi::Query;

/// A check, explained.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Which check.
    pub id: CheckId,
    /// What it compares.
    pub what: &'static str,
    /// Why anyone should care.
    pub why: &'static str,
    /// Where the expectation comes from.
    pub source: &'static str,
    /// How sure that is.
    pub confidence: Confidence,
    /// What it reads.
    pub needs: Needs,
    /// Every finding that is not `Met`, by id.
    pub findings: &'static [FindingAbout],
}

/// One finding, explained.
#[derive(Debug, Clone, Copy)]
pub struct FindingAbout {
    /// Id within the check (`one-short`).
    pub id: &'static str,
    /// What it means.
    pub what: &'static str,
    /// What to do.
    pub next: &'static str,
}

/// What a check reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// amd-smi queries.
    pub queries: &'static [Query],
    /// Partition files in sysfs.
    pub sysfs: bool,
    /// KFD topology.
    pub kfd: bool,
    /// Render nodes, driver, kernel, KFD's processes and device files.
    pub system: bool,
    /// The HIP runtime.
    pub hip: bool,
    /// What was set: parameters, modprobe.d, kernel log, environment.
    pub tuning: bool,
}

impl Needs {
    /// What a check that reads nothing would need.
    pub const NOTHING: Self = Self { queries: &[], sysfs: false, kfd: false, system: false, hip: false, tuning: false };
}

impl About {
    /// The finding with this id.
    pub fn finding(&self, id: &str) -> Option<&'static FindingAbout> {
        self.findings.iter().find(|finding| finding.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::about;
    use super::*;

    #[test]
    fn every_check_explains_itself_and_each_of_its_findings() {
        for &id in CheckId::ALL {
            let about = about(id);
            assert_eq!(about.id, id);
            for text in [about.what, about.why, about.source] {
                assert!(text.len() > 15, "{id}: {text:?} explains nothing");
            }
            assert!(!about.findings.is_empty(), "{id} can find nothing");
            for (at, finding) in about.findings.iter().enumerate() {
                assert!(finding.what.len() > 15 && finding.next.len() > 8, "{id}/{}", finding.id);
                assert!(about.findings[..at].iter().all(|other| other.id != finding.id), "{id}/{} twice", finding.id);
            }
        }
    }
}
