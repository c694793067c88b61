//! Forks of a warm parent beside fresh workers: however one ends, the supervisor says the same of both.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use rocvet::domain::{Bytes, Ended, Limit, Signal, Status};
use rocvet::probe::engine::serve::{converse, greet, request};
use rocvet::probe::protocol::{Answer, Hello, Kind, Outcome, PROTOCOL, Raised, Request};
use rocvet::probe::stand::{Engine, ProbeRun, Stand};
use rocvet::probe::supervise::{Limits, ProbeOutcome, Worker};
use rocvet::probe::warm::{NotWarm, WarmParent};
use rocvet::probe::{Output, ProbeSpec};
use rocvet::process::Cancel;
use rustix::process::{Pid, getpgrp, getpid, kill_process, test_kill_process};

use crate::agreement;

/// First argument of this program when it is a worker that misbehaves.
const WORKER: &str = "--misbehave";

/// Variable that says how.
const HOW: &str = "HOW";

/// What this program does as a worker; `None` when it is the tests.
pub fn misbehave() -> Option<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first()? != WORKER {
        return None;
    }
    let mut warm = args.iter().skip_while(|arg| *arg != "--warm").skip(1);
    if let Some(socket) = warm.next() {
        let other = args.contains(&"--threads".to_owned()).then(|| std::thread::spawn(std::thread::park));
        if let Err(problem) = crate::warm::serve(socket.as_ref()) {
            anstream::eprintln!("{problem}");
            return Some(ExitCode::FAILURE);
        }
        assert!(other.is_none(), "a parent with two threads forked");
    }
    Some(ExitCode::from(behave(&std::env::var(HOW).unwrap_or_default())))
}

fn behave(how: &str) -> u8 {
    let asked = request(std::io::stdin().lock()).unwrap();
    let mut out = std::io::stdout();
    let hello = Hello {
        protocol: PROTOCOL,
        engine: "torch".to_owned(),
        pid: std::process::id(),
        libraries: std::collections::BTreeMap::new(),
        gpu_backend: false,
        gpus: 0,
        device: None,
        mapped: Vec::new(),
    };
    match how {
        "exits" => return 7,
        "says nothing" => return 0,
        _ => greet(&mut out, &hello).unwrap(),
    }
    match how {
        "segfaults" => loop {
            kill_process(getpid(), rustix::process::Signal::SEGV).unwrap();
        },
        "aborts" => std::process::abort(),
        "hangs" => std::thread::sleep(Duration::from_secs(600)),
        "hangs unmoved" => {
            signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::new(AtomicBool::new(false))).unwrap();
            loop {
                std::thread::sleep(Duration::from_secs(600));
            }
        }
        "floods" => {
            let line = [b'x'; 4096];
            while std::io::stderr().write_all(&line).is_ok() {}
        }
        "leaves a child" => drop(Command::new("sleep").arg("60").spawn().unwrap()),
        "leaves a child elsewhere" => drop(Command::new("sleep").arg("3").process_group(0).spawn().unwrap()),
        "tells of its world" => {
            let world = ["HOME", "TMPDIR", "GIVEN", "CARGO_MANIFEST_DIR"];
            for name in world {
                anstream::eprintln!("{name}={}", std::env::var(name).unwrap_or_default());
            }
            let folder = std::env::current_dir().unwrap();
            let memory = rustix::process::getrlimit(rustix::process::Resource::As).maximum;
            let core = rustix::process::getrlimit(rustix::process::Resource::Core).maximum;
            anstream::eprintln!("PWD={}\nMEMORY={memory:?}\nCORE={core:?}", folder.display());
            anstream::eprintln!("GROUP={}", getpgrp() == getpid());
        }
        _ => {}
    }
    let numbers = Output::of(&rocvet::probe::engine::reference::run(&asked.probe).unwrap());
    converse(&mut out, &asked, &|| Duration::ZERO, &mut |repeat| Answer {
        repeat,
        outcome: Outcome::Numbers(numbers.clone()),
        on: Kind::Cpu,
        evidence: Vec::new(),
    })
    .unwrap();
    u8::from(how == "exits after bye") * 9
}

/// This program as a worker.
fn stand() -> Stand {
    let program = std::env::current_exe().unwrap();
    let worker = Worker::of(&agreement::validate(), &program, vec![WORKER.into()]);
    let limits = Limits {
        first: Duration::from_secs(3),
        grace: Duration::from_millis(500),
        output: 1 << 20,
        ..Limits::default()
    };
    Stand { limits, ..Stand::here(Engine::Torch, worker, Kind::Cpu) }
}

fn run(stand: &Stand, how: &str, cancel: &Cancel) -> ProbeRun {
    let mut stand = stand.clone();
    stand.worker.env.push((HOW.into(), how.into()));
    let spec: ProbeSpec = "matmul/f32/4x4x4".parse().unwrap();
    stand.run(&Request::new(spec, Kind::Cpu), cancel).unwrap()
}

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("a fork that misbehaves is told as a fresh worker that does", same_as_fresh),
        Trial::test("a fork has its own world, as a fresh worker has", own_world),
        Trial::test("a fork that is stopped is gone, and its parent serves on", stopped_and_gone),
        Trial::test("forks run beside each other", beside_each_other),
        Trial::test("a fork whose caller is killed is killed", caller_killed),
        Trial::test("what cannot be a warm parent says why", no_parent),
        Trial::test("libtorch in a fork computes, and runs out of the memory that its probe has", real_worker),
    ]
}

fn same_as_fresh() -> Result<(), Failed> {
    let fresh = stand();
    let parent = WarmParent::start(&fresh)?;
    let exited = |code| ProbeOutcome::Died(Ended::Exited { code });
    let signaled = |number| ProbeOutcome::Died(Ended::Signaled { signal: Signal(number) });
    let stopped = |limit| ProbeOutcome::Died(Ended::TimedOut { limit });
    for (how, expected) in [
        ("answers", Some(ProbeOutcome::Reported)),
        ("exits", Some(exited(7))),
        ("exits after bye", Some(exited(9))),
        // Without a bye.
        ("says nothing", None),
        ("segfaults", Some(signaled(11))),
        ("aborts", Some(signaled(6))),
        ("hangs", Some(stopped(Limit::Deadline))),
        ("hangs unmoved", Some(stopped(Limit::Deadline))),
        ("floods", Some(stopped(Limit::Output))),
        ("leaves a child", Some(ProbeOutcome::Reported)),
        ("leaves a child elsewhere", Some(ProbeOutcome::Reported)),
        ("answers", Some(ProbeOutcome::Reported)),
    ] {
        let [one, other] = [&fresh, parent.stand()].map(|stand| run(stand, how, &Cancel::new()));
        let words = String::from_utf8_lossy(&other.done.stderr[..other.done.stderr.len().min(500)]).into_owned();
        assert_eq!(one.done.outcome, other.done.outcome, "{how}: {words}");
        assert_eq!(one.done.classified.class, other.done.classified.class, "{how}");
        assert_eq!(one.status, other.status, "{how}");
        // What was heard of a worker before it was stopped is a matter of moments.
        if !matches!(one.done.outcome, ProbeOutcome::Died(Ended::TimedOut { .. })) {
            assert_eq!(one.judged.len(), other.judged.len(), "{how}");
        }
        match expected {
            Some(expected) => assert_eq!(other.done.outcome, expected, "{how}: {words}"),
            None => assert!(matches!(other.done.outcome, ProbeOutcome::ProtocolBroken(_)), "{how}"),
        }
        assert!(other.done.took < Duration::from_secs(60), "{how}: {:?}", other.done.took);
    }
    Ok(())
}

fn own_world() -> Result<(), Failed> {
    let mut fresh = stand();
    fresh.worker.launcher.memory = Some(Bytes(8 << 30));
    let parent = WarmParent::start(&fresh)?;
    let world = |stand: &Stand, given: &str| {
        let mut stand = stand.clone();
        stand.worker.env.push(("GIVEN".into(), given.into()));
        let done = run(&stand, "tells of its world", &Cancel::new()).done;
        let text = String::from_utf8(done.stderr).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<std::collections::BTreeMap<_, _>>()
    };
    let (one, two, three) = (world(&fresh, "a"), world(parent.stand(), "b"), world(parent.stand(), "c"));
    for (each, given) in [(&one, "a"), (&two, "b"), (&three, "c")] {
        assert_eq!((each["GIVEN"].as_str(), each["CARGO_MANIFEST_DIR"].as_str()), (given, ""), "{each:?}");
        assert_eq!((&each["HOME"], &each["TMPDIR"]), (&each["PWD"], &each["PWD"]), "{each:?}");
        assert_eq!((each["MEMORY"].as_str(), each["CORE"].as_str()), ("Some(8589934592)", "Some(0)"));
        assert!(!PathBuf::from(&each["HOME"]).exists(), "the folder is gone with the probe");
    }
    assert_ne!(two["HOME"], three["HOME"]);
    // A fresh worker leads its group; a fork is in its trampoline's.
    assert_eq!((one["GROUP"].as_str(), two["GROUP"].as_str()), ("true", "false"));
    Ok(())
}

/// Whether a process is gone, soon.
fn is_gone(pid: u32) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        if test_kill_process(pid).is_err() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn stopped_and_gone() -> Result<(), Failed> {
    let parent = WarmParent::start(&stand())?;
    for how in ["hangs", "hangs unmoved"] {
        let cancel = Cancel::new();
        let flag = cancel.clone();
        let later = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(500));
            flag.cancel();
        });
        let run = run(parent.stand(), how, &cancel);
        later.join().unwrap();
        assert_eq!(run.done.outcome, ProbeOutcome::Died(Ended::Cancelled), "{how}");
        assert!(is_gone(run.done.said.hello.unwrap().pid), "{how}");
    }
    assert_eq!(run(parent.stand(), "answers", &Cancel::new()).status, Status::Pass);
    Ok(())
}

fn beside_each_other() -> Result<(), Failed> {
    let parent = WarmParent::start(&stand())?;
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| run(parent.stand(), "hangs", &Cancel::new()));
        for _ in 0..5 {
            assert_eq!(run(parent.stand(), "answers", &Cancel::new()).status, Status::Pass);
        }
        assert_eq!(slow.join().unwrap().status, Status::Hang);
    });
    Ok(())
}

fn caller_killed() -> Result<(), Failed> {
    let parent = WarmParent::start(&stand())?;
    let worker = &parent.stand().worker;
    // The trampoline by hand, and killed alone: nobody kills the group.
    let mut caller = Command::new(&worker.launcher.program)
        .args(&worker.launcher.args)
        .args(["--parent", &std::process::id().to_string(), "--"])
        .arg(&worker.program)
        .env(HOW, "hangs")
        .process_group(0)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let asked = Request::new("matmul/f32/4x4x4".parse()?, Kind::Cpu);
    caller.stdin.take().unwrap().write_all(&serde_json::to_vec(&asked)?)?;
    let mut line = String::new();
    // Kept open: a fork that cannot speak would end by itself.
    let mut said = std::io::BufReader::new(caller.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut line)?;
    let hello: serde_json::Value = serde_json::from_str(&line)?;
    caller.kill()?;
    caller.wait()?;
    assert!(is_gone(u32::try_from(hello["pid"].as_u64().unwrap())?));
    Ok(())
}

fn no_parent() -> Result<(), Failed> {
    let stand = stand();
    assert_eq!(WarmParent::start(&Stand { on: Kind::Gpu, ..stand.clone() }).unwrap_err(), NotWarm::Gpu);
    let mut threads = stand.clone();
    threads.worker.args.push("--threads".into());
    let problem = WarmParent::start(&threads).unwrap_err().to_string();
    assert!(problem.contains("there are 2 threads"), "{problem}");
    let other = Stand { worker: Worker::of(&agreement::validate(), "/bin/true".as_ref(), Vec::new()), ..stand };
    let problem = WarmParent::start(&other).unwrap_err().to_string();
    assert!(problem.contains("/bin/true did not become a warm parent"), "{problem}");
    Ok(())
}

fn real_worker() -> Result<(), Failed> {
    let mut fresh = agreement::stand();
    fresh.worker.launcher.memory = Some(Bytes(3 << 30));
    let parent = WarmParent::start(&fresh)?;
    let run = |text: &str| {
        let request = Request::new(text.parse().unwrap(), Kind::Cpu);
        parent.stand().run(&request, &Cancel::new()).unwrap()
    };
    let good = run("conv2d/f32/1x16x44x44/32x3x3/s1p0d1g1/forward");
    assert_eq!(good.status, Status::Pass);
    // 4 GiB of result.
    let large = run("matmul/f32/32768x1x32768");
    let Outcome::Raised { kind, text } = &large.done.said.answers[0].outcome else {
        panic!("{:?}", large.done.outcome)
    };
    assert_eq!(*kind, Raised::OutOfMemory, "{text}");
    let pid = |run: &ProbeRun| run.done.said.hello.as_ref().unwrap().pid;
    assert_ne!(pid(&good), pid(&large));
    Ok(())
}
