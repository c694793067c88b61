//! Observing one case on a host: a look, the steps, another look. Asks and records; judges nothing.

use crate::host::{Asking, Host};
use crate::scenario::{Case, Step};
use crate::witness::amd_smi::{Format, SetRequest, parse};
use crate::witness::{Asked, Observations, Reload, SetDone};

use super::look::{Wanted, look, read};
use super::probe::{self, Bay};
use super::stands::Stands;

/// Something that only a simulated machine can do to itself.
pub trait Bench {
    /// Reloads the driver; that the machine refuses is an answer, not an error.
    ///
    /// # Errors
    /// The host's state could not be changed.
    fn reload(&self) -> Result<Reload, String>;
    /// A client opens the GPUs, or closes them.
    ///
    /// # Errors
    /// The host's state could not be changed.
    fn hold(&self, open: bool) -> Result<(), String>;
}

/// Observes a case.
///
/// # Errors
/// A step could not be done at all: our tool or the scenario is wrong, not the machine.
pub fn observe(
    case: &Case,
    host: &Host,
    bench: Option<&dyn Bench>,
    stands: &Stands,
    asking: &Asking,
) -> Result<Observations, String> {
    let wanted = Wanted::of(case);
    let changes = case.steps.iter().any(|step| matches!(step, Step::Set(_)));
    let look = || look(host, &wanted, case.format, asking);
    let before = changes.then(look);
    let (mut sets, mut runs, mut probes) = (Vec::new(), Vec::new(), Vec::new());
    for step in &case.steps {
        match step {
            Step::Set(request) => sets.push(set(host, request, case.format, asking)),
            Step::Probe(step) => {
                probes.extend(probe::run(step, &Bay { host, stands, worker: case.worker.as_deref(), asking }))
            }
            Step::Run(args) => runs.push(run(host, args, asking)),
            Step::Reload => {
                let reload = bench.ok_or("reload: only a simulated machine's driver is reloaded here")?.reload()?;
                sets.iter_mut().for_each(|set: &mut SetDone| set.reload = Some(reload.clone()));
            }
            Step::Hold => bench.ok_or("hold: only a simulated machine has such a client")?.hold(true)?,
            Step::Release => bench.ok_or("release: only a simulated machine has such a client")?.hold(false)?,
        }
    }
    Ok(Observations { provenance: host.provenance(), before, sets, runs, probes, after: look() })
}

fn set(host: &Host, request: &SetRequest, format: Format, asking: &Asking) -> SetDone {
    let call = host.call_amd_smi(&request.args(format), request.stdin(), asking);
    let asked = read(call, |call| parse::set_rows(call, format, request));
    SetDone { request: request.clone(), asked, reload: None }
}

/// A command given word for word: only its failure and its documents are read.
fn run(host: &Host, args: &[String], asking: &Asking) -> Asked<()> {
    let json = args.iter().any(|arg| arg == "--json");
    let call = host.call_amd_smi(args, "", asking);
    read(call, |call| crate::witness::amd_smi::parse::anything(call, if json { Format::Json } else { Format::Human }))
}
