//! `validate matrix run` and `campaign`: their options, and a matrix from its plan to its record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::interrupt::Interrupt;
use crate::cli::run::command;
use crate::cli::values::time;
use crate::cli::{Parsed, results, resume};
use crate::domain::StatusWord;
use crate::journal::{Progress, digest};
use crate::matrix::campaign::Campaign;
use crate::matrix::ending::Ending;
use crate::matrix::record::{CellRecord, MatrixRecord, SCHEMA};
use crate::probe::supervise::Limits;
use crate::process::Cancel;
use crate::run::{Began, Clock, EarlierMatrix, MatrixFolder, Stopwatch};
use crate::witness::kernel::{read_boot_id, read_kernel};

use super::here::SettingHere;
use super::next_boot::{next_boot, take_off};
use super::place::{PlaceArgs, Planned, shared};
use super::plan::Plan;
use super::sweep::SweepArgs;
use super::sweeping::{Boot, Sweeping};

/// Longest time to the first result where kernels are compiled first.
const COMPILED: Duration = Duration::from_secs(600);

/// The same where the CPU computes small shapes: what has said nothing until then hangs.
const PLAYED: Duration = Duration::from_secs(15);

/// Options of `validate matrix run`.
#[derive(Debug, Clone, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    sweep: SweepArgs,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    how: HowArgs,
}

/// How often, how long, and where the results go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How")]
struct HowArgs {
    /// Processes for each cell: a crash that comes now and then is seen in k of n
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: Option<u32>,
    /// Begin no further cell after this time: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    budget: Option<Duration>,
    /// Longest time to the first result of a process: 90s, 10m [default: 10m; with --reported 15s, since the machines that
    /// are played there compile nothing]
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,
    /// Say what would run, in which order, for how long and at what risk; run nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on with a matrix that was cut off, by its folder or its id: cells that ended are kept, one that took the machine
    /// down is not run again
    #[arg(long, value_name = "RUN", exclusive = true)]
    resume: Option<String>,
    /// Folder for results [default: ./results in a checkout, else the state folder of this user]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
}

/// What the command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In this boot; what needs another one is not run.
    Run,
    /// Over several.
    Campaign,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Run => "matrix run",
            Self::Campaign => "matrix campaign",
        }
    }
}

/// Runs, or goes on with a matrix that was cut off.
///
/// # Errors
/// Wrong input, a missing worker, results that cannot be written.
pub(super) fn run(args: &RunArgs, form: Form) -> Outcome {
    let Some(run) = &args.how.resume else { return perform(args, form, None) };
    let (folder, earlier) = MatrixFolder::take_up(&resume::folder(run)).map_err(resume::refused)?;
    let other = || resume::other_command(&earlier.command, form.name());
    let args = match crate::cli::parsed(&earlier.command)? {
        Parsed::Matrix(args) => args.of_run().cloned().ok_or_else(other)?,
        Parsed::Run(_) | Parsed::Probe(_) | Parsed::Shrink(_) | Parsed::Other => return Err(other()),
    };
    perform(&args, form, Some((folder, earlier)))
}

fn perform(args: &RunArgs, form: Form, earlier: Option<(MatrixFolder, EarlierMatrix)>) -> Outcome {
    let usual = if args.place.is_reported() { PLAYED } else { COMPILED };
    let limits = Limits { first: args.how.timeout.unwrap_or(usual), ..Limits::default() };
    let began = earlier.as_ref().and_then(|(_, earlier)| earlier.began.cmdline.as_deref());
    let shared = shared(&args.place, &args.sweep, &limits, began)?;
    let repeat = args.how.repeat.unwrap_or(shared.repeat);
    if args.how.dry_run {
        let longest = limits.first + limits.run;
        let cells = shared.planned.into_iter().map(|each| (each.cell, each.expected)).collect();
        let (settings, ground, budget) = (shared.settings, shared.ground, args.how.budget);
        let plan = Plan { cells, settings, ground, repeat, longest, budget };
        return crate::cli::print(plan.text(console::screen()).as_bytes());
    }
    for setting in &shared.settings {
        if let Some(told) = setting.told() {
            console::note(&format!("{told} ({})", setting.because()));
        }
    }
    let plan = digest(shared.planned.iter().map(Planned::id));
    let cmdline = shared.machine.as_ref().and_then(|host| read_kernel(&host.proc_root()).cmdline.value().cloned());
    let (clock, command, mut folder, progress, began, waited) = match earlier {
        Some((folder, earlier)) => {
            resume::same_plan(&earlier.plan, &plan, folder.path(), &earlier.command)?;
            let clock = Clock::of(&earlier.run).ok_or_else(|| resume::no_run_id(&earlier.run))?;
            (clock, earlier.command, folder, earlier.progress, earlier.began, earlier.waited)
        }
        None => {
            let clock = Clock::start();
            let results = results::folder(args.how.results.as_deref());
            let began = Began { cmdline, in_force: shared.in_force.told() };
            let folder = MatrixFolder::begin(&results, &clock.run_id(), command(), plan, began.clone());
            (clock, command(), folder.map_err(Failure::unavailable)?, Progress::new(), began, None)
        }
    };
    let cancel = Cancel::new();
    let interrupt = Interrupt::listen(cancel.clone())?;
    let boot_id = shared.machine.as_ref().and_then(|host| read_boot_id(&host.proc_root()));
    let campaign = Campaign::of(shared.planned.iter().map(|each| &each.cell), &began.in_force);
    let boot = Boot { id: boot_id, in_force: shared.in_force.clone(), campaign };
    let budget = args.how.budget;
    let watch = Stopwatch::start();
    let mut sweeping = Sweeping { budget, repeat, limits, cancel, boot, watch, stopped: None, waiting: None, left: 0 };
    let cells = sweeping.cells(&shared, &mut folder, &progress)?;
    let record = MatrixRecord {
        schema: SCHEMA.to_owned(),
        id: clock.run_id(),
        started: clock.started(),
        finished: Clock::now(),
        rocvet: env!("CARGO_PKG_VERSION").to_owned(),
        command,
        host: shared.host,
        provenance: shared.provenance,
        settings: shared.settings.iter().filter_map(SettingHere::record).collect(),
        cells,
    };
    folder.finish(&record).map_err(Failure::unavailable)?;
    console::note(&sum(&record));
    console::note(&format!("results  {}", folder.path().display()));
    let (ending, boot) = (Ending::of(&record.cells, sweeping.left), &sweeping.boot);
    if sweeping.left > 0 {
        if let Some(waiting) = &sweeping.waiting {
            let lines = next_boot(waiting, &record.id, boot.id.as_deref(), waited.as_ref());
            folder.waits(waiting.to_string(), boot.id.clone()).map_err(Failure::unavailable)?;
            crate::cli::print(lines.as_bytes())?;
        }
        let how = resume::how(form.name(), folder.path());
        console::note(&if sweeping.waiting.is_some() { format!("{how}   (after the reboot)") } else { how });
    } else {
        let left = boot.campaign.left(&boot.in_force);
        if !left.is_empty() {
            crate::cli::print(take_off(&left, &record.id).as_bytes())?;
        }
    }
    if let Some(signal) = interrupt.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    if let Some(why) = sweeping.stopped {
        console::note(&format!("stopped: {why}"));
        return Ok(Exit::Unsafe);
    }
    Ok(Exit::Run(ending.code()))
}

/// What was found, in a line.
fn sum(record: &MatrixRecord) -> String {
    let mut found: BTreeMap<StatusWord, usize> = BTreeMap::new();
    for status in record.cells.iter().filter_map(CellRecord::status) {
        *found.entry(status.word()).or_default() += 1;
    }
    let mut words: Vec<String> = found.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    let not_run = record.cells.iter().filter(|cell| cell.not_run.is_some()).count();
    words.extend((not_run > 0).then(|| format!("{not_run} not run to the end")));
    format!("{} cells: {}; `validate matrix show` has the grid", record.cells.len(), words.join(", "))
}
