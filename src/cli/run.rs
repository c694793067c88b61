//! `validate run`: the main job.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::compare::{self, Baseline, Comparison, Rules, Shapes, Side, of_worker};
use crate::domain::{Meaning, Provenance, Status};
use crate::host::{Asking, Host, previous_boot};
use crate::journal::{Durable, JournalError, Next, Progress, digest};
use crate::plan::{self, Plan, Selection};
use crate::probe::protocol::Kind;
use crate::process::Cancel;
use crate::report::{self, DiffKind, Paper, ReportError, Target};
use crate::run::{
    Bed, CaseRecord, Clock, Coverage, Earlier, Event, Here, HostRecord, Lab, NotSelected, Options, Progress as Watch,
    RunFolder, RunInfo, RunRecord, SCHEMA, Stands, execute, exit_of, keep_text, loaded,
};
use crate::scenario::{self, Case, Level, Step};
use crate::witness::kernel::read_boot_id;

use super::console::{self, Bar};
use super::exit::{Exit, Failure, Outcome};
use super::held;
use super::interrupt::Interrupt;
use super::keep::{Keeper, changes};
use super::selection::SelectionArgs;
use super::target::{self, Chosen};
use super::values::{kind, quoted};
use super::workers::WorkerArgs;
use super::{Parsed, baseline, dropped, results, resume};

/// Seconds that a call of amd-smi may take.
const DEADLINE: u64 = 30;

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
    /// Run on this host folder, simulated or recorded, instead of on each scenario's own machine; `auto`: on this machine
    /// where it can be queried, else simulated
    #[arg(long, value_name = "DIR|auto", conflicts_with = "hardware")]
    host: Option<PathBuf>,
    /// Run on this machine
    #[arg(long)]
    hardware: bool,
    /// Where a worker of this machine computes: gpu or cpu. With cpu all that only computes is run, on any machine; it says
    /// something of the worker's stack, and nothing about a GPU
    #[arg(long, value_name = "WHERE", default_value = "gpu", value_parser = kind, conflicts_with = "host")]
    on: Kind,
    /// Cases side by side [default: two for each processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Run a case again, up to N times, when it does not come out as expected; one that then does is flaky
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Stop a call of amd-smi after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = DEADLINE, value_parser = clap::value_parser!(u64).range(1..=3600))]
    deadline: u64,
    #[command(flatten)]
    programs: WorkerArgs,
    /// What is known: failures that fail no run, what is known to be flaky, what is not run; every run leaves the next one as
    /// baseline.toml in its folder
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Report: human, json or junit; `=PATH` writes it to a file. May be given several times
    #[arg(long = "format", value_name = "KIND[=PATH]", default_value = "human")]
    formats: Vec<Target>,
    /// Folder for results [default: ./results in a checkout, else the state folder of this user]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Go on with a run that was cut off, by its folder or its id: what ended is kept, and the rest is run as it was begun
    #[arg(long, value_name = "RUN", exclusive = true)]
    resume: Option<String>,
}

/// What a run left.
pub struct Done {
    /// Its record.
    pub record: RunRecord,
    /// Its folder.
    pub folder: PathBuf,
    /// Its second worker against the first one, where it has two.
    comparison: Option<Comparison>,
    /// Whether it can be gone on with.
    incomplete: bool,
}

/// Runs, or goes on with a run that was cut off.
///
/// # Errors
/// Wrong input, a missing backend, results that cannot be written. What a case finds is no error but a verdict.
pub fn run(args: &RunArgs) -> Outcome {
    let Some(run) = &args.execution.resume else { return tell(args, carry_out(args, None)?) };
    let (folder, earlier) = RunFolder::take_up(&resume::folder(run)).map_err(resume::refused)?;
    let args = match super::parsed(&earlier.command)? {
        Parsed::Run(args) => args,
        Parsed::Matrix(_) | Parsed::Probe(_) | Parsed::Shrink(_) | Parsed::Other => {
            return Err(resume::other_command(&earlier.command, "run"));
        }
    };
    tell(&args, carry_out(&args, Some((folder, earlier)))?)
}

/// Writes the reports of a run.
fn tell(args: &RunArgs, done: Option<Done>) -> Outcome {
    let Some(Done { record, folder, comparison, incomplete }) = done else { return Ok(Exit::NothingMatched) };
    write_reports(&args.execution.formats, &record, comparison.as_ref())?;
    console::note(&format!("results  {}", folder.display()));
    if comparison.is_some() {
        let side = |worker: &&str| quoted(&format!("{}:{worker}", folder.display()));
        let sides: Vec<String> = compare::workers(&record).iter().map(side).collect();
        console::note(&format!("compare  validate diff {}", sides.join(" ")));
    }
    if incomplete {
        console::note(&resume::how("run", &folder));
    }
    Ok(Exit::Run(record.exit.code))
}

/// Runs what only looks, on a host folder; `None` where no scenario is for it.
///
/// # Errors
/// As [`run`].
pub fn on_host(host: &Path, selection: SelectionArgs, results: Option<&Path>) -> Result<Option<Done>, Failure> {
    let execution = ExecutionArgs {
        host: Some(host.to_owned()),
        hardware: false,
        on: Kind::Gpu,
        jobs: None,
        retries: 0,
        deadline: DEADLINE,
        programs: WorkerArgs::default(),
        baseline: None,
        formats: Vec::new(),
        results: results.map(Path::to_owned),
        resume: None,
    };
    let selection = SelectionArgs { interaction: Some(Level::Observe), ..selection };
    carry_out(&RunArgs { selection, execution }, None)
}

/// Runs, and leaves the results; `None` where nothing matched.
fn carry_out(args: &RunArgs, earlier: Option<(RunFolder, Earlier)>) -> Result<Option<Done>, Failure> {
    let ExecutionArgs { on, jobs, retries, deadline, programs, baseline, results, .. } = &args.execution;
    let cancel = Cancel::new();
    let interrupt = Interrupt::listen(cancel.clone())?;
    let asking = Asking { deadline: Duration::from_secs(*deadline), cancel };
    let compared = programs.compared()?;
    let Chosen { host, why: chosen } = chosen(&args.execution)?;
    let (target, mut environment) = match on {
        Kind::Cpu => target::plan_cpu(),
        Kind::Gpu => target::plan_target(host.as_ref(), &asking),
    };
    let baseline = baseline.as_deref().map(baseline::read).transpose()?;
    let mut plan = plan(&args.selection, compared.as_ref(), &target)?;
    let not_selected = NotSelected::of(&plan.not_selected);
    if plan.cases.is_empty() && plan.undecided.is_empty() {
        let (read, why) = (plan.not_selected.len(), report::not_selected(&not_selected));
        console::note(&format!("nothing matched: of {read} cases {why}; `validate list` shows what there is"));
        return Ok(None);
    }
    let skip = |baseline: &Baseline| baseline::skip(baseline, &mut plan, environment.as_ref());
    let skipped = baseline.as_ref().map(skip).unwrap_or_default();
    let digest = digest_of(&plan);
    if let Some((folder, earlier)) = &earlier {
        resume::same_plan(&earlier.plan, &digest, folder.path(), &earlier.command)?;
    }
    refuse_held(host.as_ref(), &plan)?;
    let keeper = keeper(host.as_ref(), &plan, &asking)?;
    let jobs = jobs_of(*jobs, &plan, *on, host.as_ref());
    let boot_id = host.as_ref().filter(|host| can_go_down(host)).and_then(|host| read_boot_id(&host.proc_root()));
    let durable = if host.as_ref().is_some_and(can_go_down) { Durable::Yes } else { Durable::No };

    let undecided = plan.undecided.iter().map(CaseRecord::undecided);
    let undecided: Vec<CaseRecord> = undecided.chain(skipped).collect();
    let resumed = earlier.as_ref().map_or(0, |(_, earlier)| earlier.resumed.saturating_add(1));
    let (clock, command, mut folder, progress) = match earlier {
        Some((mut folder, earlier)) => {
            let clock = Clock::of(&earlier.run).ok_or_else(|| resume::no_run_id(&earlier.run))?;
            let event = Event::RunResumed { at: Clock::now(), boot_id: boot_id.clone() };
            folder.append(&event, durable).map_err(Failure::unavailable)?;
            (clock, earlier.command, folder, earlier.progress)
        }
        None => {
            let clock = Clock::start();
            let results = results::folder(results.as_deref());
            let mut folder = RunFolder::create(&results, &clock.run_id()).map_err(Failure::unavailable)?;
            let ids = plan.cases.iter().map(|case| &case.id).chain(undecided.iter().map(|case| &case.id));
            let event = Event::started(clock.run_id(), ids.cloned().collect(), command(), digest);
            folder.append(&event, durable).map_err(Failure::unavailable)?;
            (clock, command(), folder, Progress::new())
        }
    };
    let scratch = results::scratch()?;
    let program = std::env::current_exe().context("find this executable").map_err(Failure::unavailable)?;
    let lab = match &host {
        Some(host) => Lab::Given(host.clone()),
        None => Lab::Simulated { scratch: scratch.path().to_owned(), program: program.clone() },
    };
    let stands = Stands { validate: program, here: workers(programs, *on, host.as_ref(), &plan)? };
    let bed = Bed { lab, stands, asking, folder: folder.path().to_owned(), halt: OnceLock::new() };
    let options = Options { jobs, repeat: args.selection.repeat.get(), retries: *retries };
    let mut journal = Journal { folder: &mut folder, bar: Bar::new(plan.cases.len()), durable, boot_id, failed: None };
    let left = journal.left(&plan.cases, &progress, host.as_ref());
    let run = |case: &Case| match &keeper {
        Some(keeper) => keeper.run(case, &|| bed.run(case)),
        None => bed.run(case),
    };
    let ran = execute(&left.cases, options, &interrupt.flag, &run, &mut journal);
    let unrestored = keeper.and_then(|keeper| keeper.end().err());
    let mut cases = left.with(ran);
    for record in undecided {
        if let Next::Run | Next::MachineWentDown { .. } = progress.next(&record.id, None) {
            journal.append(&Event::CaseFinished { case: Box::new(record.clone()) });
        }
        cases.push(record);
    }
    let failed = journal.failed.take();
    drop(journal);
    if let Some(error) = failed {
        return Err(Failure::unavailable(error));
    }

    if let (Some(environment), None) = (&mut environment, &compared) {
        environment.stack.extend(loaded(&cases));
    }
    if let Some(baseline) = &baseline {
        baseline::mark(baseline, &mut cases, environment.as_ref());
    }
    let coverage = Coverage::of(&cases);
    let exit = match (unrestored, bed.halt.get()) {
        (Some(trouble), _) => crate::run::Exit::unrestored(&trouble.to_string()),
        (None, Some(why)) => crate::run::Exit::stopped(why),
        (None, None) => exit_of(&cases, &coverage, interrupt.signal()),
    };
    let incomplete = cases.iter().any(|case| case.status.meaning() == Meaning::Incomplete);
    let mut record = RunRecord {
        schema: SCHEMA.to_owned(),
        run: RunInfo {
            id: clock.run_id(),
            started: clock.started(),
            finished: Clock::now(),
            rocvet: env!("CARGO_PKG_VERSION").to_owned(),
            command,
            again: again(args, host.as_ref()),
            jobs,
            shuffle: args.selection.shuffle,
            resumed,
        },
        host: HostRecord { description: target::description(host.as_ref()), chosen, cpu_only: *on == Kind::Cpu },
        provenance: host.as_ref().map_or(Provenance::Simulated, Host::provenance),
        environment,
        cases,
        not_selected,
        coverage,
        exit,
    };
    let compared = compared.filter(|_| !incomplete);
    let comparison = compared.as_ref().and_then(|workers| side_by_side(&record, workers));
    if let (Some([old, new]), Some(comparison), true) = (&compared, &comparison, record.exit.is_of_verdicts()) {
        let crate::run::Exit { code, reason } = &comparison.exit;
        record.exit = crate::run::Exit { code: *code, reason: format!("{new} against {old}: {reason}") };
    }
    folder.finish(&record).map_err(Failure::unavailable)?;
    baseline::leave(&record, baseline.as_ref(), folder.path())?;
    folder.append(&Event::RunFinished { exit: record.exit.code }, durable).map_err(Failure::unavailable)?;
    Ok(Some(Done { record, folder: folder.path().to_owned(), comparison, incomplete }))
}

/// Digest of everything that the planned cases say, in whatever order they are run.
fn digest_of(plan: &Plan) -> String {
    let cases = plan.cases.iter().chain(plan.undecided.iter().map(|undecided| &undecided.case));
    let mut texts: Vec<String> = cases.map(|case| format!("{case:?}")).collect();
    texts.sort_unstable();
    digest(texts)
}

/// Whether it is a machine that a case can take down, and that is booted again then.
const fn can_go_down(host: &Host) -> bool {
    match host {
        Host::Real | Host::Simulated { .. } => true,
        Host::Recorded { .. } => false,
    }
}

/// Who keeps the modes of a given host, where a case may change them. A recording has none to change.
fn keeper<'a>(host: Option<&'a Host>, plan: &Plan, asking: &Asking) -> Result<Option<Keeper<'a>>, Failure> {
    match host {
        Some(host @ (Host::Real | Host::Simulated { .. })) if plan.cases.iter().any(changes) => {
            Keeper::begin(host, asking).map(Some)
        }
        Some(Host::Real | Host::Simulated { .. } | Host::Recorded { .. }) | None => Ok(None),
    }
}

/// The host of a run.
fn chosen(args: &ExecutionArgs) -> Result<Chosen, Failure> {
    if args.on == Kind::Cpu {
        return Ok(Chosen { host: Some(Host::Real), why: None });
    }
    let chosen = target::choose(args.host.as_deref(), args.hardware)?;
    // What `--host auto` chose is told, and that a worker has nothing to do on a simulated machine with it.
    if !args.programs.is_empty() && chosen.why.is_none() && !matches!(chosen.host, Some(Host::Real)) {
        let problem = "--worker computes on this machine, and the machines of this run are simulated: add --hardware (its \
                       GPU) or --on cpu";
        return Err(Failure::usage(anyhow!(problem)));
    }
    Ok(chosen)
}

/// Scenarios read, expanded and chosen.
fn plan(selection: &SelectionArgs, compared: Option<&[String; 2]>, target: &plan::Target) -> Result<Plan, Failure> {
    let cases = scenario::load(&selection.paths).map_err(|error| super::scenario_errors(&error))?;
    let chosen = selection.selection().map_err(Failure::usage)?;
    let workers = compared.map(|names| names.to_vec()).unwrap_or_default();
    Ok(Plan::build(cases, &Selection { workers, ..chosen }, target))
}

/// The second worker against the first one, of a run that came to its end. `None` where one of them ran nothing.
fn side_by_side(record: &RunRecord, workers: &[String; 2]) -> Option<Comparison> {
    let [base, candidate] = workers.each_ref().map(|worker| of_worker(record, worker));
    let side = |run: RunRecord| Side { runs: vec![run], shapes: Shapes::default() };
    Some(compare::compare(&side(base?), &side(candidate?), Rules::default()))
}

/// How many cases run at a time. On one given host a case that changes it must not do so under another's eyes; on a CPU
/// they would only be in each other's way, unless somebody asks.
fn jobs_of(asked: Option<u16>, plan: &Plan, on: Kind, host: Option<&Host>) -> usize {
    if on == Kind::Cpu {
        return asked.map_or(1, usize::from);
    }
    if host.is_some() && plan.cases.iter().any(|case| case.scenario.level > Level::Observe) {
        return 1;
    }
    asked.map_or_else(default_jobs, usize::from)
}

/// The command line, with the program by its file name: where it is installed is nobody's business.
pub(super) fn command() -> Vec<String> {
    let mut words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(program) = words.first_mut() {
        *program = "validate".to_owned();
    }
    words
}

/// See [`RunInfo::again`].
fn again(args: &RunArgs, host: Option<&Host>) -> String {
    let mut words = vec!["validate run".to_owned()];
    match (host, &args.execution.host) {
        (Some(Host::Real), _) if args.execution.on == Kind::Cpu => words.push("--on cpu".to_owned()),
        // What `--host auto` chose is named outright: it might choose otherwise the next time.
        (Some(Host::Real), _) => words.push("--hardware".to_owned()),
        (Some(Host::Simulated { .. } | Host::Recorded { .. }), Some(dir)) => {
            words.push(format!("--host {}", quoted(&dir.to_string_lossy())));
        }
        (Some(Host::Simulated { .. } | Host::Recorded { .. }), None) | (None, _) => {}
    }
    if let Some(level) = args.selection.interaction {
        words.push(format!("--interaction {level}"));
    }
    words.extend(Some(args.execution.programs.words().trim().to_owned()).filter(|words| !words.is_empty()));
    words.extend(args.selection.paths.iter().map(|path| quoted(&path.to_string_lossy())));
    words.join(" ")
}

/// Nothing that uses a GPU, or changes it, is begun where a process that could not be killed holds one.
fn refuse_held(host: Option<&Host>, plan: &Plan) -> Result<(), Failure> {
    match host {
        Some(host) if plan.cases.iter().any(|case| probes(case) || changes(case)) => held::refuse(host),
        Some(_) | None => Ok(()),
    }
}

fn probes(case: &Case) -> bool {
    case.steps.iter().any(|step| matches!(step, Step::Probe(_)))
}

/// The variables that a step gives its workers.
fn given(step: &Step) -> Vec<String> {
    match step {
        Step::Probe(probe) => probe.env.keys().cloned().collect(),
        Step::Set(_) | Step::Reload | Step::Hold | Step::Release | Step::Run(_) => Vec::new(),
    }
}

/// Where probes are computed on this machine, when cases of this run have any there.
fn workers(programs: &WorkerArgs, on: Kind, host: Option<&Host>, plan: &Plan) -> Result<Here, Failure> {
    match host {
        Some(Host::Real) if plan.cases.iter().any(probes) => {
            let steps = plan.cases.iter().flat_map(|case| &case.steps);
            dropped::note(&steps.flat_map(given).collect(), dropped::How::Step);
            Ok(programs.here(on)?.map(held::watched))
        }
        Some(Host::Real | Host::Simulated { .. } | Host::Recorded { .. }) | None => Ok(Here::Nothing),
    }
}

/// Two for each processor: a case mostly waits for its children.
fn default_jobs() -> usize {
    2 * std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// People read of two workers what differs between them, below what became of each.
fn write_reports(targets: &[Target], record: &RunRecord, comparison: Option<&Comparison>) -> Result<(), Failure> {
    let failed = |error: ReportError| Failure::from(anyhow!(error));
    for target in targets {
        let paper = if target.path.is_some() { Paper::FILE } else { console::paper() };
        let mut bytes = report::render(target.kind, record, paper).map_err(failed)?;
        if let (report::Kind::Human, Some(comparison)) = (target.kind, comparison) {
            bytes.push(b'\n');
            bytes.extend(report::render_diff(DiffKind::Human, comparison, paper).map_err(failed)?);
        }
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
    durable: Durable,
    boot_id: Option<String>,
    failed: Option<JournalError>,
}

/// The cases that are still to be run, and the records of the others.
struct Left {
    cases: Vec<Case>,
    /// In the order of the plan; `None` for a case that is to be run.
    records: Vec<Option<CaseRecord>>,
}

impl Left {
    /// Every record in the order of the plan.
    fn with(self, ran: Vec<CaseRecord>) -> Vec<CaseRecord> {
        let mut ran = ran.into_iter();
        self.records.into_iter().filter_map(|record| record.or_else(|| ran.next())).collect()
    }
}

impl Journal<'_> {
    fn append(&mut self, event: &Event) -> bool {
        let done = self.folder.append(event, self.durable);
        let well = done.is_ok();
        if let Err(error) = done {
            self.failed.get_or_insert(error);
        }
        well
    }

    /// What is left of a plan: what ended is kept, and what the machine went down with is not run again.
    fn left(&mut self, cases: &[Case], progress: &Progress<CaseRecord>, host: Option<&Host>) -> Left {
        let mut left = Left { cases: Vec::new(), records: Vec::new() };
        for case in cases {
            let record = match progress.next(&case.id, self.boot_id.as_deref()) {
                Next::Keep(record) => Some(record.clone()),
                Next::Run => None,
                Next::MachineWentDown { boot_id } => {
                    let record = went_down(case, boot_id, self.folder.path(), host);
                    self.append(&Event::CaseFinished { case: Box::new(record.clone()) });
                    Some(record)
                }
            };
            match &record {
                Some(record) => self.bar.finished(record),
                None => left.cases.push(case.clone()),
            }
            left.records.push(record);
        }
        left
    }
}

/// The record of a case that was in flight when the machine went down, with what the kernel logged before.
fn went_down(case: &Case, boot_id: &str, run: &Path, host: Option<&Host>) -> CaseRecord {
    let log = match host {
        Some(host) => previous_boot(host, boot_id),
        None => Err("nobody kept the log of the boot".to_owned()),
    };
    let text = log.unwrap_or_else(|why| format!("{why}\n"));
    // Without the log the record is still worth having.
    let evidence = keep_text(run, &case.id, "previous-boot.log", &text).ok();
    CaseRecord { evidence, ..CaseRecord::unfinished(case, Status::MachineHang) }
}

impl Watch for Journal<'_> {
    fn starts(&mut self, case: &Case) -> bool {
        self.bar.starts(case);
        // What cannot be written down is not begun.
        self.append(&Event::CaseStarted { id: case.id.clone(), boot_id: self.boot_id.clone() })
    }

    fn finished(&mut self, record: &CaseRecord) {
        self.bar.finished(record);
        self.append(&Event::CaseFinished { case: Box::new(record.clone()) });
    }
}
