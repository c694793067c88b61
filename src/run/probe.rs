//! One probe step of a case: runs it, and puts what came of it into data that checks read. Judges nothing.

use std::time::Duration;

use crate::host::{Asking, Host};
use crate::probe::fallback::{Fallback, Ran, ran};
use crate::probe::judge::{Numbers, Problem};
use crate::probe::judgement::Judgement;
use crate::probe::loaded::{libraries, mapped};
use crate::probe::memory::{self, MemoryUse};
use crate::probe::protocol::{Evidence, Kind, Outcome, Raised, Request};
use crate::probe::spec::Work;
use crate::probe::stand::{LogSource, ProbeRun, Stand};
use crate::probe::supervise::ProbeOutcome;
use crate::probe::watch::Stop;
use crate::probe::{ProbeSpec, supervise::Worker};
use crate::scenario::ProbeStep;
use crate::witness::amd_smi::Format;
use crate::witness::{
    ProbeCame, ProbeDone, ProbeEnd, ProbeMemory, ProbeNumbers, ProbePlace, ProbeProcess, ProbeRaised, WhyCpu,
    WrongMemory, WrongNumbers,
};

use super::look::{Wanted, look};
use super::stands::Stands;

/// Bytes of a worker's standard error, and of the kernel's log beside it, that are kept: the last ones count.
const KEPT: usize = 256 << 10;

/// What a step is run with.
pub(super) struct Bay<'a> {
    /// Which host.
    pub(super) host: &'a Host,
    /// What computes there.
    pub(super) stands: &'a Stands,
    /// Which of several workers, by its name.
    pub(super) worker: Option<&'a str>,
    /// Cancellation.
    pub(super) asking: &'a Asking,
}

/// Runs every probe of a step, each in as many processes as it asks for.
pub(super) fn run(step: &ProbeStep, bay: &Bay<'_>) -> Vec<ProbeDone> {
    let uses_memory = step.specs.iter().any(|spec| matches!(spec.work, Work::Memory { .. }));
    let seen = uses_memory.then(|| look(bay.host, &Wanted::memory(), Format::Json, bay.asking));
    let stand = bay.stands.on(bay.host, bay.worker).map(|stand| Stand { look: seen, ..fitted(stand, step) });
    step.specs.iter().map(|spec| one(spec, step, stand.as_ref(), bay)).collect()
}

/// The stand as the step wants it.
fn fitted(stand: Stand, step: &ProbeStep) -> Stand {
    let mut limits = stand.limits;
    limits.first = step.deadline.unwrap_or(limits.first);
    let env = step.env.iter().map(|(name, value)| (name.into(), value.into()));
    let env = stand.worker.env.iter().cloned().chain(env).collect();
    Stand { on: step.on, limits, worker: Worker { env, ..stand.worker }, ..stand }
}

fn one(spec: &ProbeSpec, step: &ProbeStep, stand: Result<&Stand, &String>, bay: &Bay<'_>) -> ProbeDone {
    let request = Request { budget: step.budget, ..Request::new(spec.clone(), step.on) };
    let came = match stand {
        Ok(stand) => processes(&request, step, stand, bay.asking),
        Err(why) => ProbeCame::NotRun { why: why.clone() },
    };
    ProbeDone {
        probe: spec.id(),
        computes: matches!(spec.work, Work::Compute { .. }),
        spec: serde_json::to_string(&request).unwrap_or_default(),
        on: step.on,
        engine: stand.ok().map(|stand| stand.engine.name()),
        env: step.env.clone(),
        again: again(spec, step, bay),
        came,
    }
}

/// The command that repeats a probe by hand.
fn again(spec: &ProbeSpec, step: &ProbeStep, bay: &Bay<'_>) -> String {
    let on = match bay.host {
        Host::Real => format!(" --on {}", step.on.name()),
        Host::Simulated { .. } | Host::Recorded { .. } => String::new(),
    };
    format!("validate probe {} --seed {} {}{on}", spec.id(), spec.seed, bay.stands.options(bay.host, bay.worker))
}

fn processes(request: &Request, step: &ProbeStep, stand: &Stand, asking: &Asking) -> ProbeCame {
    let mut done = Vec::new();
    for _ in 0..step.processes {
        match stand.run(request, &asking.cancel) {
            Ok(run) => {
                let process = process(run, step.on, &stand.log);
                let stop = process.stop.is_some() || asking.cancel.is_cancelled();
                done.push(process);
                if stop {
                    break;
                }
            }
            Err(problem) => return ProbeCame::NotRun { why: problem.to_string() },
        }
    }
    ProbeCame::Ran(done)
}

/// A problem with the log of a simulated machine without the scratch folder that it lies in, which is another each time.
fn by_name(problem: &str, log: &LogSource) -> String {
    match log {
        LogSource::File(path) => match path.parent() {
            Some(folder) => problem.replace(&folder.display().to_string(), "HOST"),
            None => problem.to_owned(),
        },
        LogSource::Here => problem.to_owned(),
    }
}

/// What came of one process, as data.
fn process(run: ProbeRun, asked: Kind, log: &LogSource) -> ProbeProcess {
    let stopped = run.stopped();
    let ProbeRun { done, judged, status: _, unwatched, stop, marked: _, before } = run;
    let said = &done.said;
    let answers = || said.answers.iter();
    let raised = answers().find_map(|answer| match &answer.outcome {
        Outcome::Raised { kind, text } => Some(match kind {
            Raised::OutOfMemory => ProbeRaised::OutOfMemory(text.clone()),
            Raised::Unsupported => ProbeRaised::Unsupported(text.clone()),
            Raised::Other => ProbeRaised::Other(text.clone()),
        }),
        Outcome::Numbers(_) | Outcome::Same { .. } | Outcome::Memory(_) => None,
    });
    let times = answers().flat_map(|answer| &answer.evidence).filter_map(|evidence| match evidence {
        Evidence::EventTime(nanoseconds) => Some(*nanoseconds),
        Evidence::Tensor(_) | Evidence::DeviceMemory(_) => None,
    });
    let times: Vec<u64> = times.collect();
    let hello = said.hello.as_ref();
    let device = hello.and_then(|hello| hello.device.as_ref());
    // Where it ran is asked as of a GPU, also of what was to run on the CPU: what it was to do is not what it did.
    let place = ran(Kind::Gpu, said, &done.outside).map(|ran| match ran {
        Ran::AsAsked => ProbePlace::Gpu,
        Ran::Unproven => ProbePlace::UnprovenGpu,
        Ran::Contradicted => ProbePlace::ClaimedGpu,
        Ran::OnCpu(Fallback::NoBackend) => ProbePlace::Cpu(WhyCpu::NoBackend),
        Ran::OnCpu(Fallback::NoDevice) => ProbePlace::Cpu(WhyCpu::NoDevice),
        Ran::OnCpu(Fallback::Elsewhere) => ProbePlace::Cpu(WhyCpu::Elsewhere),
    });
    let classified = &done.classified;
    let unread = unwatched.map(|problem| by_name(&problem, log)).or_else(|| classified.kernel_unread.clone());
    ProbeProcess {
        end: match &done.outcome {
            ProbeOutcome::Reported => ProbeEnd::Reported,
            ProbeOutcome::Died(ended) => ProbeEnd::Died(ended.clone()),
            ProbeOutcome::ProtocolBroken(problem) => ProbeEnd::BrokeProtocol(problem.to_string()),
        },
        // What befell the machine meanwhile counts as what the kernel logs.
        class: classified.class.or_else(|| stop.map(Stop::class)),
        signature: if classified.id.is_empty() {
            stop.map(|stop| stop.to_string())
        } else {
            Some(classified.id.clone())
        }
        .unwrap_or_default(),
        collateral: classified.collateral,
        stop: stopped,
        before: before.map(|before| Box::new(process(*before, asked, log))),
        kernel_unread: unread.filter(|_| asked == Kind::Gpu),
        raised,
        place,
        counted: done.outside.value().map(|outside| outside.most.clone()),
        numbers: judged.iter().filter_map(of_numbers).collect(),
        memory: judged.iter().filter_map(of_memory).collect(),
        libraries: hello.map(libraries).unwrap_or_default(),
        mapped: hello.map(mapped).unwrap_or_default(),
        environment: done.environment.clone(),
        device: device.map(|device| match &device.bdf {
            Some(bdf) => format!("{} at {bdf}", device.name),
            None => device.name.clone(),
        }),
        took: done.took,
        device_time: (!times.is_empty())
            .then(|| Duration::from_nanos(times.iter().fold(0, |sum, each| u64::saturating_add(sum, *each)))),
        stderr: last(&done.stderr).to_vec(),
        kernel: done.kernel.value().map(|window| String::from_utf8_lossy(last(window.text.as_bytes())).into_owned()),
    }
}

/// The end of what was printed.
fn last(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(KEPT)..]
}

fn of_numbers(judged: &Judgement) -> Option<ProbeNumbers> {
    match judged {
        Judgement::Memory(_) => None,
        Judgement::Numbers(Numbers::Right(errors)) => Some(ProbeNumbers::Right(errors.to_string())),
        Judgement::Numbers(numbers @ Numbers::Wrong { problems, .. }) => Some(ProbeNumbers::Wrong {
            how: problems.iter().map(first).min().unwrap_or(WrongNumbers::Off),
            text: numbers.to_string(),
        }),
    }
}

fn of_memory(judged: &Judgement) -> Option<ProbeMemory> {
    let Judgement::Memory(found) = judged else { return None };
    let (report, problems) = match found {
        MemoryUse::Right { report } => (report, &[][..]),
        MemoryUse::Wrong { report, problems } => (report, problems.as_slice()),
    };
    let mut wrong: Vec<WrongMemory> = problems.iter().map(wrong_memory).collect();
    wrong.sort_unstable();
    Some(ProbeMemory { report: report.clone(), wrong, text: found.to_string() })
}

const fn wrong_memory(problem: &memory::Problem) -> WrongMemory {
    match problem {
        memory::Problem::PatternBroken { .. } => WrongMemory::PatternBroken,
        memory::Problem::NeighbourChanged { .. } => WrongMemory::NeighbourChanged,
        memory::Problem::NeighbourUnchecked => WrongMemory::NeighbourUnchecked,
        memory::Problem::FellShort { .. } => WrongMemory::FellShort,
        memory::Problem::RefusedEarly { .. } => WrongMemory::RefusedEarly,
        memory::Problem::NotRefused { .. } => WrongMemory::NotRefused,
        memory::Problem::PastLimit { .. } => WrongMemory::PastLimit,
        memory::Problem::OtherTotal { .. } => WrongMemory::OtherTotal,
        memory::Problem::CheckedLess { .. } => WrongMemory::CheckedLess,
        memory::Problem::Impossible { .. } => WrongMemory::Impossible,
    }
}

fn first(problem: &Problem) -> WrongNumbers {
    match problem {
        Problem::NotWritten { .. } => WrongNumbers::NotWritten,
        Problem::NonFinite { .. } => WrongNumbers::NotFinite,
        Problem::AllZero => WrongNumbers::AllZero,
        Problem::Shape { .. }
        | Problem::Incomplete { .. }
        | Problem::Rms
        | Problem::Element { .. }
        | Problem::Block { .. }
        | Problem::LossNotFalling { .. } => WrongNumbers::Off,
    }
}
