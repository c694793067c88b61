//! `validate run --hardware` itself, in a namespace where the real amd-smi answers over a simulated machine's tree: it must
//! call that hardware, and come to the verdict that the shim's host gives. Then with an amd-smi first in PATH that hangs,
//! floods, asks, or cannot make up its mind: a verdict in time, in bounded memory, and never a pass. And `validate
//! partition apply`, through the real tool and through the files, on the driver that answers writes.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rocvet::check::Judgement;
use rocvet::domain::{CheckId, Ended, Provenance, ToolVersion};
use rocvet::host::simulated::{Faces, create, load};
use rocvet::run::RunRecord;
use rocvet::sim::Machine;

use crate::accepted::Accepted;
use crate::compare::{self, Compared, Outcome};
use crate::lane::{Lane, RELOADERS, Shown, Way};
use crate::plan::{self, Call, Scene};
use crate::play::Answer;
use crate::program::start;
use crate::roots::RELEASES;

/// Row of the table.
const ROW: &str = "(validate run --hardware)";

/// Where `validate` stands in the root.
const PROGRAM: &str = "run/rocvet/validate";

/// Longest that a run takes, also on a tool that hangs in every call.
const DEADLINE: Duration = Duration::from_secs(300);

/// Most memory of a run, in bytes: a flood of 1 GB must not be kept.
const MEMORY: &str = "--data=536870912";

/// The machines, as `plan.toml` spells them.
const MACHINES: &str = r#"
[groups]
[[scene]]
machine = "mi300x"
modes = ["SPX/NPS1"]
calls = ["none"]
[[scene]]
machine = "mi300x"
modes = ["CPX/NPS4"]
gpus = 2
calls = ["none"]
[[scene]]
machine = "rx7900xtx"
calls = ["none"]
[[scene]]
machine = "mi300x"
modes = ["CPX/NPS4"]
gpus = 8
faults = ["missing_last_device"]
calls = ["none"]
"#;

/// Another program called amd-smi, before the real one in PATH.
struct Other {
    /// What is said of it.
    what: &'static str,
    /// Its text.
    script: &'static str,
    /// What the verdict must show for it.
    shows: Shows,
}

/// What a verdict shows beside what the machine itself is to blame for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// Nothing.
    Nothing,
    /// Calls of amd-smi that gave no reading.
    Gaps,
    /// A finding that amd-smi contradicts.
    Unmet,
}

const OTHERS: [Other; 5] = [
    Other { what: "is honest", script: "exec /usr/bin/amd-smi \"$@\"\n", shows: Shows::Nothing },
    Other { what: "hangs", script: "exec sleep 1000\n", shows: Shows::Gaps },
    Other { what: "floods 1 GB", script: "exec head -c 1000000000 /dev/zero\n", shows: Shows::Gaps },
    Other {
        what: "asks a question",
        script: "printf 'Do you accept these terms? [Y/N] '\nread answer || exit 0\nexec /usr/bin/amd-smi \"$@\"\n",
        shows: Shows::Gaps,
    },
    Other {
        what: "changes the number of devices",
        script: "[ \"$1\" = list ] || exec /usr/bin/amd-smi \"$@\"\necho >> /run/rocvet/asked\n\
                 [ $(($(wc -l < /run/rocvet/asked) % 2)) = 0 ] || exec /usr/bin/amd-smi \"$@\"\n\
                 exec /usr/bin/amd-smi \"$@\" -g 0\n",
        shows: Shows::Unmet,
    },
];

/// A change of modes by `validate partition apply` on the machine that is shown.
struct Change {
    /// Options, and where they must lead.
    options: &'static str,
    /// A client holds the GPUs.
    busy: bool,
    /// Exit code.
    code: i32,
    /// Compute and memory mode in force afterwards, from SPX/NPS1.
    modes: &'static str,
}

/// Each through the real tool and through the partition files; the driver is the one that answers writes.
const CHANGES: [Change; 5] = [
    Change { options: "--compute CPX", busy: false, code: 0, modes: "CPX/NPS1" },
    Change { options: "--compute CPX --memory NPS4 --yes --reload-driver", busy: false, code: 0, modes: "CPX/NPS4" },
    Change { options: "--compute CPX --memory NPS4 --yes", busy: false, code: 64, modes: "SPX/NPS1" },
    Change { options: "--compute SPX --memory NPS4 --yes --reload-driver", busy: false, code: 1, modes: "SPX/NPS1" },
    Change { options: "--compute CPX", busy: true, code: 1, modes: "SPX/NPS1" },
];

/// What a change goes through.
const WAYS: [&str; 2] = ["amd-smi", "sysfs"];

/// One thing that is tried.
#[derive(Debug, Clone)]
pub enum Trial {
    /// Modes set, or refused and left alone: indexes into [`CHANGES`] and [`WAYS`].
    Applies(Scene, usize, usize),
    /// The same verdict on the real tool and on the shim.
    SameVerdict(Scene),
    /// The right verdict in time, with another program in the place of amd-smi: an index into [`OTHERS`].
    Withstands(Scene, usize),
}

/// What is tried on one tool; with a filter, that whose name contains it.
pub fn plan(tool: ToolVersion, filter: &str) -> Result<Vec<Trial>, String> {
    let scenes = plan::read(MACHINES, tool, false)?;
    let (one, two) = (scenes.first().cloned(), scenes.get(1).cloned());
    let mut trials: Vec<Trial> = scenes.into_iter().map(Trial::SameVerdict).collect();
    let newest = RELEASES.iter().map(|release| release.tool).max() == Some(tool);
    // 24.5 takes addresses from uninitialised memory where render nodes cannot be opened, and so finds no GPU by its own.
    for way in (0..WAYS.len()).filter(|way| newest || WAYS[*way] != "amd-smi") {
        let changes = one.iter().flat_map(|scene| (0..CHANGES.len()).map(move |change| (scene, change)));
        trials.extend(changes.map(|(scene, change)| Trial::Applies(scene.clone(), change, way)));
    }
    // For the same reason 24.5 is not honest either.
    let two = two.iter().filter(|_| newest);
    trials.extend(two.flat_map(|scene| (0..OTHERS.len()).map(|index| Trial::Withstands(scene.clone(), index))));
    trials.retain(|trial| trial.to_string().contains(filter));
    Ok(trials)
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameVerdict(scene) => write!(f, "{scene}: validate run --hardware says what the shim's host gives"),
            Self::Applies(scene, change, way) => {
                let Change { options, busy, modes, .. } = &CHANGES[*change];
                let held = if *busy { ", held by a client" } else { "" };
                write!(f, "{scene}{held}: validate partition apply {options} through {} leaves {modes}", WAYS[*way])
            }
            Self::Withstands(scene, index) => {
                write!(f, "{scene}: validate run --hardware with an amd-smi that {}", OTHERS[*index].what)
            }
        }
    }
}

/// Makes a trial in a lane where [`install`] was done.
///
/// # Errors
/// It could not be made.
pub fn run(trial: &Trial, lane: &Lane, scratch: &Path, accepted: &Accepted) -> Result<Compared, String> {
    match trial {
        Trial::SameVerdict(scene) => same_verdict(trial, scene, lane, scratch, accepted),
        Trial::Applies(scene, change, way) => applies(trial, scene, &CHANGES[*change], WAYS[*way], lane, scratch),
        Trial::Withstands(scene, index) => withstands(trial, scene, &OTHERS[*index], lane, scratch),
    }
}

/// Puts `validate` into the root, and sees that it runs there: it needs nothing but glibc.
///
/// # Errors
/// It does not run there: no trial can be made.
pub fn install(lane: &Lane) -> Result<(), String> {
    lane.own_devices()?;
    let program = lane.path(PROGRAM);
    fs::copy(env!("CARGO_BIN_EXE_validate"), &program).map_err(|error| format!("{}: {error}", program.display()))?;
    let tried = lane.run(&[&format!("/{PROGRAM}"), "--version"], way(None));
    if tried.ended.success() {
        Ok(())
    } else {
        Err(format!("validate does not run in this root: {}", text(&tried.stderr)))
    }
}

fn same_verdict(
    trial: &Trial,
    scene: &Scene,
    lane: &Lane,
    scratch: &Path,
    accepted: &Accepted,
) -> Result<Compared, String> {
    let folder = tempfile::tempdir_in(scratch).map_err(|error| error.to_string())?;
    let call = Call { args: ["run", "--hardware"].map(str::to_owned).to_vec(), stdin: None };
    let theirs = {
        let host = host(&folder.path().join("real"), &scene.machine)?;
        let shown = lane.show(&host)?;
        let (record, ended) = hardware(&shown, lane, None)?;
        if record.provenance != Provenance::Hardware {
            return Ok(different(trial, format!("the report says {:?}, not hardware\n", record.provenance)));
        }
        verdict(&record, ended)
    };
    let ours = {
        let host = host(&folder.path().join("shim"), &scene.machine)?;
        let results = folder.path().join("results");
        let args = ["run", "--host", &host.to_string_lossy(), "--jobs", "1", "--results", &results.to_string_lossy()];
        let done = start(env!("CARGO_BIN_EXE_validate"), args.iter().map(Into::into).collect(), DEADLINE, None);
        verdict(&record_in(&results)?, done.ended)
    };
    let compared = compare::compare(scene, &call, &theirs, &ours, accepted);
    Ok(Compared { command: ROW.to_owned(), name: trial.to_string(), ..compared })
}

fn withstands(trial: &Trial, scene: &Scene, other: &Other, lane: &Lane, scratch: &Path) -> Result<Compared, String> {
    let folder = tempfile::tempdir_in(scratch).map_err(|error| error.to_string())?;
    let host = host(&folder.path().join("real"), &scene.machine)?;
    let first = "run/rocvet/other";
    let program = lane.path(first).join("amd-smi");
    let written = fs::create_dir_all(lane.path(first))
        .and_then(|()| fs::write(&program, format!("#!/bin/sh\n{}", other.script)))
        .and_then(|()| fs::set_permissions(&program, fs::Permissions::from_mode(0o755)));
    written.map_err(|error| format!("{}: {error}", program.display()))?;
    let shown = lane.show(&host)?;
    let begin = Instant::now();
    let (record, ended) = hardware(&shown, lane, Some(first))?;
    let mut wrong = String::new();
    if !matches!(ended, Ended::Exited { code: 1 | 3 }) {
        wrong.push_str(&format!("validate ended with {ended:?} after {:.0?}\n", begin.elapsed()));
    }
    if record.provenance != Provenance::Hardware {
        wrong.push_str(&format!("the report says {:?}, not hardware\n", record.provenance));
    }
    let shows = shows(&record);
    if shows != other.shows {
        wrong.push_str(&format!(
            "the verdict shows {shows:?}, not {:?}:\n{}",
            other.shows,
            verdict(&record, ended).stdout
        ));
    }
    let outcome = if wrong.is_empty() { Outcome::Identical } else { Outcome::Different(wrong) };
    Ok(Compared { command: ROW.to_owned(), name: trial.to_string(), outcome })
}

/// What a verdict shows: a tool that fails weighs more than one that contradicts. The root has no render nodes, which is
/// nobody's fault here.
fn shows(record: &RunRecord) -> Shows {
    let checks = || record.cases.iter().flat_map(|case| &case.findings);
    let blamed = checks().filter(|check| check.check != CheckId::WitnessReadable);
    let unmet = blamed.flat_map(|check| &check.findings).any(|finding| finding.judgement() == Judgement::Unmet);
    match (checks().any(|check| !check.gaps.is_empty()), unmet) {
        (true, _) => Shows::Gaps,
        (false, true) => Shows::Unmet,
        (false, false) => Shows::Nothing,
    }
}

fn applies(
    trial: &Trial,
    scene: &Scene,
    change: &Change,
    through: &str,
    lane: &Lane,
    scratch: &Path,
) -> Result<Compared, String> {
    let folder = tempfile::tempdir_in(scratch).map_err(|error| error.to_string())?;
    let host = host(&folder.path().join("real"), &Machine { busy: change.busy, ..scene.machine.clone() })?;
    let shown = lane.show(&host)?;
    let program = format!("/{PROGRAM}");
    let mut words = vec![program.as_str(), "partition", "apply", "--interaction", "reconfigure", "--through", through];
    words.extend(["--state", "/run/rocvet/state"].into_iter().chain(change.options.split(' ')));
    let done = shown.run(&words, way(Some(RELOADERS)));
    let _ = fs::remove_dir_all(lane.path("run/rocvet/state"));
    let kernel = load(&host).map_err(|error| error.to_string())?;
    let compute: Vec<&str> = kernel.state().compute.iter().map(|mode| mode.name()).collect();
    let modes = format!("{}/{}", compute.join(","), kernel.state().memory);
    let right = done.ended == Ended::Exited { code: change.code } && modes == change.modes;
    let outcome = if right {
        Outcome::Identical
    } else {
        let said = [text(&done.stdout), text(&done.stderr)].join("\n");
        Outcome::Different(format!("it leaves {modes} and ended with {:?}:\n{said}\n", done.ended))
    };
    Ok(Compared { command: "(validate partition apply)".to_owned(), name: trial.to_string(), outcome })
}

/// Runs `validate run --hardware` in the root; `first` is a folder before all others in PATH.
fn hardware(shown: &Shown<'_>, lane: &Lane, first: Option<&str>) -> Result<(RunRecord, Ended), String> {
    let results = lane.path("run/rocvet/results");
    let _ = fs::remove_dir_all(&results);
    let program = format!("/{PROGRAM}");
    // To be compared: one case after the other, as on the shim's host. `partition` leaves a trace that the next case sees.
    let (jobs, deadline) = if first.is_some() { ("4", "3") } else { ("1", "60") };
    let asking = ["--jobs", jobs, "--deadline", deadline, "--results", "/run/rocvet/results"];
    let words = [&["prlimit", MEMORY, &program, "run", "--hardware"], &asking[..]].concat();
    let done = shown.run(&words, way(first));
    let record = record_in(&results).map_err(|error| format!("{error}: {:?}: {}", done.ended, text(&done.stderr)))?;
    Ok((record, done.ended))
}

fn way(first: Option<&str>) -> Way<'_> {
    Way { user: false, first, stdin: None, deadline: DEADLINE }
}

fn host(dir: &Path, machine: &Machine) -> Result<PathBuf, String> {
    create(dir, machine, Faces::Both).map_err(|error| error.to_string())?;
    Ok(dir.to_owned())
}

fn record_in(results: &Path) -> Result<RunRecord, String> {
    let mut runs = fs::read_dir(results).map_err(|error| format!("no results: {error}"))?;
    let run = runs.next().ok_or("no run in the results")?.map_err(|error| error.to_string())?;
    let text = fs::read_to_string(run.path().join("run.json")).map_err(|error| format!("no run.json: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("run.json: {error}"))
}

/// What a run found, without when, where and how long.
fn verdict(record: &RunRecord, ended: Ended) -> Answer {
    let mut lines = Vec::new();
    for case in &record.cases {
        lines.push(format!("{}: {:?}", case.id, case.status));
        for check in &case.findings {
            for found in &check.findings {
                let (judgement, id) = (found.judgement(), found.id());
                let (subject, expected, observed) = (found.subject(), found.expected(), found.observed());
                lines.push(format!("  {} {judgement:?} {id} {subject}: {expected}; {observed}", check.check));
            }
            for gap in &check.gaps {
                lines.push(format!("  {} gap {:?} {}: {}", check.check, gap.kind, gap.subject, gap.reason));
            }
        }
    }
    Answer { stdout: lines.join("\n") + "\n", stderr: String::new(), ended, state: String::new() }
}

fn different(trial: &Trial, diff: String) -> Compared {
    Compared { command: ROW.to_owned(), name: trial.to_string(), outcome: Outcome::Different(diff) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
