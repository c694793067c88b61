//! `scripts/conformance`: options, the plan, the run, the table.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Parser;
use rocvet::domain::ToolVersion;

use crate::accepted::Accepted;
use crate::compare::{Compared, Outcome};
use crate::hardware::{self, Trial};
use crate::lane::Lane;
use crate::plan::{self, Scene};
use crate::play;
use crate::program::must;
use crate::roots::{self, RELEASES, Release};
use crate::table::{NOT_RUN, Score};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "ROCVET_CONFORMANCE_INSIDE";

/// The shim against the real amd-smi, over the same simulated machines.
#[derive(Debug, Parser)]
#[command(name = "scripts/conformance", after_help = HELP)]
struct Options {
    /// One tool version only
    #[arg(long, value_name = "VERSION")]
    version: Option<ToolVersion>,
    /// Scenes whose printed name contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// More calls on every machine: about four times as many
    #[arg(long)]
    full: bool,
    /// Print the plan, and run nothing
    #[arg(long)]
    list: bool,
}

const HELP: &str = "Exit codes: 0 everything was run and nothing differs; 1 something differs; 3 some was not run; \
69 nothing could be run (no root, no network, no namespaces).\n\n\
The Debian systems are kept in $ROCVET_ROOTS, else in the cache folder of this user; $ROCVET_DEBIAN_MIRROR names a mirror.\n\n\
Examples:\n  scripts/conformance\n  scripts/conformance --version 27.1.0 --filter 'CPX/NPS4 x8'\n  scripts/conformance --full";

/// Runs, in a mount namespace that ends with this process.
pub fn main(words: Vec<String>) -> ExitCode {
    let options = Options::parse_from(["scripts/conformance".to_owned()].into_iter().chain(words.clone()));
    let scenes = match planned(&options) {
        Ok(scenes) => scenes,
        Err(error) => {
            eprintln!("plan: {error}");
            return ExitCode::from(64);
        }
    };
    if options.list {
        print_plan(&scenes);
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(INSIDE).is_none() {
        let error = enter(words);
        return not_run(&scenes, &error);
    }
    print_plan(&scenes);
    match run(&options, &scenes) {
        Ok(code) => ExitCode::from(code),
        Err(error) => not_run(&scenes, &error),
    }
}

/// Starts this program again in its own mount namespace; gives back why it could not.
fn enter(words: Vec<String>) -> String {
    if !rustix::process::geteuid().is_root() {
        return "it needs root: mounts and chroot".to_owned();
    }
    let namespace = ["--mount", "--propagation", "private"];
    if let Err(error) = must("unshare", &[&namespace[..], &["true"]].concat(), Duration::from_secs(10)) {
        return format!("no mount namespace: {error}");
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error.to_string(),
    };
    let mut command = Command::new("unshare");
    command.args(namespace).arg("--").arg(program).arg("--conformance").args(words).env(INSIDE, "1");
    command.exec().to_string()
}

fn not_run(planned: &[Planned], why: &str) -> ExitCode {
    let mut score = Score::default();
    score.miss(planned.iter().map(Planned::calls).sum());
    eprintln!("not run: {why}");
    println!("{}", score.line());
    ExitCode::from(NOT_RUN)
}

/// What is planned for one release.
struct Planned {
    release: Release,
    scenes: Vec<Scene>,
    trials: Vec<Trial>,
}

impl Planned {
    fn calls(&self) -> usize {
        self.scenes.iter().map(|scene| scene.calls.len()).sum::<usize>() + self.trials.len()
    }
}

fn planned(options: &Options) -> Result<Vec<Planned>, String> {
    let chosen = |release: &&Release| options.version.is_none_or(|version| version == release.tool);
    let filter = options.filter.as_deref().unwrap_or_default();
    let mut planned = Vec::new();
    for &release in RELEASES.iter().filter(chosen) {
        let mut scenes = plan::read(include_str!("plan.toml"), release.tool, options.full)?;
        scenes.retain(|scene| scene.to_string().contains(filter));
        planned.push(Planned { release, scenes, trials: hardware::plan(release.tool, filter)? });
    }
    planned.retain(|planned| planned.calls() > 0);
    if planned.is_empty() { Err("nothing matches; --list shows what there is".to_owned()) } else { Ok(planned) }
}

fn print_plan(planned: &[Planned]) {
    for each in planned {
        let Planned { release, scenes, trials } = each;
        let (tool, suite, calls) = (release.tool, release.suite, each.calls());
        println!("planned: amd-smi {tool} of Debian {suite}: {} machines, {calls} comparisons", scenes.len());
        scenes.iter().for_each(|scene| println!("  {scene}: {} calls", scene.calls.len()));
        trials.iter().for_each(|trial| println!("  {trial}"));
    }
}

/// What the lanes share.
struct Shared<'a> {
    accepted: &'a Accepted,
    score: Mutex<Score>,
    total: usize,
    done: Mutex<usize>,
}

fn run(options: &Options, planned: &[Planned]) -> Result<u8, String> {
    let start = Instant::now();
    let accepted = Accepted::read(include_str!("accepted.toml"))?;
    let scratch =
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).map_err(|error| error.to_string())?;
    let mut roots = Vec::new();
    for each in planned {
        roots.push((each, roots::prepare(each.release, &|text| eprintln!("{text}"))?));
    }
    let total = planned.iter().map(|each| each.scenes.len() + each.trials.len()).sum();
    let shared = Shared { accepted: &accepted, score: Mutex::default(), total, done: Mutex::default() };
    std::thread::scope(|threads| {
        for (each, root) in &roots {
            let (shared, scratch) = (&shared, scratch.path().join(each.release.suite));
            threads.spawn(move || play_all(each, root, &scratch, shared));
        }
    });
    let score = shared.score.into_inner().map_err(|_| "a thread of the run ended early")?;
    let tools: Vec<ToolVersion> = planned.iter().map(|each| each.release.tool).collect();
    let whole = options.filter.is_none() && options.version.is_none();
    let stale = if whole { accepted.stale(&score.used, &tools) } else { Vec::new() };
    println!("{}", score.table());
    for number in &score.used {
        if let Some(entry) = accepted.entry(*number) {
            println!("accepted: {}", entry.reason);
        }
    }
    stale.iter().for_each(|line| println!("{line}"));
    println!("took {:.0?}", start.elapsed());
    println!("{}", score.line());
    Ok(score.exit(stale.len()))
}

fn play_all(planned: &Planned, root: &Path, scratch: &Path, shared: &Shared<'_>) {
    let tool = planned.release.tool;
    let lane = Lane::new(root, scratch).and_then(|lane| {
        play::planted_difference(tool, &lane, scratch, shared.accepted)?;
        Ok(lane)
    });
    for scene in &planned.scenes {
        let played = match &lane {
            Ok(lane) => play::scene(scene, lane, scratch, shared.accepted),
            Err(error) => Err(error.clone()),
        };
        report(tool, &scene.to_string(), scene.calls.len(), played, shared);
    }
    let ready = match &lane {
        Ok(lane) => hardware::install(lane).map(|()| lane),
        Err(error) => Err(error.clone()),
    };
    for trial in &planned.trials {
        let tried = ready.clone().and_then(|lane| hardware::run(trial, lane, scratch, shared.accepted));
        report(tool, &trial.to_string(), 1, tried.map(|compared| vec![compared]), shared);
    }
}

fn report(tool: ToolVersion, name: &str, planned: usize, played: Result<Vec<Compared>, String>, shared: &Shared<'_>) {
    let (Ok(mut score), Ok(mut done)) = (shared.score.lock(), shared.done.lock()) else { return };
    *done += 1;
    let progress = format!("[{}/{}]", *done, shared.total);
    let compared = match played {
        Ok(compared) => compared,
        Err(error) => {
            score.miss(planned);
            return println!("{progress} not run: {name}: {error}");
        }
    };
    let mut different = 0;
    for each in &compared {
        score.add(tool, each);
        if let Outcome::Different(diff) = &each.outcome {
            different += 1;
            println!("DIFFERENT {}\n{diff}", each.name);
        }
    }
    println!("{progress} {name}: {} compared, {different} different", compared.len());
}
