//! `validate shrink`: the smallest probe that still fails in the same way, and what reproduces it elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use crate::domain::Status;
use crate::probe::ProbeSpec;
use crate::probe::protocol::{Kind, Request};
use crate::probe::stand::{Engine, ProbeRun, Stand};
use crate::probe::supervise::Limits;
use crate::process::Cancel;
use crate::shrink::{Candidate, Reproducer, Shrunk, Trial, reproducer, shrink};

use super::console;
use super::exit::{Exit, Failure, Outcome};
use super::interrupt::Interrupt;
use super::matrix;
use super::results;
use super::stand;
use super::workers::WorkerArgs;

/// Options of `validate shrink`.
#[derive(Debug, Args)]
pub struct ShrinkArgs {
    /// A computation in full (conv2d/f16/8x64x224x224/64x3x3/s1p1d1g1/forward), or a cell of the matrix that --from names
    #[arg(value_name = "CASE")]
    case: String,
    /// Matrix that the cell is of, by its folder or its id: its variables are taken over
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
    /// Processes for each candidate: one that fails in any of them fails. For failures that come now and then
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    processes: u32,
    /// Most processes in all
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    budget: u32,
    /// Longest time to the first result of a process: 20s, 10m. A failure that is a hang takes so long each time
    #[arg(long, value_name = "TIME", value_parser = super::values::time, default_value = "60s")]
    timeout: Duration,
    /// Write the PyTorch script to this file
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

/// What makes two failures the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sameness {
    status: &'static str,
    /// What it died of; `None` where it lived.
    class: Option<crate::facts::Class>,
}

impl Sameness {
    fn of(run: &ProbeRun) -> Self {
        Self { status: run.status.word().name(), class: run.done.classified.class }
    }
}

/// # Errors
/// The case is none, the engine is not there, or the case does not fail.
pub fn run(args: &ShrinkArgs) -> Outcome {
    let start = args.start()?;
    let stand = args.stand()?;
    let cancel = Cancel::new();
    let interrupt = Interrupt::listen(cancel.clone())?;
    let mut shrinking = Shrinking { args, stand, cancel, stopped: None };
    let Some(failure) = shrinking.first(&start)? else {
        console::note(&format!(
            "{} does not fail in {} processes: nothing to shrink",
            start.probe.id(),
            args.processes
        ));
        return Ok(Exit::NothingMatched);
    };
    let class = failure.class.map(|class| format!(", {class}")).unwrap_or_default();
    console::note(&format!("it fails: {}{class}", failure.status));
    let shrunk =
        shrink(start.clone(), args.budget, &mut |candidate, left| shrinking.attempt(candidate, &failure, left));
    if let Some(signal) = interrupt.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    let made = reproducer(&shrunk.smallest);
    super::print(told(&start, &shrunk, &failure, &made).as_bytes())?;
    if let (Some(path), Ok(script)) = (&args.script, &made.pytorch) {
        results::write(path, script.as_bytes())?;
    }
    if let Some(why) = shrinking.stopped {
        console::note(&format!("stopped: {why}"));
        return Ok(Exit::Unsafe);
    }
    Ok(if shrunk.complete { Exit::Done } else { Exit::Run(5) })
}

struct Shrinking<'a> {
    args: &'a ShrinkArgs,
    stand: Stand,
    cancel: Cancel,
    /// Why nothing further can be run.
    stopped: Option<String>,
}

impl Shrinking<'_> {
    fn once(&mut self, candidate: &Candidate) -> Result<ProbeRun, Failure> {
        let env = candidate.env.iter().map(|(name, value)| (name.into(), value.into()));
        let mut stand = self.stand.clone();
        stand.worker.env.extend(env);
        let run = stand.run(&Request::new(candidate.probe.clone(), stand.on), &self.cancel);
        let run = run.map_err(Failure::unavailable)?;
        self.stopped = run.stopped().or(self.stopped.take());
        Ok(run)
    }

    /// How the case fails, if it does.
    fn first(&mut self, start: &Candidate) -> Result<Option<Sameness>, Failure> {
        for _ in 0..self.args.processes {
            let run = self.once(start)?;
            if let Status::NotEvaluated { reason } = &run.status {
                return Err(Failure::unavailable(anyhow!("it was not evaluated: {reason}")));
            }
            if let Status::Error { problem } = &run.status {
                return Err(Failure::unavailable(anyhow!("the worker broke: {problem}")));
            }
            if is_failure(&run.status) {
                return Ok(Some(Sameness::of(&run)));
            }
            if self.cancel.is_cancelled() {
                break;
            }
        }
        Ok(None)
    }

    fn attempt(&mut self, candidate: &Candidate, failure: &Sameness, left: u32) -> Trial {
        let mut processes = 0;
        while processes < self.args.processes.min(left) {
            if self.stopped.is_some() || self.cancel.is_cancelled() {
                return Trial::Stop;
            }
            let Ok(run) = self.once(candidate) else { return Trial::Stop };
            processes += 1;
            let same = Sameness::of(&run) == *failure;
            let word = if same { "fails" } else { run.status.word().name() };
            console::note(&format!("{word:<14}  {}{}", candidate.probe.id(), assignments(&candidate.env)));
            if same {
                return Trial::Fails { processes };
            }
        }
        Trial::Holds { processes }
    }
}

fn is_failure(status: &Status) -> bool {
    status.meaning() == crate::domain::Meaning::Failed
}

fn assignments(env: &BTreeMap<String, String>) -> String {
    env.iter().map(|(name, value)| format!("  {name}={value}")).collect()
}

impl ShrinkArgs {
    fn start(&self) -> Result<Candidate, Failure> {
        let mut env = BTreeMap::new();
        let probe: ProbeSpec = match &self.from {
            None => self.case.parse().map_err(|problem: crate::probe::SpecError| Failure::usage(anyhow!(problem)))?,
            Some(run) => {
                let record = matrix::record(run)?;
                let cell = record.cells.iter().find(|cell| cell.id == self.case);
                let cell = cell.ok_or_else(|| {
                    let near = crate::scenario::nearest(&self.case, record.cells.iter().map(|cell| cell.id.as_str()));
                    let near = near.map(|id| format!(" (nearest: {id})")).unwrap_or_default();
                    Failure::usage(anyhow!("{run} has no such cell{near}"))
                })?;
                env.clone_from(&cell.env);
                cell.probe.parse().map_err(|problem: crate::probe::SpecError| Failure::usage(anyhow!(problem)))?
            }
        };
        env.extend(self.variables.iter().cloned());
        Ok(Candidate { probe, env })
    }

    fn stand(&self) -> Result<Stand, Failure> {
        let stand = match &self.host {
            Some(host) => stand::in_folder(host)?,
            None => stand::here(&self.workers, self.workers.only().unwrap_or(Engine::Torch), self.on)?,
        };
        Ok(Stand { limits: Limits { first: self.timeout, ..stand.limits }, ..stand })
    }
}

/// What was found, and what to put into a report.
fn told(start: &Candidate, shrunk: &Shrunk, failure: &Sameness, made: &Reproducer) -> String {
    let Shrunk { smallest, processes, complete } = shrunk;
    let mut text = String::new();
    let end = if *complete { "nothing gets smaller" } else { "not finished: a larger --budget goes further" };
    let class = failure.class.map(|class| format!(" ({class}: {})", class.what())).unwrap_or_default();
    let _ = writeln!(text, "from      {}{}", start.probe.id(), assignments(&start.env));
    let _ = writeln!(text, "smallest  {}{}", smallest.probe.id(), assignments(&smallest.env));
    let _ = writeln!(text, "fails by  {}{class}", failure.status);
    let _ = writeln!(text, "probes    {processes}, {end}");
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
