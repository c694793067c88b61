//! One case from end to end: its host, what is observed there, the verdict, the evidence.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::check::{self, Judged, Verdict};
use crate::domain::Status;
use crate::host::simulated::{self, Faces};
use crate::host::{Asking, Host, HostError};
use crate::scenario::{Case, Step};
use crate::witness::{ProbeDone, Reload};

use super::clock::Stopwatch;
use super::environment::Environment;
use super::execute::as_expected;
use super::journal::keep_evidence;
use super::loaded::{loaded, of_probes};
use super::look::Wanted;
use super::memory::taken;
use super::observe::{Bench, observe};
use super::record::{CaseRecord, CheckRecord};
use super::stands::Stands;

/// Where cases run.
#[derive(Debug)]
pub enum Lab {
    /// Each on a simulated machine of its own, in a folder below this one.
    Simulated {
        /// Scratch folder; a case's host is removed when the case ends.
        scratch: PathBuf,
        /// The executable that is started as `amd-smi`.
        program: PathBuf,
    },
    /// All on one host.
    Given(Host),
}

/// What every case of a run shares.
#[derive(Debug)]
pub struct Bed {
    /// Where cases run.
    pub lab: Lab,
    /// Deadline and cancellation of every call.
    pub asking: Asking,
    /// What computes the probes of cases.
    pub stands: Stands,
    /// Run folder, to keep evidence below.
    pub folder: PathBuf,
    /// Why nothing more is run on the given host, once that is so: no case is taken up any more then.
    pub halt: OnceLock<String>,
}

impl Bed {
    /// Runs one case. What goes wrong in our own tool is the case's status, not a lost case.
    pub fn run(&self, case: &Case) -> CaseRecord {
        if self.halt.get().is_some() {
            return CaseRecord::unfinished(case, Status::Aborted);
        }
        let watch = Stopwatch::start();
        let record =
            self.attempt(case).unwrap_or_else(|problem| CaseRecord::unfinished(case, Status::Error { problem }));
        let duration = watch.elapsed().into();
        let environment = match &self.lab {
            Lab::Simulated { .. } => case.simulate.resolve().ok().map(|machine| Environment::simulated(&machine)),
            Lab::Given(_) => None,
        };
        let environment = environment.map(|mut own| {
            own.stack.extend(loaded([&record]));
            own
        });
        CaseRecord { duration, environment, ..record }
    }

    fn attempt(&self, case: &Case) -> Result<CaseRecord, String> {
        let asking = Asking { deadline: case.deadline.unwrap_or(self.asking.deadline), ..self.asking.clone() };
        let seen = match &self.lab {
            Lab::Given(host) => {
                let bench = match host {
                    Host::Simulated { dir, .. } => Some(SimulatedBench(dir)),
                    Host::Recorded { .. } | Host::Real => None,
                };
                observe(case, host, bench.as_ref().map(|bench| bench as &dyn Bench), &self.stands, &asking)?
            }
            Lab::Simulated { scratch, program } => {
                let folder = tempfile::Builder::new().prefix("host-").tempdir_in(scratch).map_err(told)?;
                let machine = case.simulate.resolve().map_err(told)?;
                let probed = case.steps.iter().any(|step| matches!(step, Step::Probe(_)));
                // The trees have the kernel's log beside them.
                let faces = if probed || Wanted::of(case).reads_trees() { Faces::Both } else { Faces::Tool };
                simulated::create(folder.path(), &machine, faces).map_err(told)?;
                let host = Host::open(folder.path()).map_err(told)?.with_program(program);
                observe(case, &host, Some(&SimulatedBench(folder.path())), &self.stands, &asking)?
            }
        };
        if let (Lab::Given(_), Some(why)) = (&self.lab, seen.probes.iter().find_map(ProbeDone::stop)) {
            // The first reason is the one that counts.
            let _ = self.halt.set(why.to_owned());
        }
        let judged = case.checks.iter().map(|each| Judged {
            check: each.spec.id(),
            expect: each.expect.clone(),
            evaluation: check::evaluate(&each.spec, &seen),
        });
        let verdict = Verdict::of(seen.provenance, judged.collect());
        // A simulated machine of the case's own shows the same again, so nothing is lost with its calls.
        let kept = match &self.lab {
            Lab::Simulated { .. } => !as_expected(verdict.status()),
            Lab::Given(_) => true,
        };
        let evidence = kept.then(|| keep_evidence(&self.folder, &case.id, &seen).map_err(told)).transpose()?;
        let (findings, memory, loaded) = (CheckRecord::of(&verdict), taken(&seen.probes), of_probes(&seen.probes));
        Ok(CaseRecord { findings, memory, loaded, evidence, ..CaseRecord::unfinished(case, verdict.status().clone()) })
    }
}

struct SimulatedBench<'a>(&'a Path);

impl Bench for SimulatedBench<'_> {
    fn reload(&self) -> Result<Reload, String> {
        match simulated::reload(self.0) {
            Ok(()) => Ok(Reload::Done),
            Err(HostError::Refused(why)) => Ok(Reload::Refused { why }),
            Err(error) => Err(told(error)),
        }
    }

    fn hold(&self, open: bool) -> Result<(), String> {
        simulated::hold(self.0, open).map_err(told)
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
