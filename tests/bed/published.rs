//! What the checks make of a folder that holds nothing but the kernel's trees.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use rocvet::check::{Evaluation, Judgement, evaluate};
use rocvet::domain::{CheckSpec, Provenance};
use rocvet::host::{Asking, Host};
use rocvet::process::Cancel;
use rocvet::run::{Wanted, look};
use rocvet::witness::amd_smi::{Format, Query};
use rocvet::witness::{Observations, Snapshot};

/// Devices and memory of a published tree.
pub struct Diagnosis {
    pub look: Snapshot,
    pub count: Evaluation,
    pub memory: Evaluation,
}

impl Diagnosis {
    pub fn of(dir: &Path) -> Self {
        let host = Host::open(dir).unwrap();
        assert_eq!(host.provenance(), Provenance::Recorded);
        assert_eq!(host.origin(), format!("kernel trees in {}", dir.display()));
        let queries = [Query::Version, Query::List, Query::MetricMemory].into();
        let wanted = Wanted { queries, ..Wanted::trees() };
        let asking = Asking { deadline: Duration::from_secs(5), cancel: Cancel::new() };
        let look = look(&host, &wanted, Format::Json, &asking);
        let seen = Observations {
            provenance: host.provenance(),
            before: None,
            sets: Vec::new(),
            runs: Vec::new(),
            probes: Vec::new(),
            after: look.clone(),
        };
        Self {
            look,
            count: evaluate(&CheckSpec::DevicesCount { per_gpu: None }, &seen),
            memory: evaluate(&CheckSpec::MemoryPerDevice { mib: None }, &seen),
        }
    }
}

/// `subject: observed` of each finding with this judgement.
pub fn findings(evaluation: &Evaluation, judgement: Judgement) -> Vec<String> {
    evaluation.with(judgement).map(|finding| format!("{}: {}", finding.subject(), finding.observed())).collect()
}

/// Every gap, but for what amd-smi was not asked.
pub fn gaps(evaluation: &Evaluation) -> Vec<String> {
    let own = evaluation.gaps().iter().filter(|gap| !gap.reason.contains("not recorded: amd-smi"));
    own.map(|gap| format!("{}: {}", gap.subject, gap.reason)).collect()
}
