//! `validate shrink`: the smallest probe that still fails in the same way, and what reproduces it elsewhere.

mod place;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use crate::domain::Status;
use crate::journal::{Next, digest};
use crate::matrix::record::CellDevice;
use crate::probe::ProbeSpec;
use crate::probe::protocol::{Kind, Request};
use crate::probe::stand::{Engine, Stand};
use crate::probe::supervise::Limits;
use crate::process::Cancel;
use crate::shrink::{Came, Candidate, Reproducer, Sameness, Shrunk, Times, Trial, reproducer, shrink};
use crate::witness::kernel::read_kernel;
use crate::witness::tuning::read_parameters;

use super::exit::{Exit, Failure, Outcome};
use super::interrupt::Interrupt;
use super::session::{Earlier, Session};
use super::workers::WorkerArgs;
use super::{Parsed, console, dropped, matrix, results, resume, stand};

/// Format name and major version of the journal.
const SCHEMA: &str = "rocvet.shrink/1";

/// Options of `validate shrink`.
#[derive(Debug, Args)]
pub struct ShrinkArgs {
    /// A computation in full (conv2d/f16/8x64x224x224/64x3x3/s1p1d1g1/forward), or a cell of the matrix that --from names
    #[arg(value_name = "CASE", required = true)]
    case: Option<String>,
    /// Matrix that the cell is of, by its folder or its id: its variables are taken over, and its kernel parameters told
    #[arg(long, value_name = "RUN")]
    from: Option<String>,
    /// Variable of the worker; may be given several times
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = super::values::variable)]
    variables: Vec<(String, String)>,
    /// Simulated machine whose GPU is used: a folder that `validate shim` made
    #[arg(long, value_name = "DIR", conflicts_with = "named")]
    host: Option<PathBuf>,
    #[command(flatten)]
    workers: WorkerArgs,
    /// Where the worker computes
    #[arg(long, value_name = "gpu|cpu", value_parser = super::values::kind, default_value = "gpu")]
    on: Kind,
    /// Processes for each candidate: one that fails in any of them fails. For failures that come now and then. So many
    /// are run of the case at the start, and again of the smallest at the end
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    processes: u32,
    /// Most processes in all; with --resume so many more
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    budget: u32,
    /// Longest time to the first result of a process: 20s, 10m. A failure that is a hang takes so long each time
    #[arg(long, value_name = "TIME", value_parser = super::values::time, default_value = "60s")]
    timeout: Duration,
    /// Write the PyTorch script to this file
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Folder for results [default: ./results in a checkout, else the state folder of this user]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Go on with a search that was cut off, by its folder or id: what was tried is known, and a candidate that took the
    /// machine down is not run again
    #[arg(long, value_name = "RUN", exclusive = true)]
    resume: Option<String>,
}

/// # Errors
/// The case is none, the engine is not there, or the case does not fail.
pub fn run(args: &ShrinkArgs) -> Outcome {
    let Some(run) = &args.resume else { return args.perform(None) };
    let earlier = Earlier::take_up(SCHEMA, run)?;
    match super::parsed(&earlier.command)? {
        Parsed::Shrink(args) => args.perform(Some(earlier)),
        Parsed::Run(_) | Parsed::Matrix(_) | Parsed::Probe(_) | Parsed::Other => {
            Err(resume::other_command(&earlier.command, "shrink"))
        }
    }
}

/// What a search begins with.
struct Start {
    candidate: Candidate,
    /// The GPU of the cell, where it is one.
    device: Option<CellDevice>,
}

struct Shrinking<'a> {
    args: &'a ShrinkArgs,
    stand: Stand,
    session: Session<Came>,
    cancel: Cancel,
    /// The GPU of the cell, until the one here is known.
    device: Option<CellDevice>,
    /// Processes that were started.
    used: u32,
    /// Why nothing further can be run.
    stopped: Option<String>,
}

/// What a process is run for.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Start,
    Search,
    Again,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Search => "search",
            Self::Again => "again",
        }
    }
}

impl Shrinking<'_> {
    /// One process, or what is known of it already.
    fn once(&mut self, phase: Phase, n: u32, candidate: &Candidate) -> Result<Came, Failure> {
        let process = format!("{}-{n}/{}{}", phase.name(), candidate.probe.id(), assignments(&candidate.env));
        match self.session.next(&process) {
            Next::Keep(came) => return Ok(came.clone()),
            Next::MachineWentDown { boot_id } => {
                console::note(&format!("the machine went down with {process} (boot {boot_id})"));
                let came = Came { status: Status::MachineHang, class: None };
                self.session.ended(&process, came.clone())?;
                return Ok(came);
            }
            Next::Run => {}
        }
        self.session.starts(&process)?;
        let env = candidate.env.iter().map(|(name, value)| (name.into(), value.into()));
        let mut stand = self.stand.clone();
        stand.worker.env.extend(env);
        let run = stand.run(&Request::new(candidate.probe.clone(), stand.on), &self.cancel);
        let run = run.map_err(Failure::unavailable)?;
        self.used += 1;
        let here = run.done.said.hello.as_ref().and_then(|hello| hello.device.as_ref());
        if let (Some(cell), Some(here)) = (&self.device, here) {
            place::other_gpu(cell, here).iter().for_each(|told| console::note(told));
            self.device = None;
        }
        self.stopped = run.stopped().or(self.stopped.take());
        let came = Came { status: run.status, class: run.done.classified.class };
        // What was stopped by us has not ended: it is run again.
        if came.status != Status::Aborted {
            self.session.ended(&process, came.clone())?;
        }
        Ok(came)
    }

    fn over(&self) -> bool {
        self.stopped.is_some() || self.cancel.is_cancelled()
    }

    /// How the case fails, if it does, and how often.
    fn first(&mut self, start: &Candidate) -> Result<Option<(Sameness, Times)>, Failure> {
        let mut all = Vec::new();
        for n in 1..=self.args.processes {
            if self.over() {
                break;
            }
            all.push(self.once(Phase::Start, n, start)?);
        }
        let Some(failure) = all.iter().find_map(Came::failure) else {
            return all.iter().try_for_each(|came| judged(&came.status)).map(|()| None);
        };
        let mut times = Times::default();
        all.iter().for_each(|came| times.count(came, &failure));
        Ok(Some((failure, times)))
    }

    fn attempt(&mut self, candidate: &Candidate, failure: &Sameness, left: u32) -> Result<Trial, Failure> {
        let before = self.used;
        for n in 1..=self.args.processes {
            if self.over() {
                return Ok(Trial::Stop);
            }
            if self.used - before >= left {
                break;
            }
            let came = self.once(Phase::Search, n, candidate)?;
            if came.status == Status::Aborted {
                return Ok(Trial::Stop);
            }
            let same = came.failure().as_ref() == Some(failure);
            let word = if same { "fails" } else { came.status.word().name() };
            console::note(&format!("{word:<14}  {}{}", candidate.probe.id(), assignments(&candidate.env)));
            if same {
                return Ok(Trial::Fails { processes: self.used - before });
            }
        }
        Ok(Trial::Holds { processes: self.used - before })
    }

    /// How often the smallest fails once more; `None` where nothing can be run.
    fn again(&mut self, smallest: &Candidate, failure: &Sameness) -> Result<Option<Times>, Failure> {
        let mut times = Times::default();
        for n in 1..=self.args.processes {
            if self.over() {
                break;
            }
            let came = self.once(Phase::Again, n, smallest)?;
            if came.status != Status::Aborted {
                times.count(&came, failure);
            }
        }
        Ok((times.tried > 0).then_some(times))
    }
}

/// # Errors
/// It came to no verdict.
fn judged(status: &Status) -> Result<(), Failure> {
    if let Status::NotEvaluated { reason } = status {
        return Err(Failure::unavailable(anyhow!("it was not evaluated: {reason}")));
    }
    if let Status::Error { problem } = status {
        return Err(Failure::unavailable(anyhow!("the worker broke: {problem}")));
    }
    Ok(())
}

fn assignments(env: &BTreeMap<String, String>) -> String {
    env.iter().map(|(name, value)| format!("  {name}={value}")).collect()
}

impl ShrinkArgs {
    fn perform(&self, earlier: Option<Earlier<Came>>) -> Outcome {
        let start = self.start()?;
        let stand = self.stand()?;
        dropped::note(&start.candidate.env.keys().cloned().collect(), dropped::How::Option);
        note_kernel(&start.candidate.kernel, &stand);
        let plan = self.digest(&start.candidate, &stand);
        let cancel = Cancel::new();
        let interrupt = Interrupt::listen(cancel.clone())?;
        let session = Session::begin(SCHEMA, earlier, self.results.as_deref(), plan, &stand.root)?;
        let device = start.device;
        let mut shrinking = Shrinking { args: self, stand, session, cancel, device, used: 0, stopped: None };
        let outcome = self.search(&start.candidate, &mut shrinking, &interrupt)?;
        let exit = match outcome {
            Exit::Run(code) => code,
            Exit::Done => 0,
            Exit::NothingMatched => 4,
            Exit::Unsafe => 112,
            Exit::Usage | Exit::Unavailable | Exit::Internal | Exit::Interrupted(_) => {
                console::note(&resume::how("shrink", shrinking.session.path()));
                return Ok(outcome);
            }
        };
        shrinking.session.finish(exit)?;
        match exit {
            0 | 3 | 4 => console::note(&format!("results  {}", shrinking.session.path().display())),
            _ => console::note(&resume::how("shrink", shrinking.session.path())),
        }
        Ok(outcome)
    }

    fn search(&self, start: &Candidate, shrinking: &mut Shrinking<'_>, interrupt: &Interrupt) -> Outcome {
        let first = shrinking.first(start)?;
        if let Some(signal) = interrupt.signal() {
            return Ok(Exit::Interrupted(signal));
        }
        if let (None, Some(why)) = (&first, &shrinking.stopped) {
            console::note(&format!("stopped before it failed: {why}"));
            return Ok(Exit::Unsafe);
        }
        let Some((failure, at_start)) = first else {
            let more = self.processes.saturating_mul(5).min(1000);
            console::note(&format!(
                "{} does not fail in {} processes: nothing to shrink. If it fails now and then, run each more often: \
                 --processes {more}",
                start.probe.id(),
                self.processes
            ));
            return Ok(Exit::NothingMatched);
        };
        console::note(&format!("it fails: {failure}, in {at_start} processes"));
        // What the smallest is run again for is kept back.
        let budget = self.budget.saturating_sub(shrinking.used).saturating_sub(self.processes);
        let mut trouble = None;
        let shrunk = shrink(start.clone(), budget, &mut |candidate, left| {
            shrinking.attempt(candidate, &failure, left).unwrap_or_else(|failed| {
                trouble = Some(failed);
                Trial::Stop
            })
        });
        if let Some(failed) = trouble {
            return Err(failed);
        }
        let again = shrinking.again(&shrunk.smallest, &failure)?;
        if let Some(signal) = interrupt.signal() {
            return Ok(Exit::Interrupted(signal));
        }
        let made = reproducer(&shrunk.smallest);
        let found = Found { start, shrunk: &shrunk, failure, at_start, again, used: shrinking.used };
        super::print(found.told(&made).as_bytes())?;
        if let (Some(path), Ok(script)) = (&self.script, &made.pytorch) {
            results::write(path, script.as_bytes())?;
        }
        if let Some(why) = &shrinking.stopped {
            console::note(&format!("stopped: {why}"));
            return Ok(Exit::Unsafe);
        }
        let came_again = again.is_none_or(|times| times.failed > 0);
        Ok(match (shrunk.complete, came_again) {
            (false, _) => Exit::Run(5),
            (true, false) => Exit::Run(3),
            (true, true) => Exit::Done,
        })
    }

    fn start(&self) -> Result<Start, Failure> {
        let Some(case) = &self.case else { return Err(Failure::usage(anyhow!("say which case"))) };
        let parse = |text: &str| {
            text.parse::<ProbeSpec>().map_err(|problem: crate::probe::SpecError| Failure::usage(anyhow!(problem)))
        };
        let (mut candidate, device) = match &self.from {
            None => (Candidate { probe: parse(case)?, env: BTreeMap::new(), kernel: BTreeMap::new() }, None),
            Some(run) => {
                let record = matrix::record(run)?;
                let cell = record.cells.iter().find(|cell| cell.id == *case);
                let cell = cell.ok_or_else(|| {
                    let near = crate::scenario::nearest(case, record.cells.iter().map(|cell| cell.id.as_str()));
                    let near = near.map(|id| format!(" (nearest: {id})")).unwrap_or_default();
                    Failure::usage(anyhow!("{run} has no such cell{near}"))
                })?;
                let (env, kernel) = (cell.env.clone(), cell.kernel.clone());
                (Candidate { probe: parse(&cell.probe)?, env, kernel }, Some(cell.device.clone()))
            }
        };
        candidate.env.extend(self.variables.iter().cloned());
        Ok(Start { candidate, device })
    }

    fn stand(&self) -> Result<Stand, Failure> {
        let stand = match &self.host {
            Some(host) => stand::in_folder(host)?,
            None => stand::here(&self.workers, self.workers.only().unwrap_or(Engine::Torch), self.on)?,
        };
        Ok(Stand { limits: Limits { first: self.timeout, ..stand.limits }, ..stand })
    }

    /// Digest of all that decides over the search: it goes on only as it was begun.
    fn digest(&self, start: &Candidate, stand: &Stand) -> String {
        let place = [stand.engine.name(), stand.on.name()].map(str::to_owned);
        let program = stand.worker.program.display().to_string();
        let case = format!("{:?} {:?} {:?}", start.probe, start.env, start.kernel);
        digest(place.into_iter().chain([program, format!("{:?}", stand.limits), self.processes.to_string(), case]))
    }
}

/// Says which parameters the cell had that this machine has not.
fn note_kernel(kernel: &BTreeMap<String, String>, stand: &Stand) {
    let cmdline = read_kernel(&stand.root.join("proc")).cmdline.value().cloned().unwrap_or_default();
    let parameters = read_parameters(&stand.root.join("sys")).value().cloned().unwrap_or_default();
    let in_force = parameters.into_iter().filter_map(|(name, value)| Some((name, value.value()?.clone()))).collect();
    let missing = place::missing(kernel, &cmdline, &in_force);
    if !missing.is_empty() {
        console::note(&format!(
            "the cell ran with {} on the kernel's command line, which is not in force here: this may be another failure, or \
             none. `validate explain {}` has the bootloader's lines",
            missing.join(" "),
            missing[0].split('=').next().unwrap_or_default()
        ));
    }
}

/// What was found.
struct Found<'a> {
    start: &'a Candidate,
    shrunk: &'a Shrunk,
    failure: Sameness,
    at_start: Times,
    again: Option<Times>,
    used: u32,
}

impl Found<'_> {
    /// It, and what to put into a report.
    fn told(&self, made: &Reproducer) -> String {
        let Self { start, shrunk: Shrunk { smallest, complete, .. }, failure, at_start, again, used } = self;
        let mut text = String::new();
        let end = if *complete { "nothing gets smaller" } else { "not finished: --resume goes further" };
        let again = match again {
            Some(times) if times.failed == 0 => {
                format!("the smallest failed so in {times} processes after the search: now and then, or no more")
            }
            Some(times) => format!("the smallest fails so in {times} processes after the search"),
            None => "the smallest was not run again".to_owned(),
        };
        let _ = writeln!(text, "from      {}{}", start.probe.id(), assignments(&start.env));
        let _ = writeln!(text, "smallest  {}{}", smallest.probe.id(), assignments(&smallest.env));
        let _ = writeln!(text, "fails by  {failure}");
        let _ = writeln!(text, "at start  it failed so in {at_start} processes");
        let _ = writeln!(text, "again     {again}");
        let _ = writeln!(text, "probes    {used}, {end}");
        if !made.kernel.is_empty() {
            let _ = write!(text, "\n# kernel\n{}", made.kernel);
        }
        if !made.environment.is_empty() {
            let _ = write!(text, "\n# environment\n{}", made.environment);
        }
        if let Some(line) = &made.miopen_driver {
            let _ = write!(text, "\n# MIOpen's own driver\n{line}\n");
        }
        match &made.pytorch {
            Ok(script) => {
                let _ = write!(text, "\n# PyTorch; `--script FILE` writes it to a file\n{script}");
            }
            Err(why) => {
                let _ = write!(text, "\n# PyTorch: {why}\n");
            }
        }
        text
    }
}
