//! `validate matrix run`: every cell, journalled before it begins, in the order of what it may do to the machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::interrupt::Interrupt;
use crate::cli::run::command;
use crate::cli::target;
use crate::cli::values::{quoted, time, variable};
use crate::cli::workers::WorkerArgs;
use crate::cli::{Parsed, results, resume};
use crate::domain::{Ended, Provenance, Reading, Signal};
use crate::host::simulated::{self, KMSG_FILE};
use crate::host::{Host, previous_boot};
use crate::journal::{Next, Progress, digest};
use crate::matrix::campaign::{Campaign, Waiting};
use crate::matrix::cell::Cell;
use crate::matrix::record::{CellRecord, CellRun, MatrixRecord, SCHEMA};
use crate::matrix::reproduction::{How, reproduction};
use crate::matrix::risk::{Expected, expected, ordered};
use crate::probe::classify::{Pids, Remains, classify};
use crate::probe::protocol::Kind;
use crate::probe::stand::{Engine, Stand};
use crate::probe::supervise::Limits;
use crate::process::Cancel;
use crate::run::{CellStand, Clock, EarlierMatrix, MatrixFolder, RanCell, Stopwatch, answers_again, run_cell};

use crate::tuning::bootloader_lines;
use crate::witness::kernel::{read_boot_id, read_kernel};

use super::plan::{Plan, told};
use super::reported::{self, ReportedCell};
use super::sweep::SweepArgs;

/// Lines of the log of a boot that ended with a cell.
const LAST: usize = 8;

/// How often a GPU that was reset is asked whether it answers, and how long each time is waited before.
const SETTLING: (u32, Duration) = (5, Duration::from_secs(5));

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
    /// Longest time to the first result of a process: 90s, 10m
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10m")]
    timeout: Duration,
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

/// Where the cells run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where")]
struct PlaceArgs {
    /// Play the reported cells, each on a simulated machine of its own that does what was reported
    #[arg(long, conflicts_with_all = ["host", "hardware", "named", "probes"])]
    reported: bool,
    /// Of the reported cells only these
    #[arg(long = "report", value_name = "ID", value_delimiter = ',', requires = "reported", value_parser = report)]
    reports: Vec<String>,
    /// Simulated machine whose GPU is used: a folder that `validate shim` made
    #[arg(long, value_name = "DIR", conflicts_with_all = ["hardware", "named"])]
    host: Option<PathBuf>,
    /// The GPU of this machine
    #[arg(long)]
    hardware: bool,
    #[command(flatten)]
    workers: WorkerArgs,
    /// Variable of every cell's worker; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
}

/// The id of a reported cell that can be played.
fn report(text: &str) -> Result<String, String> {
    match reproduction(text).map(|each| &each.how) {
        Some(How::Played(_)) => Ok(text.to_owned()),
        Some(How::NotRepresentable { reason }) => Err(format!("it cannot be played: {reason}")),
        None => Err("no report has this id; `validate matrix show RUN --against reported` lists them".to_owned()),
    }
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

/// One cell with where it runs.
struct Planned {
    cell: Cell,
    expected: Expected,
    place: Place,
}

enum Place {
    /// On a machine of its own.
    Reported(Box<ReportedCell>),
    /// Where all cells of its worker run.
    Given(Box<CellStand>),
}

/// What all cells share.
struct Shared {
    planned: Vec<Planned>,
    repeat: u32,
    host: String,
    provenance: Provenance,
    /// The machine that all cells run on, which a cell may take down; `None` where each has its own.
    machine: Option<Host>,
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
        Parsed::Run(_) | Parsed::Probe(_) | Parsed::Other => return Err(other()),
    };
    perform(&args, form, Some((folder, earlier)))
}

fn perform(args: &RunArgs, form: Form, earlier: Option<(MatrixFolder, EarlierMatrix)>) -> Outcome {
    let limits = Limits { first: args.how.timeout, ..Limits::default() };
    let shared = shared(args, &limits)?;
    if args.how.dry_run {
        let longest = limits.first + limits.run;
        let cells = shared.planned.into_iter().map(|each| (each.cell, each.expected)).collect();
        let plan = Plan { cells, repeat: shared.repeat, longest, budget: args.how.budget };
        return crate::cli::print(plan.table(console::screen()).as_bytes());
    }
    let plan = digest(shared.planned.iter().map(Planned::id));
    let cmdline = shared.machine.as_ref().and_then(|host| read_kernel(&host.proc_root()).cmdline.value().cloned());
    let (clock, command, mut folder, progress, began) = match earlier {
        Some((folder, earlier)) => {
            resume::same_plan(&earlier.plan, &plan, folder.path(), &earlier.command)?;
            let clock = Clock::of(&earlier.run).ok_or_else(|| resume::no_run_id(&earlier.run))?;
            (clock, earlier.command, folder, earlier.progress, earlier.cmdline)
        }
        None => {
            let clock = Clock::start();
            let results = results::folder(args.how.results.as_deref());
            let folder = MatrixFolder::begin(&results, &clock.run_id(), command(), plan, cmdline.clone());
            (clock, command(), folder.map_err(Failure::unavailable)?, Progress::new(), cmdline.clone())
        }
    };
    let cancel = Cancel::new();
    let interrupt = Interrupt::listen(cancel.clone())?;
    let boot_id = shared.machine.as_ref().and_then(|host| read_boot_id(&host.proc_root()));
    let campaign = Campaign::of(shared.planned.iter().map(|each| &each.cell), &began.unwrap_or_default());
    let boot = Boot { id: boot_id, cmdline: cmdline.unwrap_or_default(), campaign };
    let mut sweeping = Sweeping { args, limits, cancel, boot, watch: Stopwatch::start(), stopped: None, waiting: None };
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
        cells,
    };
    folder.finish(&record).map_err(Failure::unavailable)?;
    console::note(&sum(&record));
    console::note(&format!("results  {}", folder.path().display()));
    let incomplete = record.cells.iter().any(|cell| cell.not_run.is_some());
    if incomplete {
        if let Some(waiting) = &sweeping.waiting {
            crate::cli::print(next_boot(waiting).as_bytes())?;
        }
        let how = resume::how(form.name(), folder.path());
        console::note(&if sweeping.waiting.is_some() { format!("{how}   (after the reboot)") } else { how });
    }
    if let Some(signal) = interrupt.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    if let Some(why) = sweeping.stopped {
        console::note(&format!("stopped: {why}"));
        return Ok(Exit::Unsafe);
    }
    Ok(Exit::Run(if incomplete { 5 } else { 0 }))
}

/// What was found, in a line.
fn sum(record: &MatrixRecord) -> String {
    let cells = record.cells.len();
    let passed = record.cells.iter().filter(|cell| !cell.runs.is_empty() && cell.passed() == cell.runs.len()).count();
    let not_run = record.cells.iter().filter(|cell| cell.not_run.is_some()).count();
    let not_run = if not_run > 0 { format!(", {not_run} not run to the end") } else { String::new() };
    format!("{cells} cells: {passed} passed every time{not_run}; `validate matrix show` has the grid")
}

/// The cells and where they run.
fn shared(args: &RunArgs, limits: &Limits) -> Result<Shared, Failure> {
    if args.place.reported {
        let wanted = |id: &str| args.place.reports.is_empty() || args.place.reports.iter().any(|report| report == id);
        let cells = reported::cells().into_iter().filter(|cell| wanted(&cell.cell.class));
        let planned = cells.map(|each| Planned {
            expected: expected(&each.cell, None),
            cell: each.cell.clone(),
            place: Place::Reported(Box::new(each)),
        });
        return Ok(Shared {
            planned: planned.collect(),
            repeat: args.how.repeat.unwrap_or(1),
            host: "each reported cell's simulated machine".to_owned(),
            provenance: Provenance::Simulated,
            machine: None,
        });
    }
    let (host, stands, native_isa, machine) = stands(&args.place)?;
    let provenance = host.provenance();
    let labels = stands.iter().map(|(label, _)| label.clone()).collect();
    let cells = ordered(args.sweep.sweep(labels)?.cells(), native_isa.as_deref());
    let planned = cells.into_iter().filter_map(|(cell, expected)| {
        let (_, stand) = stands.iter().find(|(label, _)| *label == cell.worker)?;
        let mut stand = Stand { limits: Limits { settle: stand.limits.settle, ..*limits }, ..stand.clone() };
        let mut cell = cell;
        // A setting says more than what all cells have.
        for (name, value) in &args.place.env {
            cell.setting.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        stand.worker.env.extend(cell.setting.env.iter().map(|(name, value)| (name.into(), value.into())));
        let again = again(&cell, &args.place);
        let place =
            CellStand { stand, native_isa: native_isa.clone(), machine: machine.clone(), reported: None, again };
        Some(Planned { cell, expected, place: Place::Given(Box::new(place)) })
    });
    Ok(Shared {
        planned: planned.collect(),
        repeat: args.how.repeat.unwrap_or(5),
        host: target::description(Some(&host)),
        provenance,
        machine: Some(host),
    })
}

type Stands = Vec<(String, Stand)>;

/// The host, its workers by label, the ISA of its GPU, and the name of its simulated machine.
fn stands(place: &PlaceArgs) -> Result<(Host, Stands, Option<String>, Option<String>), Failure> {
    let Some(host) = target::open(place.host.as_deref(), place.hardware)? else {
        let problem = "say where: --reported (simulated machines that do what was reported), --host DIR (a simulated \
                       machine of `validate shim`), or --hardware with --worker torch=PATH or python=PATH";
        return Err(Failure::usage(anyhow!(problem)));
    };
    match &host {
        Host::Simulated { dir, .. } => {
            let dir = std::path::absolute(dir).context("find the host").map_err(Failure::unavailable)?;
            let program = std::env::current_exe().context("find this executable").map_err(Failure::unavailable)?;
            let kernel = simulated::load(&dir).map_err(Failure::unavailable)?;
            let machine = kernel.machine();
            let stand = Stand::simulated(&program, &dir, dir.join(KMSG_FILE));
            let label = Engine::Simulated.name().to_owned();
            let isa = reported::native_isa(machine);
            Ok((host, vec![(label, stand)], isa, Some(machine.part.to_lowercase().replace(' ', ""))))
        }
        Host::Real => {
            let named: Vec<Engine> = place.workers.engines().collect();
            let engines = if named.is_empty() { vec![Engine::Torch] } else { named };
            let stand = |engine: Engine| Ok((engine.name().to_owned(), place.workers.stand(engine, Kind::Gpu)?));
            let stands = engines.into_iter().map(stand).collect::<Result<Stands, Failure>>()?;
            let isa = real_isa(&host);
            Ok((host, stands, isa, None))
        }
        Host::Recorded { .. } => Err(Failure::usage(anyhow!("a recording has no GPU that could compute"))),
    }
}

/// The ISA of this machine's first GPU, as KFD says.
fn real_isa(host: &Host) -> Option<String> {
    let nodes = crate::witness::kfd::read_kfd(&host.sysfs_root())?;
    let version = nodes.first()?.gfx_target_version.value().copied()?;
    let (major, minor, step) = (version / 10_000, version / 100 % 100, version % 100);
    Some(format!("gfx{major}{minor:x}{step:x}"))
}

fn again(cell: &Cell, place: &PlaceArgs) -> String {
    let env: String = cell.setting.env.iter().map(|(name, value)| format!(" --env {name}={value}")).collect();
    let place = match &place.host {
        Some(host) => format!("--engine simulated --host {}", quoted(&host.to_string_lossy())),
        None => format!("--engine {}{}", cell.worker, place.workers.words()),
    };
    format!("validate probe {} {place}{env}", cell.probe.id())
}

/// A sweep on its way.
struct Sweeping<'a> {
    args: &'a RunArgs,
    limits: Limits,
    cancel: Cancel,
    boot: Boot,
    watch: Stopwatch,
    /// Why nothing further is run on this machine.
    stopped: Option<String>,
    /// What the next boot is for.
    waiting: Option<Waiting>,
}

/// The boot that this is.
struct Boot {
    id: Option<String>,
    cmdline: String,
    campaign: Campaign,
}

/// What to do before the cells that wait for it can run.
fn next_boot(waiting: &Waiting) -> String {
    let mut text = format!("\nThe next cells need {waiting}. Nothing was changed; put this into the bootloader:\n\n");
    text += &bootloader_lines(&waiting.set);
    if !waiting.unset.is_empty() {
        text += &format!("take off what the boot before needed (`undo` above it): {}\n", waiting.unset.join(" "));
    }
    text + "\n"
}

impl Sweeping<'_> {
    /// Every cell: kept from earlier, run, or with why it was not.
    fn cells(
        &mut self,
        shared: &Shared,
        folder: &mut MatrixFolder,
        earlier: &Progress<CellRecord>,
    ) -> Result<Vec<CellRecord>, Failure> {
        let boot_id = self.boot.id.clone();
        let boot_id = boot_id.as_deref();
        let scratch = results::scratch()?;
        let count = shared.planned.len();
        let mut records = Vec::new();
        for (at, planned) in shared.planned.iter().enumerate() {
            let id = planned.id();
            let record = match earlier.next(&id, boot_id) {
                Next::Keep(record) => record.clone(),
                Next::MachineWentDown { boot_id } => {
                    let log = shared.machine.as_ref().map(|host| previous_boot(host, boot_id));
                    let record = self.went_down(planned, scratch.path(), log)?;
                    folder.ended(&record).map_err(Failure::unavailable)?;
                    record
                }
                Next::Run => match self.why_not(&planned.cell) {
                    Some(why) => CellRecord { not_run: Some(why), ..self.empty(planned, scratch.path())? },
                    None => {
                        folder.began(&id, boot_id).map_err(Failure::unavailable)?;
                        let record = self.one(planned, shared.repeat, scratch.path())?;
                        if record.not_run.as_deref() == Some("interrupted") {
                            folder.withdrawn(&id).map_err(Failure::unavailable)?;
                        } else {
                            folder.ended(&record).map_err(Failure::unavailable)?;
                        }
                        console::note(&progress(&record, at + 1, count));
                        record
                    }
                },
            };
            records.push(record);
        }
        Ok(records)
    }

    /// Why no further cell is begun.
    fn why_not(&mut self, cell: &Cell) -> Option<String> {
        if let Some(waiting) = self.boot.campaign.waits_for(cell, &self.boot.cmdline) {
            let why = format!("it waits for a boot with {waiting} on the kernel's command line");
            self.waiting.get_or_insert(waiting);
            return Some(why);
        }
        if let Some(why) = &self.stopped {
            return Some(format!("nothing is run any more: {why}"));
        }
        if self.cancel.is_cancelled() {
            return Some("interrupted".to_owned());
        }
        let budget = self.args.how.budget.filter(|budget| self.watch.elapsed() >= *budget);
        budget.map(|budget| format!("the budget of {} was used up", told(budget)))
    }

    fn one(&mut self, planned: &Planned, repeat: u32, scratch: &Path) -> Result<CellRecord, Failure> {
        let (stand, folder, times) = self.stand(planned, repeat, scratch)?;
        if let (Place::Reported(cell), Some(folder)) = (&planned.place, &folder)
            && cell.goes_down()
        {
            let empty = run_cell(&planned.cell, &stand, 0, &self.cancel).record;
            let runs = reported::apart(&planned.cell, folder.path(), &self.cancel)?;
            return Ok(CellRecord { id: planned.id(), runs, ..empty });
        }
        let ran = run_cell(&planned.cell, &stand, times, &self.cancel);
        // A machine of its own is gone with its cell.
        if matches!(planned.place, Place::Given(_)) {
            self.stopped = self.trouble(&ran, &stand);
        }
        Ok(CellRecord { id: planned.id(), ..ran.record })
    }

    /// Why nothing further can be run after this cell.
    fn trouble(&self, ran: &RanCell, stand: &CellStand) -> Option<String> {
        if let Some(stop) = ran.stop {
            return Some(format!("{stop} in {}. {}", ran.record.id, stop.advice()));
        }
        let (tries, pause) = SETTLING;
        let pause = if ran.record.machine.is_some() { Duration::ZERO } else { pause };
        let lost =
            ran.disturbed && !self.cancel.is_cancelled() && !answers_again(&stand.stand, tries, pause, &self.cancel);
        lost.then(|| format!("the GPU does not answer after {}", ran.record.id))
    }

    /// Where a cell runs, the folder of its machine that goes when it is dropped, and how many processes.
    fn stand(
        &self,
        planned: &Planned,
        repeat: u32,
        scratch: &Path,
    ) -> Result<(CellStand, Option<tempfile::TempDir>, u32), Failure> {
        match &planned.place {
            Place::Given(stand) => Ok((CellStand::clone(stand), None, repeat)),
            Place::Reported(cell) => {
                let folder = tempfile::Builder::new().prefix("cell-").tempdir_in(scratch);
                let folder = folder.context("make a folder for a machine").map_err(Failure::unavailable)?;
                let stand = cell.stand(folder.path(), &self.limits)?;
                Ok((stand, Some(folder), repeat.max(cell.runs())))
            }
        }
    }

    /// A record of a cell that was not run.
    fn empty(&self, planned: &Planned, scratch: &Path) -> Result<CellRecord, Failure> {
        let (stand, _folder, _) = self.stand(planned, 1, scratch)?;
        let ran = run_cell(&planned.cell, &stand, 0, &self.cancel);
        Ok(CellRecord { id: planned.id(), ..ran.record })
    }

    /// The record of a cell that was in flight when the machine went down.
    fn went_down(
        &self,
        planned: &Planned,
        scratch: &Path,
        log: Option<Result<String, String>>,
    ) -> Result<CellRecord, Failure> {
        let record = self.empty(planned, scratch)?;
        let log = log.unwrap_or_else(|| Err("nobody kept the log of the boot".to_owned())).unwrap_or_else(|why| why);
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.len().saturating_sub(LAST);
        // Nobody knows how the process ended; what the kernel said may still tell.
        let seen = classify(&Remains {
            ended: &Ended::Signaled { signal: Signal(signal_hook::consts::SIGKILL) },
            answered: false,
            stderr: &[],
            stdout: &[],
            kernel: Reading::Value(&log),
            pids: Pids::Incomparable,
        });
        let run = CellRun {
            status: crate::domain::Status::MachineHang,
            class: seen.signature.as_ref().and(seen.class),
            signature: seen.signature,
            signatures: seen.seen.into_iter().map(|seen| seen.signature).collect(),
            evidence: lines[last..].iter().map(|line| line.chars().take(300).collect()).collect(),
            seconds: 0.0,
        };
        Ok(CellRecord { runs: vec![run], ..record })
    }
}

impl Planned {
    /// What names it: a reported cell by the report, since two reports may have the same probe in the same setting.
    fn id(&self) -> String {
        match &self.place {
            Place::Reported(reported) => format!("{}::{}", reported.cell.class, self.cell.id()),
            Place::Given(_) => self.cell.id(),
        }
    }
}

fn progress(record: &CellRecord, at: usize, count: usize) -> String {
    let status = record.status().map_or_else(|| "not run".to_owned(), |status| status.to_string());
    let passed = format!("{} of {} passed", record.passed(), record.runs.len());
    format!("{at}/{count}  {status:<16}  {passed}  {}", record.id)
}
