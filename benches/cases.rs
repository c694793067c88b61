//! What a case costs beside the call of amd-smi that it cannot do without, and what that call costs beside a process
//! that does nothing.
//!
//! Every round of `cases/…` runs both sides, part by part in turn, so that what else the machine does falls on both; the
//! ratio at the end is the number to read. `DESIGN` asks for 80 % of the bare loop.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use rocvet::domain::Status;
use rocvet::host::simulated::{Faces, create};
use rocvet::host::{Asking, HOST_VARIABLE};
use rocvet::process::Cancel;
use rocvet::run::{Bed, CaseRecord, Lab, Options, Progress, Stands, execute};
use rocvet::scenario::{self, Case};
use tempfile::TempDir;

const VALIDATE: &str = env!("CARGO_BIN_EXE_validate");

/// Cases of one round.
const CASES: usize = 1000;

/// Cases that one side runs before the other side has its turn.
const TURN: usize = 100;

/// One call for each case, the same as in [`SCENARIO`].
const CALL: [&str; 2] = ["version", "--json"];

const SCENARIO: &str = r#"
title = "One call"
why = "The least that a case can ask"
source = "benches/cases.rs"

[simulate]
machine = "mi300x"
gpus = [1, 2, 3, 4, 5, 6, 7, 8]
amd-smi = ["25.5.1", "26.2.1", "27.1.0"]

[[check]]
id = "amd-smi.version"
"#;

criterion_group!(benches, cases, calls);
criterion_main!(benches);

/// 1 000 cases with one call each, beside as many bare calls.
fn cases(criterion: &mut Criterion) {
    let room = Room::new();
    let mut group = criterion.benchmark_group("cases");
    group.throughput(Throughput::Elements(CASES as u64)).sampling_mode(SamplingMode::Flat).sample_size(10);
    for jobs in [1, 2] {
        let ratios = Mutex::new(Vec::new());
        group.bench_function(BenchmarkId::new("jobs", jobs), |bencher| {
            bencher.iter_custom(|rounds| {
                (0..rounds)
                    .map(|_| {
                        let (harness, bare) = room.round(jobs);
                        ratios.lock().unwrap().push(bare.as_secs_f64() / harness.as_secs_f64());
                        harness
                    })
                    .sum()
            });
        });
        tell(jobs, ratios.into_inner().unwrap());
    }
    group.finish();
}

/// One process each: what starting costs, and what answering adds.
fn calls(criterion: &mut Criterion) {
    let room = Room::new();
    let mut group = criterion.benchmark_group("call");
    let host = |dir: &Path, args: &'static [&'static str]| {
        let dir = dir.to_owned();
        move || call(Command::new(VALIDATE).arg0("amd-smi").args(args).env(HOST_VARIABLE, &dir))
    };
    group.bench_function("true", |bencher| bencher.iter(|| call(&mut Command::new("true"))));
    group.bench_function("validate --version", |bencher| {
        bencher.iter(|| call(Command::new(VALIDATE).arg("--version")));
    });
    // The same executable by the same name, which finds no host and gives up.
    group.bench_function("amd-smi without a host", |bencher| bencher.iter(host(Path::new("/nonexistent"), &["list"])));
    for args in [&["list"] as &[_], &["version", "--json"], &["static", "-p", "--json"], &["partition"]] {
        group.bench_function(format!("amd-smi {}", args.join(" ")), |bencher| {
            bencher.iter(host(room.host.path(), args));
        });
    }
    group.finish();
}

/// Cases to run, a place for their hosts and results, and a host for the bare calls.
struct Room {
    cases: Vec<Case>,
    bed: Bed,
    host: TempDir,
    _scratch: TempDir,
}

impl Room {
    fn new() -> Self {
        // Where `validate run` puts hosts, too.
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let host = tempfile::tempdir_in(scratch.path()).unwrap();
        let file = scratch.path().join("call.toml");
        std::fs::write(&file, SCENARIO).unwrap();
        let few = scenario::load(&[file]).unwrap();
        let numbered = |(at, case): (usize, &Case)| Case { id: format!("{}-{at}", case.id), ..case.clone() };
        let cases: Vec<Case> = few.iter().cycle().take(CASES).enumerate().map(numbered).collect();
        create(host.path(), &cases[CASES / 2].simulate.resolve().unwrap(), Faces::Both).unwrap();
        let lab = Lab::Simulated { scratch: scratch.path().to_owned(), program: PathBuf::from(VALIDATE) };
        let asking = Asking { deadline: Duration::from_secs(30), cancel: Cancel::new() };
        let stands = Stands { validate: PathBuf::from(VALIDATE), here: rocvet::run::Here::Nothing };
        let bed = Bed { lab, stands, asking, folder: scratch.path().join("results"), halt: std::sync::OnceLock::new() };
        Self { cases, bed, host, _scratch: scratch }
    }

    /// Every case and as many bare calls; how long each side took.
    fn round(&self, jobs: usize) -> (Duration, Duration) {
        let (mut harness, mut bare) = (Duration::ZERO, Duration::ZERO);
        for turn in self.cases.chunks(TURN) {
            harness += timed(|| self.harness(turn, jobs));
            bare += timed(|| self.bare(turn.len(), jobs));
        }
        (harness, bare)
    }

    fn harness(&self, cases: &[Case], jobs: usize) {
        let options = Options { jobs, repeat: 1, retries: 0 };
        let stop = AtomicBool::new(false);
        let records = execute(cases, options, &stop, &|case| self.bed.run(case), &mut Silent);
        assert!(records.iter().all(|record| record.status == Status::Pass), "{:?}", records[0]);
    }

    fn bare(&self, calls: usize, jobs: usize) {
        let left = AtomicUsize::new(calls);
        let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while take() {
                        let mut command = Command::new(VALIDATE);
                        assert!(call(
                            command.arg0("amd-smi").args(CALL).env_clear().env(HOST_VARIABLE, self.host.path())
                        ));
                    }
                });
            }
        });
    }
}

struct Silent;

impl Progress for Silent {
    fn starts(&mut self, _: &Case) -> bool {
        true
    }
    fn finished(&mut self, _: &CaseRecord) {}
}

/// Runs it with its output read; whether it printed anything.
fn call(command: &mut Command) -> bool {
    let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    !output.stdout.is_empty()
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The first round warms up.
fn tell(jobs: usize, ratios: Vec<f64>) {
    let mut ratios = ratios.get(1..).filter(|rest| !rest.is_empty()).unwrap_or(&ratios).to_vec();
    ratios.sort_by(f64::total_cmp);
    if let (Some(least), Some(most)) = (ratios.first(), ratios.last()) {
        let (median, rounds) = (ratios[ratios.len() / 2], ratios.len());
        println!("cases, jobs {jobs}: {median:.2} of a bare loop ({least:.2} to {most:.2} in {rounds} rounds)");
    }
}
