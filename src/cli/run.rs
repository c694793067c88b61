//! `validate run`: the main job.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::domain::Provenance;
use crate::host::{Asking, Host};
use crate::plan::Plan;
use crate::process::Cancel;
use crate::report::{self, Style, Target};
use crate::run::{
    Bed, CaseRecord, Clock, Coverage, Event, HostRecord, Lab, Options, Progress, RunFolder, RunInfo, RunRecord, SCHEMA,
    execute, exit_of,
};
use crate::scenario::{self, Case};

use super::console::{self, Bar};
use super::exit::{Exit, Failure, Outcome};
use super::results;
use super::selection::SelectionArgs;
use super::target;

/// Run scenarios and give a verdict.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    execution: ExecutionArgs,
}

/// How to run, and where the results go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Execution")]
struct ExecutionArgs {
    /// Run on this host folder, simulated or recorded, instead of on each scenario's own machine
    #[arg(long, value_name = "DIR", conflicts_with = "hardware")]
    host: Option<PathBuf>,
    /// Run on this machine
    #[arg(long)]
    hardware: bool,
    /// Cases side by side [default: one for each processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Run a case again, up to N times, when it does not come out as expected; one that then does is flaky
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Stop a call of amd-smi after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    deadline: u64,
    /// Report: human, json or junit; `=PATH` writes it to a file. May be given several times
    #[arg(long = "format", value_name = "KIND[=PATH]", default_value = "human")]
    formats: Vec<Target>,
    /// Folder for results [default: ./results in a checkout, else the state folder of this user]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
}

/// Runs.
///
/// # Errors
/// Wrong input, a missing backend, results that cannot be written. What a case finds is no error but a verdict.
pub fn run(args: &RunArgs) -> Outcome {
    let ExecutionArgs { host, hardware, jobs, retries, deadline, formats, results } = &args.execution;
    let cancel = Cancel::new();
    let asking = Asking { deadline: Duration::from_secs(*deadline), cancel: cancel.clone() };
    let host = target::open(host.as_deref(), *hardware)?;
    let plan = plan(&args.selection, host.as_ref(), &asking)?;
    if plan.cases.is_empty() {
        console::note("nothing matched; `validate list` shows what there is");
        return Ok(Exit::NothingMatched);
    }
    let clock = Clock::start();
    let jobs = jobs.map_or_else(default_jobs, usize::from);
    let results = results::folder(results.as_deref());
    let mut folder = RunFolder::create(&results, &clock.run_id()).map_err(Failure::unavailable)?;
    let scratch = results::scratch()?;
    let bed = Bed { lab: lab(host.as_ref(), scratch.path())?, asking, folder: folder.path().to_owned() };

    let ids = plan.cases.iter().map(|case| case.id.clone()).collect();
    folder.append(&Event::started(clock.run_id(), ids)).map_err(Failure::unavailable)?;
    let stop = Stop::listen(cancel)?;
    let options = Options { jobs, repeat: args.selection.repeat.get(), retries: *retries };
    let mut journal = Journal { folder: &mut folder, bar: Bar::new(plan.cases.len()), failed: None };
    let cases = execute(&plan.cases, options, &stop.flag, &|case| bed.run(case), &mut journal);
    let failed = journal.failed.take();
    drop(journal);
    if let Some(error) = failed {
        return Err(Failure::unavailable(error));
    }

    let coverage = Coverage::of(&cases);
    let exit = exit_of(&cases, &coverage, stop.signal());
    let record = RunRecord {
        schema: SCHEMA.to_owned(),
        run: RunInfo {
            id: clock.run_id(),
            started: clock.started(),
            finished: Clock::now(),
            rocvet: env!("CARGO_PKG_VERSION").to_owned(),
            command: std::env::args().collect(),
            jobs,
            shuffle: args.selection.shuffle,
        },
        host: HostRecord { description: target::description(host.as_ref()) },
        provenance: host.as_ref().map_or(Provenance::Simulated, Host::provenance),
        cases,
        coverage,
        exit,
    };
    folder.finish(&record).map_err(Failure::unavailable)?;
    folder.append(&Event::RunFinished { exit: record.exit.code }).map_err(Failure::unavailable)?;
    write_reports(formats, &record)?;
    console::note(&format!("results  {}", folder.path().display()));
    Ok(Exit::Run(record.exit.code))
}

/// Scenarios read, expanded and chosen.
fn plan(selection: &SelectionArgs, host: Option<&Host>, asking: &Asking) -> Result<Plan, Failure> {
    let cases = scenario::load(&selection.paths).map_err(|error| super::scenario_errors(&error))?;
    let chosen = selection.selection().map_err(Failure::usage)?;
    Ok(Plan::build(cases, &chosen, &target::plan_target(host, asking)))
}

fn lab(host: Option<&Host>, scratch: &Path) -> Result<Lab, Failure> {
    match host {
        Some(host) => Ok(Lab::Given(host.clone())),
        None => {
            let program = std::env::current_exe().context("find this executable").map_err(Failure::unavailable)?;
            Ok(Lab::Simulated { scratch: scratch.to_owned(), program })
        }
    }
}

fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

fn write_reports(targets: &[Target], record: &RunRecord) -> Result<(), Failure> {
    for target in targets {
        let style = if target.path.is_some() { Style::Plain } else { console::style() };
        let bytes = report::render(target.kind, record, style).map_err(|error| Failure::from(anyhow!(error)))?;
        match &target.path {
            Some(path) => results::write(path, &bytes)?,
            None => console::print(&bytes).context("write to standard output").map_err(Failure::unavailable)?,
        }
    }
    Ok(())
}

/// Every event goes to the journal as it happens; the first failure to write is kept and told at the end.
struct Journal<'a> {
    folder: &'a mut RunFolder,
    bar: Bar,
    failed: Option<crate::run::JournalError>,
}

impl Journal<'_> {
    fn append(&mut self, event: &Event) {
        if let Err(error) = self.folder.append(event) {
            self.failed.get_or_insert(error);
        }
    }
}

impl Progress for Journal<'_> {
    fn started(&mut self, case: &Case) {
        self.bar.started(case);
        self.append(&Event::CaseStarted { id: case.id.clone() });
    }

    fn finished(&mut self, record: &CaseRecord) {
        self.bar.finished(record);
        self.append(&Event::CaseFinished { case: Box::new(record.clone()) });
    }
}

/// Turns the first SIGINT or SIGTERM into a stop of the run: cases in flight are cancelled, no further one is taken up.
struct Stop {
    flag: Arc<AtomicBool>,
    signal: Arc<AtomicI32>,
    handle: signal_hook::iterator::Handle,
}

impl Stop {
    fn listen(cancel: Cancel) -> Result<Self, Failure> {
        let mut signals =
            Signals::new([SIGINT, SIGTERM]).context("listen for signals").map_err(Failure::unavailable)?;
        let (flag, signal) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI32::new(0)));
        let stop = Self { flag: Arc::clone(&flag), signal: Arc::clone(&signal), handle: signals.handle() };
        std::thread::spawn(move || {
            for number in &mut signals {
                signal.store(number, Ordering::SeqCst);
                flag.store(true, Ordering::SeqCst);
                cancel.cancel();
            }
        });
        Ok(stop)
    }

    fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.handle.close();
    }
}
