//! What a report says first: what failed, how often, by which signature, on what, and what shows it again.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Judgement;
use crate::domain::{Meaning, Provenance};
use crate::matrix::record::{CellRecord, MatrixRecord};
use crate::run::{CaseRecord, Environment, RunRecord};
use crate::shrink::Candidate;

use super::probes::ProbeLine;
use super::record::{Record, cell_worth, worth};

/// The variable by which the runtime looks for code of another ISA (facts/rdna.md).
const OVERRIDE: &str = "HSA_OVERRIDE_GFX_VERSION";

/// A run, as the first page tells it.
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) provenance: Provenance,
    /// What a reader asks first, in order.
    pub(super) head: Vec<(&'static str, String)>,
    /// Cases in all.
    pub(super) cases: usize,
    pub(super) failed: Vec<Failed>,
    /// What came to no verdict, or to a better one: name, and how it came out.
    pub(super) others: Vec<(String, String)>,
    /// What it ran on: versions, machine.
    pub(super) versions: BTreeMap<String, String>,
}

/// One case that failed.
pub(super) struct Failed {
    pub(super) id: String,
    pub(super) status: String,
    /// Times that it failed, and that it was run.
    pub(super) times: (usize, usize),
    pub(super) facts: Vec<(&'static str, String)>,
    /// What was expected and what came, or the lines that decided.
    pub(super) lines: Vec<String>,
    /// The command that runs it again.
    pub(super) again: String,
    /// Its folder in the archive.
    pub(super) evidence: Option<String>,
    /// The probes that fail, for scripts.
    pub(super) probes: Vec<Candidate>,
}

/// Of a whole record, with the probes that the evidence of its cases has.
pub(super) fn summary(record: &Record, probes: &BTreeMap<String, Vec<ProbeLine>>) -> Summary {
    match record {
        Record::Run(record) => of_run(record, probes),
        Record::Matrix(record) => of_matrix(record),
    }
}

fn of_run(record: &RunRecord, probes: &BTreeMap<String, Vec<ProbeLine>>) -> Summary {
    let mut versions = BTreeMap::new();
    let environments = record.environment.iter().chain(record.cases.iter().filter_map(|case| {
        let failed = case.status.meaning() == Meaning::Failed;
        case.environment.as_ref().filter(|_| failed)
    }));
    environments.for_each(|environment| add(&mut versions, environment));
    let (failed, others): (Vec<_>, Vec<_>) = record
        .cases
        .iter()
        .filter(|case| worth(&case.status))
        .partition(|case| case.status.meaning() == Meaning::Failed);
    for line in failed.iter().filter_map(|case| probes.get(&case.id)).flatten() {
        for (name, version) in line.process.iter().flat_map(|process| &process.libraries) {
            join(&mut versions, &format!("{name} (loaded)"), version);
        }
        let told = line.env.get(OVERRIDE).map(|value| format!("{OVERRIDE}={value}"));
        join(
            &mut versions,
            "ISA, effective",
            &told.unwrap_or_else(|| "the native one, unless the machine's environment says otherwise".to_owned()),
        );
    }
    // A machine of the case's own is gone with it.
    let given = record.environment.is_some();
    let of = |case: &CaseRecord| {
        let probes = probes.get(&case.id).map_or(&[][..], Vec::as_slice);
        failed_case(case, &record.run.again, probes, given)
    };
    Summary {
        id: record.run.id.clone(),
        provenance: record.provenance,
        head: vec![
            ("ran on", record.host.description.clone()),
            ("started", record.run.started.clone()),
            ("rocvet", record.run.rocvet.clone()),
            ("command", record.run.command.join(" ")),
        ],
        cases: record.cases.len(),
        failed: failed.into_iter().map(of).collect(),
        others: others.into_iter().map(|case| (case.id.clone(), case.status.to_string())).collect(),
        versions,
    }
}

fn add(versions: &mut BTreeMap<String, String>, environment: &Environment) {
    environment.machine.iter().chain(&environment.stack).for_each(|(name, value)| join(versions, name, value));
}

/// Another value of the same name stands beside the first.
fn join(versions: &mut BTreeMap<String, String>, name: &str, value: &str) {
    let known = versions.entry(name.to_owned()).or_default();
    if known.is_empty() {
        value.clone_into(known);
    } else if !known.split(" | ").any(|each| each == value) && known.len() < 400 {
        known.push_str(" | ");
        known.push_str(value);
    }
}

fn failed_case(case: &CaseRecord, again: &str, probes: &[ProbeLine], given: bool) -> Failed {
    let tried = case.tries.len().max(1);
    let failed = case.tries.iter().filter(|each| each.status.meaning() == Meaning::Failed).count();
    let mut facts = vec![("what", case.title.clone()), ("why", case.why.clone())];
    let mut lines = Vec::new();
    let mut subjects = Vec::new();
    for check in &case.findings {
        for finding in check.findings.iter().filter(|finding| finding.judgement() == Judgement::Unmet) {
            lines.push(format!("{} [{}] {}", check.check, finding.id(), finding.subject()));
            lines.push(format!("  expected  {}", finding.expected()));
            lines.push(format!("  observed  {}", finding.observed()));
            subjects.push(finding.subject());
        }
    }
    let failing: Vec<_> = probes
        .iter()
        .filter(|line| subjects.iter().any(|subject| subject.starts_with(&format!("{} on the ", line.probe))))
        .collect();
    let of_processes = |of: &dyn Fn(&ProbeLine) -> Option<String>| {
        let all: BTreeSet<String> =
            failing.iter().filter_map(|line| of(line)).filter(|text| !text.is_empty()).collect();
        all.into_iter().collect::<Vec<_>>().join(" | ")
    };
    let signature = of_processes(&|line| line.process.as_ref()?.signature.clone());
    let device = of_processes(&|line| line.process.as_ref()?.device.clone());
    let end = of_processes(&|line| Some(line.process.as_ref()?.end.clone()));
    facts.extend([("signature", signature), ("device", device), ("processes", end)]);
    let mut candidates: Vec<Candidate> = Vec::new();
    for candidate in failing.iter().filter_map(|line| line.candidate()) {
        if !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    }
    let alone = failing.first().filter(|_| given).map(|line| line.again.clone()).unwrap_or_default();
    facts.push(("the probe alone", alone));
    Failed {
        id: case.id.clone(),
        status: case.status.to_string(),
        times: (if case.tries.is_empty() { 1 } else { failed }, tried),
        facts: facts.into_iter().filter(|(_, text)| !text.is_empty()).collect(),
        lines,
        again: format!("{again} -E 'id({})'", case.id),
        evidence: case.evidence.clone(),
        probes: candidates,
    }
}

fn of_matrix(record: &MatrixRecord) -> Summary {
    let mut versions = BTreeMap::new();
    let failing = || record.cells.iter().filter(|cell| cell_worth(cell));
    for cell in failing() {
        let isa = |isa: &Option<String>| isa.clone().unwrap_or_else(|| "not known".to_owned());
        join(&mut versions, "GPU", &cell.device.name.clone().unwrap_or_else(|| "not known".to_owned()));
        join(&mut versions, "ISA, native", &isa(&cell.device.native_isa));
        join(&mut versions, "ISA, effective", &isa(&cell.device.effective_isa));
        cell.libraries.iter().for_each(|(name, version)| join(&mut versions, &format!("{name} (loaded)"), version));
    }
    let is_failed = |cell: &CellRecord| cell.status().is_some_and(|status| status.meaning() == Meaning::Failed);
    let not_run = record.cells.iter().filter(|cell| cell.not_run.is_some() && !cell_worth(cell));
    let told = |cell: &CellRecord| cell.status().map(|status| status.to_string()).unwrap_or_default();
    let others = failing().filter(|cell| !is_failed(cell)).map(|cell| (cell.id.clone(), told(cell)));
    let others = others.chain(not_run.map(|cell| (cell.id.clone(), cell.not_run.clone().unwrap_or_default())));
    Summary {
        id: record.id.clone(),
        provenance: record.provenance,
        head: vec![
            ("ran on", record.host.clone()),
            ("started", record.started.clone()),
            ("rocvet", record.rocvet.clone()),
            ("command", record.command.join(" ")),
        ],
        cases: record.cells.len(),
        failed: failing().filter(|cell| is_failed(cell)).map(failed_cell).collect(),
        others: others.collect(),
        versions,
    }
}

fn failed_cell(cell: &CellRecord) -> Failed {
    let pairs = |pairs: &BTreeMap<String, String>| {
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    let signatures: BTreeSet<&str> = cell.runs.iter().filter_map(|run| run.signature.as_deref()).collect();
    let classes: BTreeSet<String> =
        cell.runs.iter().filter_map(|run| run.class).map(|class| class.to_string()).collect();
    let facts = vec![
        ("probe", cell.probe.clone()),
        ("signature", signatures.into_iter().collect::<Vec<_>>().join(" | ")),
        ("class", classes.into_iter().collect::<Vec<_>>().join(" | ")),
        ("worker", cell.worker.clone()),
        ("environment", pairs(&cell.env)),
        ("kernel parameters", pairs(&cell.kernel)),
        ("reported as", cell.reported.clone().unwrap_or_default()),
    ];
    let (env, kernel) = (cell.env.clone(), cell.kernel.clone());
    let probe = cell.probe.parse().ok().map(|probe| Candidate { probe, env, kernel });
    let first = cell.runs.iter().find(|run| worth(&run.status));
    Failed {
        id: cell.id.clone(),
        status: cell.status().map(|status| status.to_string()).unwrap_or_default(),
        times: (cell.runs.len() - cell.passed(), cell.runs.len()),
        facts: facts.into_iter().filter(|(_, text)| !text.is_empty()).collect(),
        lines: first.map(|run| run.evidence.clone()).unwrap_or_default(),
        again: cell.again.clone(),
        evidence: None,
        probes: probe.into_iter().collect(),
    }
}
