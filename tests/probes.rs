//! Workers that really die, under the real supervisor: every known signature, and every other way to be wrong. The
//! supervisor is given a program, a request and a log; what was planted it does not know.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the tests write hosts, start children and say figures"
)]

mod scratch;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rocvet::domain::{Bytes, Ended, Limit, Signal, Status};
use rocvet::facts::{Class, Severity, Stream, signature, signatures};
use rocvet::host::simulated::{Faces, KMSG_FILE, STARTS_FILE, create};
use rocvet::probe::ProbeSpec;
use rocvet::probe::engine::reference;
use rocvet::probe::fallback::{Fallback, Ran, ran};
use rocvet::probe::protocol::{Kind, Outcome, Problem, Raised, Request};
use rocvet::probe::spec::{Dtype, Operation};
use rocvet::probe::stand::Stand;
use rocvet::probe::supervise::{Launcher, Limits, ProbeOutcome, Supervised, Worker, supervise, watch};
use rocvet::probe::verdict::status;
use rocvet::probe::{Judgement, Numbers, judge};
use rocvet::process::Cancel;
use rocvet::quarantine::Quarantine;
use rocvet::sim::fault::ProbeFault;
use rocvet::sim::{Fault, machine_named};
use rocvet::witness::gpu_use::Trees;
use rocvet::witness::kernel_log::KernelLog;
use tempfile::TempDir;

fn validate() -> PathBuf {
    scratch::validate().to_owned()
}

/// A simulated machine with this planted, and the worker on its GPU.
struct Bench {
    host: TempDir,
}

impl Bench {
    fn with(fault: Option<&str>) -> Self {
        let host = scratch::folder();
        let mut machine = machine_named("rx6800xt").unwrap();
        machine.faults = fault.map(|name| format!("probe={name}").parse::<Fault>().unwrap()).into_iter().collect();
        create(host.path(), &machine, Faces::Tool).unwrap();
        std::fs::write(host.path().join(KMSG_FILE), "[    0.0] amdgpu: GPU reset begin!\n").unwrap();
        Self { host }
    }

    fn run(&self, limits: &Limits) -> Supervised {
        let mut log = KernelLog::open(&self.host.path().join(KMSG_FILE)).unwrap();
        supervise(&worker(Some(self.host.path())), &request(3), limits, Some(&mut log), Cancel::new())
    }
}

fn worker(host: Option<&Path>) -> Worker {
    let mut args: Vec<OsString> = vec!["probe-worker".into()];
    args.extend(host.into_iter().flat_map(|host| ["--host".into(), host.as_os_str().to_owned()]));
    Worker { program: validate(), args, env: Vec::new(), launcher: launcher(None) }
}

fn launcher(memory: Option<Bytes>) -> Launcher {
    Launcher { program: validate(), args: vec!["probe-launch".into()], memory }
}

/// A worker that is a script of the shell.
fn script(text: &str) -> Worker {
    let args = vec!["-c".into(), text.into()];
    Worker { program: "/bin/sh".into(), args, env: Vec::new(), launcher: launcher(None) }
}

fn operation() -> Operation {
    Operation::Matmul { m: 8, k: 16, n: 8 }
}

fn request(repeats: u32) -> Request {
    let probe = ProbeSpec { repeats, ..ProbeSpec::compute(operation(), Dtype::F32) };
    Request::new(probe, Kind::Gpu)
}

/// Enough time for everything but what hangs.
fn patient() -> Limits {
    Limits {
        silence: Duration::from_secs(60),
        grace: Duration::from_secs(10),
        settle: Duration::ZERO,
        ..Limits::default()
    }
}

/// For what hangs anyhow.
fn impatient() -> Limits {
    Limits { first: Duration::from_millis(1500), grace: Duration::from_millis(300), ..patient() }
}

fn planted(fault: &str) -> Supervised {
    Bench::with(Some(fault)).run(&patient())
}

#[test]
fn a_worker_that_does_as_it_is_asked_reports_the_numbers_of_the_oracle() {
    let done = Bench::with(None).run(&patient());
    assert_eq!(done.outcome, ProbeOutcome::Reported, "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!((done.classified.class, done.classified.seen.len()), (None, 0), "old lines of the log are old");
    assert_eq!(done.said.answers.len(), 3);
    assert!(done.said.answers[1..].iter().all(|answer| answer.outcome == Outcome::Same { times: 1 }));
    assert!(right(&done));
    assert_eq!(ran(Kind::Gpu, &done.said, &done.outside), Some(Ran::AsAsked));
}

#[test]
fn a_soak_says_its_repeats_together_and_is_stopped_where_it_falls_silent() {
    let soak = |seconds| Request { budget: Some(seconds), ..request(1_000_000) };
    let bench = Bench::with(None);
    let done = supervise(&worker(Some(bench.host.path())), &soak(1), &patient(), None, Cancel::new());
    assert_eq!(done.outcome, ProbeOutcome::Reported, "{}", String::from_utf8_lossy(&done.stderr));
    let repeats: u32 = done.said.answers.iter().map(|answer| answer.outcome.repeats()).sum();
    assert!(repeats > 10 && done.said.answers.len() < 10, "{repeats} repeats, {} answers", done.said.answers.len());
    assert!(right(&done));
    // One that computes once and is never heard of again: there is time left, and nobody waits for that.
    let mut stuck = script("\"$WORKER\" probe-worker < /dev/stdin | head -n 3; exec sleep 60");
    stuck.env = vec![("WORKER".into(), validate().into())];
    let limits = Limits { silence: Duration::from_millis(700), ..patient() };
    let done = supervise(&stuck, &soak(3600), &limits, None, Cancel::new());
    assert_eq!(done.said.answers.len(), 1, "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.outcome, ProbeOutcome::Died(Ended::TimedOut { limit: Limit::Silence }));
    assert!(done.took < Duration::from_secs(30), "{:?}", done.took);
}

/// Whether the judge finds the numbers right.
fn right(done: &Supervised) -> bool {
    matches!(judgement(done), Numbers::Right(_))
}

fn judgement(done: &Supervised) -> Numbers {
    let Outcome::Numbers(output) = &done.said.answers[0].outcome else { panic!("{:?}", done.said.answers) };
    let oracle = reference::oracle(&request(1).probe).unwrap();
    judge(&operation(), Dtype::F32, output, &oracle)
}

#[test]
fn every_known_signature_is_died_of_and_classified_right() {
    let (mut right, mut wrong) = (0, Vec::new());
    for planted in signatures() {
        let hangs = planted.signals.is_empty()
            && planted.codes.is_empty()
            && matches!(planted.class, Class::HwsHang | Class::RingTimeout);
        let done = Bench::with(Some(&planted.id)).run(&if hangs { impatient() } else { patient() });
        let seen = done.classified.seen.iter().any(|seen| seen.signature == planted.id);
        // What a panic wraps is the cause; what is no cause decides nothing.
        let decides = match planted.id.as_str() {
            "rust_panic_tch" => signature("hip_invalid_device_function"),
            _ => Some(planted).filter(|planted| planted.terminal),
        };
        let by = done.classified.signature.as_deref();
        let class = decides.map_or(Class::AbortUnexplained, |decides| decides.class);
        let ended = match (planted.signals.first(), planted.codes.first()) {
            (Some(signal), _) => Ended::Signaled { signal: Signal(*signal) },
            (None, Some(code)) => Ended::Exited { code: *code },
            (None, None) if hangs => Ended::TimedOut { limit: Limit::Deadline },
            (None, None) => Ended::Signaled { signal: Signal(6) },
        };
        if seen
            && by == decides.map(|decides| decides.id.as_str())
            && done.classified.class == Some(class)
            && done.outcome == ProbeOutcome::Died(ended)
        {
            right += 1;
        } else {
            wrong.push(format!("{}: {:?} {:?} {by:?}", planted.id, done.outcome, done.classified.class));
        }
    }
    println!("{right} of {} simulated deaths are classified right", signatures().len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_fault_in_the_kernel_log_alone_changes_a_pass() {
    for planted in signatures().iter().filter(|each| each.stream == Stream::Kernel && each.terminal) {
        let bench = Bench::with(None);
        let log = bench.host.path().join(KMSG_FILE);
        let mut watched = KernelLog::open(&log).unwrap();
        let request = Request { on: Kind::Cpu, ..request(1) };
        // Somebody logs while a healthy worker runs.
        let mut worker =
            script(&format!("printf '%s\\n' \"$LINE\" >> {}; exec \"$WORKER\" probe-worker", log.display()));
        worker.env = vec![("LINE".into(), planted.examples[0].clone().into()), ("WORKER".into(), validate().into())];
        let done = supervise(&worker, &request, &patient(), Some(&mut watched), Cancel::new());
        assert_eq!(done.outcome, ProbeOutcome::Reported, "{}", planted.id);
        // A line that names another process is about that process.
        let named = done.classified.seen.iter().any(|seen| seen.signature == planted.id && seen.pid.is_some());
        let changes = planted.severity == Severity::Fatal && !named;
        assert_eq!(done.classified.class, changes.then_some(planted.class), "{}", planted.id);
        let numbers = [Judgement::Numbers(judgement(&done))];
        let expected = if changes { Status::KernelFault } else { Status::Pass };
        assert_eq!(status(&done, Kind::Cpu, &numbers), expected, "{}", planted.id);
    }
}

#[test]
fn every_other_way_to_be_wrong_is_told_from_the_others() {
    let died = |class| (Some(class), None);
    for (fault, limits, expected, problem) in [
        ("hang", impatient(), died(Class::Hang), None),
        ("hang_unmoved", impatient(), died(Class::Hang), None),
        ("no_bye", patient(), (Some(Class::Unknown), Some(())), Some("without saying bye")),
        ("garbage", patient(), (Some(Class::Unknown), Some(())), Some("line 3 is no message")),
        ("held_pipe", patient(), (Some(Class::Unknown), Some(())), Some("without saying bye")),
        ("flood", Limits { output: 1 << 20, ..patient() }, died(Class::OutputFlood), None),
        ("dies_after_bye", patient(), died(Class::Segfault), None),
        ("anothers_reset", patient(), died(Class::GpuHang), None),
    ] {
        let done = Bench::with(Some(fault)).run(&limits);
        let (class, broken) = expected;
        assert_eq!(done.classified.class, class, "{fault}: {:?}", done.outcome);
        assert_eq!(matches!(done.outcome, ProbeOutcome::ProtocolBroken(_)).then_some(()), broken, "{fault}");
        if let Some(problem) = problem {
            let ProbeOutcome::ProtocolBroken(found) = &done.outcome else { panic!("{fault}: {:?}", done.outcome) };
            assert!(found.to_string().contains(problem), "{fault}: {found}");
        }
        assert_eq!(done.is_collateral(), fault == "anothers_reset", "{fault}");
        assert_eq!(done.stops_the_run(), None, "{fault}");
        assert!(done.took < Duration::from_secs(30), "{fault}: {:?}", done.took);
    }
}

#[test]
fn wrong_numbers_come_from_a_worker_that_lives_and_the_judge_finds_them() {
    for fault in ["wrong_number", "not_finite", "zeros", "unwritten"] {
        let done = planted(fault);
        assert_eq!((&done.outcome, done.classified.class), (&ProbeOutcome::Reported, None), "{fault}");
        assert!(!right(&done), "{fault}");
    }
}

#[test]
fn running_out_of_memory_has_two_faces() {
    let raised = planted("oom_raised");
    assert_eq!((&raised.outcome, raised.classified.class), (&ProbeOutcome::Reported, None));
    let answer = &raised.said.answers[0].outcome;
    assert!(matches!(answer, Outcome::Raised { kind: Raised::OutOfMemory, .. }), "{answer:?}");
    let aborted = planted("hip_queue_abort_out_of_resources");
    assert_eq!(aborted.classified.class, Some(Class::ScratchOom));
    assert_eq!(aborted.outcome, ProbeOutcome::Died(Ended::Signaled { signal: Signal(6) }));
}

#[test]
fn the_three_ways_to_end_up_on_the_cpu_are_told_apart() {
    for (fault, why) in
        [("no_backend", Fallback::NoBackend), ("no_device", Fallback::NoDevice), ("elsewhere", Fallback::Elsewhere)]
    {
        let done = planted(fault);
        assert_eq!(done.outcome, ProbeOutcome::Reported, "{fault}");
        assert_eq!(ran(Kind::Gpu, &done.said, &done.outside), Some(Ran::OnCpu(why)), "{fault}");
    }
}

/// What a worker says that computes nothing and shows nothing.
const SAID: &str = r#"{"message":"hello","protocol":1,"engine":"mute","pid":1,"libraries":{},"gpu_backend":true,"gpus":1}
{"message":"result","repeat":0,"outcome":{"raised":{"kind":"other","text":"mute"}},"on":"gpu","evidence":[]}
{"message":"bye"}"#;

/// A simulated machine with its trees, and a worker of it watched from outside.
struct Watched {
    host: TempDir,
    trees: Trees,
}

impl Watched {
    fn with(fault: Option<&str>) -> Self {
        let host = scratch::folder();
        let mut machine = machine_named("rx6800xt").unwrap();
        machine.faults = fault.map(|name| format!("probe={name}").parse::<Fault>().unwrap()).into_iter().collect();
        create(host.path(), &machine, Faces::Both).unwrap();
        let trees = Trees { sys: host.path().join("sys"), proc: host.path().join("proc"), same_pids: true };
        Self { host, trees }
    }

    fn run(&self, worker: &Worker, limits: &Limits) -> Supervised {
        watch(worker, &request(2), limits, None, Some(&self.trees), Cancel::new())
    }

    fn users(&self) -> usize {
        std::fs::read_dir(self.trees.sys.join("class/kfd/kfd/proc")).unwrap().count()
    }
}

#[test]
fn the_driver_is_asked_where_a_worker_was_and_not_only_the_worker() {
    // Twice the same word of the worker: the driver has seen the one and not the other.
    for (fault, expected, work, nothing) in [
        (None, Ran::AsAsked, true, false),
        (Some("claims_gpu"), Ran::Contradicted, false, true),
        (Some("elsewhere"), Ran::OnCpu(Fallback::Elsewhere), false, true),
    ] {
        let bench = Watched::with(fault);
        let done = bench.run(&worker(Some(bench.host.path())), &patient());
        assert_eq!(done.outcome, ProbeOutcome::Reported, "{fault:?}: {}", String::from_utf8_lossy(&done.stderr));
        let outside = done.outside.value().unwrap();
        assert_eq!((outside.is_work(), outside.is_nothing()), (work, nothing), "{fault:?}: {outside:?}");
        assert_eq!(ran(Kind::Gpu, &done.said, &done.outside), Some(expected), "{fault:?}");
        let judged = [Judgement::Numbers(judgement(&done))];
        let passes = status(&done, Kind::Gpu, &judged) == Status::Pass;
        assert_eq!(passes, fault.is_none(), "{fault:?}");
        if work {
            let (_, most) = outside.most.kfd.first_key_value().unwrap();
            assert_eq!((most.vram, most.compute_queues), (Bytes(64 << 20), 1));
        }
        // What the kernel shows of a process goes with it, before anybody looks again.
        rocvet::host::Host::open(bench.host.path()).unwrap();
        assert_eq!(bench.users(), 0, "{fault:?}");
    }
}

#[test]
fn a_worker_that_is_killed_was_seen_before() {
    let bench = Watched::with(Some("hang_unmoved"));
    let done = bench.run(&worker(Some(bench.host.path())), &impatient());
    assert_eq!(done.classified.class, Some(Class::Hang));
    assert!(done.outside.value().is_some_and(|outside| outside.is_work() && outside.looks > 1), "{:?}", done.outside);
    assert_eq!(bench.users(), 1, "nobody has looked since");
    rocvet::host::Host::open(bench.host.path()).unwrap();
    assert_eq!(bench.users(), 0);
}

#[test]
fn a_worker_that_shows_nothing_itself_is_believed_where_the_driver_saw_it() {
    for (kernel, expected) in [
        // By itself, and by a child of its group that has the GPU.
        (
            "mkdir -p $K/$$/queues/0 $P/$$; echo 4096 > $K/$$/vram_1; echo 1 > $K/$$/queues/0/gpuid; echo 0 > $K/$$/queues/0/type",
            Ran::AsAsked,
        ),
        (
            "mkdir -p $K/7/queues/0 $P/7; echo 4096 > $K/7/vram_1; echo 1 > $K/7/queues/0/gpuid; echo 0 > $K/7/queues/0/type; echo \"7 (child) R $$ $$ $$\" > $P/7/stat",
            Ran::AsAsked,
        ),
        (
            "mkdir -p $K/7/queues/0 $P/7; echo 4096 > $K/7/vram_1; echo \"7 (stranger) R 1 7 7\" > $P/7/stat",
            Ran::Contradicted,
        ),
        ("rm -r $K", Ran::Unproven),
    ] {
        let bench = Watched::with(None);
        let stat = "mkdir -p $P/$$; echo \"$$ (sh) R 1 $$ $$\" > $P/$$/stat";
        let mut mute = script(&format!("cat > /dev/null; {stat}; {kernel}; printf '%s\\n' \"$SAID\""));
        mute.env = vec![
            ("SAID".into(), SAID.into()),
            ("K".into(), bench.trees.sys.join("class/kfd/kfd/proc").into()),
            ("P".into(), bench.trees.proc.clone().into()),
        ];
        let done = bench.run(&mute, &patient());
        assert_eq!(done.said.answers.len(), 1, "{kernel}: {:?} {}", done.said, String::from_utf8_lossy(&done.stderr));
        assert_eq!(ran(Kind::Gpu, &done.said, &done.outside), Some(expected), "{kernel}: {:?}", done.outside);
    }
}

/// A stand on the GPU of a simulated machine with this planted, its trees shown.
fn stand(fault: &str) -> (TempDir, Stand) {
    let host = scratch::folder();
    let mut machine = machine_named("rx6800xt").unwrap();
    machine.faults = vec![format!("probe={fault}").parse::<Fault>().unwrap()];
    create(host.path(), &machine, Faces::Both).unwrap();
    let stand = Stand::simulated(&validate(), host.path(), host.path().join(KMSG_FILE));
    let stand = Stand { limits: patient(), ..stand };
    (host, stand)
}

#[test]
fn what_befalls_the_machine_while_a_probe_runs_well_stops_the_run() {
    for (fault, status, told) in [
        ("oops", Status::KernelFault, Some("kernel taint D")),
        ("falls_off", Status::KernelFault, Some("is gone from sysfs")),
        ("k_device_lost", Status::Crash { signal: Signal(6) }, Some("gpu-lost")),
        ("zeros", Status::NumericError, None),
    ] {
        let (_host, stand) = stand(fault);
        let run = stand.run(&request(1), &Cancel::new()).unwrap();
        assert_eq!(run.status, status, "{fault}");
        match (run.stop, told) {
            (Some(stop), Some(told)) => assert!(stop.to_string().contains(told), "{fault}: {stop}"),
            (stop, told) => assert_eq!((stop, told), (None, None), "{fault}"),
        }
    }
}

/// By leaving its group a process gets out of the reach of signals, as one does that waits in a driver.
const ESCAPES: &str = "setpgrp(0, getpgrp(getppid())); sleep 600";

#[test]
fn a_process_that_cannot_be_killed_is_written_down_until_it_is_gone() {
    let perl = Path::new("/usr/bin/perl");
    if !perl.exists() {
        println!("skipped: no {}", perl.display());
        return;
    }
    let (host, stand) = stand("zeros");
    let state = host.path().join("state");
    let quarantine = Quarantine::new("/proc".into(), vec![state.clone()]);
    let soon = Duration::from_millis(300);
    let limits = Limits { first: soon, silence: soon, grace: soon, reap: soon, ..stand.limits };
    let worker = Worker::of(&validate(), perl, vec!["-e".into(), ESCAPES.into()]);
    let stand = Stand { worker, limits, quarantine: Some(quarantine.clone()), ..stand };
    let run = stand.run(&request(1), &Cancel::new()).unwrap();
    assert_eq!(run.status, Status::Hang);
    assert_eq!(run.done.outcome, ProbeOutcome::Died(Ended::Unreaped));
    assert!(run.stop.is_some_and(|stop| stop.to_string().contains("unkillable")), "{:?}", run.stop);
    let stopped = run.stopped().unwrap();
    let file = run.marked.unwrap().unwrap();
    assert!(stopped.ends_with(&format!("Until then it is left alone: {}.", file.display())), "{stopped}");
    assert!(file.starts_with(&state), "{}", file.display());
    let pid = run.done.left.unwrap();
    let held = quarantine.held().unwrap();
    assert_eq!(held.iter().map(|(held, _)| held.stuck.pid).collect::<Vec<_>>(), [pid]);
    assert!(held[0].0.to_string().contains("perl, "), "{}", held[0].0);
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    // It is gone a moment later.
    let gone = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        quarantine.held().unwrap().is_empty()
    });
    assert!(gone, "it was killed");
    assert!(!file.exists());
    // Where it cannot be written down, that is said.
    let nowhere = Some(Quarantine::new("/proc".into(), vec!["/dev/null/state".into()]));
    let run = Stand { quarantine: nowhere, ..stand.clone() }.run(&request(1), &Cancel::new()).unwrap();
    let stopped = run.stopped().unwrap();
    assert!(stopped.contains("could not be written down") && stopped.contains("/dev/null/state"), "{stopped}");
    // One that can be killed leaves nothing behind.
    let run = Stand { worker: Worker::of(&validate(), perl, vec!["-e".into(), "sleep 600".into()]), ..stand }
        .run(&request(1), &Cancel::new())
        .unwrap();
    assert_eq!((run.done.left, run.marked), (None, None));
    assert!(!file.exists());
}

#[test]
fn what_another_s_reset_took_down_is_run_again_alone_and_that_counts() {
    let starts = |host: &TempDir| std::fs::read(host.path().join(STARTS_FILE)).unwrap().len();
    for (fault, status, times) in [
        ("anothers_reset@start=1", Status::Pass, 2),
        ("anothers_reset", Status::Collateral, 2),
        ("hsa_memory_access_fault", Status::Crash { signal: Signal(6) }, 1),
    ] {
        let (host, stand) = stand(fault);
        let run = stand.run(&request(1), &Cancel::new()).unwrap();
        assert_eq!((&run.status, starts(&host)), (&status, times), "{fault}");
        let before = run.before.map(|before| before.status);
        assert_eq!(before, (times == 2).then_some(Status::Collateral), "{fault}");
    }
}

#[test]
fn every_planted_way_to_be_wrong_is_tested_here() {
    let text = [include_str!("probes.rs"), include_str!("probe_memory.rs"), include_str!("cli/matrix.rs")].concat();
    for fault in ProbeFault::all() {
        let named = text.contains(&format!("\"{}\"", fault.name()));
        assert!(named || matches!(fault, ProbeFault::Signature(_)), "{}", fault.name());
    }
}

/// What a process has is read from the kernel, behind whatever starts it; where it cannot be, nothing is said.
#[test]
fn a_worker_s_environment_is_the_one_of_its_process_and_not_what_was_asked_for() {
    let (_, rest) = SAID.split_once('\n').unwrap();
    let here = Trees { sys: "/sys".into(), proc: "/proc".into(), same_pids: true };
    // It is there for as long as somebody may want to look.
    let hello =
        r#"{"message":"hello","protocol":1,"engine":"mute","pid":%d,"libraries":{},"gpu_backend":true,"gpus":1}"#;
    let speaks = format!("printf '{hello}\\n' $$; sleep 1; cat <<'END'\n{rest}\nEND\n");
    for (name, text, expected) in [
        ("as it is started", speaks.as_str(), Ok("GPU_MAX_HW_QUEUES=1 HSA_XNACK=0")),
        ("another program", "exec env -u HSA_XNACK GPU_MAX_HW_QUEUES=2 sh -c \"$0\"", Ok("GPU_MAX_HW_QUEUES=2")),
        ("a wrapper that stays", "env HSA_XNACK=9 sh -c \"$0\"; exit $?", Ok("GPU_MAX_HW_QUEUES=1 HSA_XNACK=9")),
        ("nothing at all", "exec env -i /bin/sh -c \"$0\"", Ok("")),
        // What it sets itself is not what it was started with.
        ("itself", "export HSA_XNACK=5; eval \"$0\"", Ok("GPU_MAX_HW_QUEUES=1 HSA_XNACK=0")),
        ("another's number", &speaks.replace("$$", "1"), Err("was not started by")),
        ("without a word", "exit 3", Err("before it had said hello")),
    ] {
        let mut worker = script(text);
        worker.args.push(speaks.clone().into());
        worker.env = vec![("HSA_XNACK".into(), "0".into()), ("GPU_MAX_HW_QUEUES".into(), "1".into())];
        let done = watch(&worker, &request(1), &patient(), None, Some(&here), Cancel::new());
        let stderr = String::from_utf8_lossy(&done.stderr);
        match (expected, done.environment.value()) {
            (Ok(expected), Some(found)) => {
                assert_eq!(found.given["HSA_XNACK"], "0");
                let has: Vec<String> = found.has.iter().map(|(name, value)| format!("{name}={value}")).collect();
                assert_eq!(has.join(" "), expected, "{name}: {stderr}");
                // Its own caches are told only where it has lost them.
                assert_eq!(found.given.contains_key("MIOPEN_USER_DB_PATH"), expected.is_empty(), "{name}: {found:?}");
            }
            (Err(why), None) => {
                let problem = done.environment.absence().unwrap();
                assert!(problem.contains(why), "{name}: {problem} {stderr}");
            }
            (expected, found) => panic!("{name}: {expected:?} {found:?} {:?} {stderr}", done.environment),
        }
    }
}

#[test]
fn the_environment_of_a_simulated_worker_is_the_one_of_a_real_process() {
    for (fault, has) in [(None, Some("1")), (Some("environment_reset"), None)] {
        let bench = Watched::with(fault);
        let mut worker = worker(Some(bench.host.path()));
        worker.env = vec![("GPU_MAX_HW_QUEUES".into(), "1".into())];
        let done = bench.run(&worker, &patient());
        assert_eq!(done.outcome, ProbeOutcome::Reported, "{fault:?}: {}", String::from_utf8_lossy(&done.stderr));
        let found = done.environment.value().unwrap_or_else(|| panic!("{fault:?}: {:?}", done.environment));
        assert_eq!(found.has.get("GPU_MAX_HW_QUEUES").map(String::as_str), has, "{fault:?}");
        assert_eq!(found.given["GPU_MAX_HW_QUEUES"], "1");
        // Started in the place of the first one, it is the same worker.
        assert_eq!(std::fs::read(bench.host.path().join(STARTS_FILE)).unwrap().len(), 1, "{fault:?}");
    }
}

#[test]
fn the_reference_engine_is_a_worker_too() {
    let mut request = request(2);
    request.on = Kind::Cpu;
    let mut worker = worker(None);
    worker.launcher = launcher(Some(Bytes(4 << 30)));
    let done = supervise(&worker, &request, &patient(), None, Cancel::new());
    assert_eq!(done.outcome, ProbeOutcome::Reported, "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.said.hello.as_ref().unwrap().engine, "reference");
    assert!(right(&done));
    // Nobody gave a log, and the report must not say that there was nothing in it.
    assert!(done.classified.kernel_unread.is_some());
}

#[test]
fn a_worker_lives_in_a_folder_and_an_environment_of_its_own() {
    // The variables are those of a child of this test, and of nobody else.
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_that_prints_a_worker_s_world", "--ignored", "--nocapture"])
        .env("AMD_LOG_LEVEL_FILE", "/somewhere")
        .env("HSA_OVERRIDE_GFX_VERSION", "10.3.0")
        .env("ROCR_VISIBLE_DEVICES", "0")
        .env("MIOPEN_FIND_MODE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let world: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("W ")?.split_once('=')).collect();
    for name in ["AMD_LOG_LEVEL_FILE", "HSA_OVERRIDE_GFX_VERSION", "ROCR_VISIBLE_DEVICES", "MIOPEN_FIND_MODE"] {
        assert!(!world.contains_key(name), "{name}: {text}");
    }
    let home = world["HOME"];
    assert_eq!(world["PWD"], home);
    for name in ["TMPDIR", "XDG_CACHE_HOME", "MIOPEN_USER_DB_PATH", "MIOPEN_CUSTOM_CACHE_DIR"] {
        assert!(world[name].starts_with(home), "{name}");
    }
    assert_eq!(world["GIVEN"], "yes");
    assert_eq!((world["CORE"], world["MEMORY"]), ("0", "1048576"), "{text}");
    assert!(!Path::new(home).exists(), "the folder is gone with the worker");
}

/// Started by the test above with variables that a worker must not see.
#[test]
#[ignore = "a part of another test, which starts it"]
fn helper_that_prints_a_worker_s_world() {
    let mut worker =
        script("env | sed 's/^/W /' >&2; echo W CORE=$(ulimit -c) >&2; echo W MEMORY=$(ulimit -v) >&2; exit 3");
    worker.env = vec![("GIVEN".into(), "yes".into())];
    worker.launcher = launcher(Some(Bytes(1 << 30)));
    let done = supervise(&worker, &request(1), &patient(), None, Cancel::new());
    println!("{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn foreign_workers_are_held_to_the_same_rules() {
    for (text, outcome) in [
        ("exit 0", ProbeOutcome::ProtocolBroken(Problem::NoBye { missing: "hello" })),
        ("exit 7", ProbeOutcome::Died(Ended::Exited { code: 7 })),
        ("printf '{\"message\"'; kill -ABRT $$", ProbeOutcome::Died(Ended::Signaled { signal: Signal(6) })),
        // It forks, and goes: what it left is killed with the group and answers for nobody.
        (
            "(sleep 1; echo '{\"message\":\"bye\"}') & exit 0",
            ProbeOutcome::ProtocolBroken(Problem::NoBye { missing: "hello" }),
        ),
        ("head -c 100000000 /dev/zero; exit 0", ProbeOutcome::Died(Ended::TimedOut { limit: Limit::Output })),
    ] {
        let done = supervise(&script(text), &request(1), &patient(), None, Cancel::new());
        assert_eq!(done.outcome, outcome, "{text}");
        assert!(done.took < Duration::from_secs(20), "{text}: {:?}", done.took);
    }
    let silent = Limits { silence: Duration::from_millis(300), ..impatient() };
    let done = supervise(&script("sleep 60"), &request(1), &silent, None, Cancel::new());
    assert_eq!(done.outcome, ProbeOutcome::Died(Ended::TimedOut { limit: Limit::Silence }));
    let missing = Worker { program: "/no/such/worker".into(), ..script("") };
    let done = supervise(&missing, &request(1), &patient(), None, Cancel::new());
    assert_eq!(done.classified.class, Some(Class::Setup));
    assert!(String::from_utf8_lossy(&done.stderr).contains("/no/such/worker"));
}

/// A worker may do anything with its pipes and its children, and is told from one that keeps to the protocol.
#[test]
fn whatever_a_worker_does_with_its_pipes_is_bounded_and_told() {
    let timed_out = |limit| ProbeOutcome::Died(Ended::TimedOut { limit });
    let order =
        |line, problem: &str| ProbeOutcome::ProtocolBroken(Problem::OutOfOrder { line, problem: problem.to_owned() });
    let small = || Limits { output: 8 << 20, ..patient() };
    let no_bye = ProbeOutcome::ProtocolBroken(Problem::NoBye { missing: "bye" });
    for (text, limits, outcome) in [
        // Lines in pieces.
        ("printf '%.9s' \"$H\"; sleep 0.3; echo \"$H\" | tail -c +10; say R B", patient(), ProbeOutcome::Reported),
        // It forks, and both print.
        ("say H; (say R) & wait; say B", patient(), ProbeOutcome::Reported),
        ("(say H R B) & wait; say B", patient(), order(4, "something after bye")),
        ("say H; (say H); say R B", patient(), order(2, "a second hello")),
        // A grandchild of another session holds the pipes after a good bye.
        ("setsid sleep 20 & say H R B", patient(), ProbeOutcome::Reported),
        // It never reads, or closes what it has.
        ("exec 0<&-; say H R B", patient(), ProbeOutcome::Reported),
        ("say H R B; exec >&- 2>&-; sleep 0.3", patient(), ProbeOutcome::Reported),
        ("say H; exec >&-; sleep 0.3; exit 0", patient(), no_bye),
        ("say H; exec 0<&- >&- 2>&-; exec sleep 60", impatient(), timed_out(Limit::Deadline)),
        // A gigabyte.
        ("head -c 1073741824 /dev/zero", small(), timed_out(Limit::Output)),
        ("say H; head -c 1073741824 /dev/zero >&2; say R B", small(), timed_out(Limit::Output)),
        (
            "say H; head -c 5000000 /dev/zero; say R B",
            small(),
            ProbeOutcome::ProtocolBroken(Problem::TooLong { line: 2 }),
        ),
    ] {
        let mut worker = script(&format!(
            "say() {{ for each; do case $each in H) echo \"$H\";; R) echo \"$R\";; B) echo \"$B\";; esac; done; }}; {text}"
        ));
        let mut lines = SAID.lines();
        worker.env = ["H", "R", "B"].map(|name| (name.into(), lines.next().unwrap().into())).into();
        let done = supervise(&worker, &request(2), &limits, None, Cancel::new());
        assert_eq!(done.outcome, outcome, "{text}: {}", String::from_utf8_lossy(&done.stderr).len());
        assert!(done.took < Duration::from_secs(18), "{text}: {:?}", done.took);
        assert!(done.stderr.len() <= limits.output && done.said.noise.len() <= limits.output, "{text}");
    }
}

#[test]
fn a_planted_fault_shows_only_where_its_condition_holds() {
    let told = |fault: &str, probe: &str, env: &[(&str, &str)], starts: usize| {
        let bench = Bench::with(Some(fault));
        let request = Request::new(probe.parse().unwrap(), Kind::Gpu);
        let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let worker = Worker { env, ..worker(Some(bench.host.path())) };
        let run = || supervise(&worker, &request, &patient(), None, Cancel::new()).outcome == ProbeOutcome::Reported;
        (0..starts).map(|_| run()).collect::<Vec<_>>()
    };
    let boundary = "no_bye@op=conv2d,dtype=f16,height>=44";
    for (fault, probe, env, expected) in [
        (boundary, "conv2d/f16/1x4x42x42/2x3x3/s1p1d1g1/forward", &[][..], &[true][..]),
        (boundary, "conv2d/f16/1x4x44x44/2x3x3/s1p1d1g1/forward", &[], &[false]),
        (boundary, "conv2d/f32/1x4x44x44/2x3x3/s1p1d1g1/forward", &[], &[true]),
        ("no_bye@env.MIOPEN_FIND_MODE!=2", "matmul/f32/4x4x4", &[], &[false]),
        ("no_bye@env.MIOPEN_FIND_MODE!=2", "matmul/f32/4x4x4", &[("MIOPEN_FIND_MODE", "2")], &[true]),
        ("no_bye@every=2", "matmul/f32/4x4x4", &[], &[true, false, true, false]),
        ("no_bye@start=1", "matmul/f32/4x4x4", &[], &[false, true]),
    ] {
        assert_eq!(told(fault, probe, env, expected.len()), expected, "{fault} {probe}");
    }
}
