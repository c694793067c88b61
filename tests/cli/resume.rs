//! Runs that are cut off and go on: nothing that ended is lost or repeated, and what took the machine down is not run again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rocvet::domain::StatusWord;
use rocvet::run::Event;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::support::{Bench, COUNT, events, in_memory, kill_after, record, scenario, spawn, until};

/// Cases of the runs here; each is one call of amd-smi on the host.
const CASES: usize = 6;

fn bench(host: &Path, shim: &str) -> Bench {
    let bench = Bench::new();
    for n in 0..CASES {
        bench.write(&format!("s/{n}.toml"), scenario(&[], COUNT).replace("a test", &format!("test {n}")));
    }
    let at = host.display().to_string();
    bench.must(
        &[&["shim", &at, "--machine", "mi300x"], shim.split_whitespace().collect::<Vec<_>>().as_slice()].concat(),
    );
    bench
}

/// Calls of amd-smi on a host that counts them.
fn calls(host: &Path) -> u64 {
    let state: Value = serde_json::from_slice(&fs::read(host.join("state.json")).unwrap()).unwrap();
    state["calls"].as_u64().unwrap()
}

/// How often each case was begun and how often it ended.
fn tally(run: &Path) -> BTreeMap<String, (usize, usize)> {
    let mut tally: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for event in events(run) {
        match event {
            Event::CaseStarted { id, .. } => {
                let entry = tally.entry(id.clone()).or_default();
                assert_eq!(entry.1, 0, "{id} is run again although it ended");
                entry.0 += 1;
            }
            Event::CaseFinished { case } => tally.entry(case.id.clone()).or_default().1 += 1,
            Event::RunStarted { .. } | Event::RunResumed { .. } | Event::RunFinished { .. } => {}
        }
    }
    tally
}

/// The boot of a simulated machine from now on.
fn boot(host: &Path, id: &str) {
    let file = host.join("proc/sys/kernel/random/boot_id");
    fs::remove_file(&file).unwrap();
    fs::write(file, format!("{id}\n")).unwrap();
}

/// Whole lines of a journal.
fn lines_of(run: &Path) -> usize {
    fs::read(run.join("events.jsonl")).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
}

fn results(folder: &Path) -> Vec<PathBuf> {
    let runs = fs::read_dir(folder).map(|runs| runs.flatten().map(|run| run.path()).collect());
    runs.unwrap_or_default()
}

#[test]
fn wherever_a_run_is_killed_nothing_that_ended_is_lost_or_repeated() {
    const POINTS: usize = 8;
    let mut random = fastrand::Rng::with_seed(20_261_121);
    let (folder, _) = in_memory();
    let host = folder.path().join("sim");
    // A fault that never comes makes the host count its calls.
    let bench = bench(&host, "--fault after=1000000:hang");
    let results_in = folder.path().join("r");
    let (at, into) = (host.display().to_string(), results_in.display().to_string());
    let begin = ["run", "s", "--host", &at, "--jobs", "1", "--results", &into];
    assert_eq!(bench.run(&begin).code, 0);
    let for_all = calls(&host);
    let (mut cut, mut kills, mut ended) = (0, 0, 0);
    for _ in 0..POINTS {
        let known = results(&results_in);
        let run = || results(&results_in).into_iter().find(|run| !known.contains(run));
        let mut child = spawn(&bench, &begin.join(" "));
        let lines = random.usize(1..=2 * CASES);
        until(|| run().is_some_and(|run| lines_of(&run) >= lines));
        sleep(Duration::from_micros(random.u64(0..30_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let mut killed = 1;
        let run = run().unwrap();
        let resume = format!("run --resume {}", run.display());
        while random.bool() {
            kill_after(spawn(&bench, &resume), random.f64() * 0.2);
            killed += 1;
            kills += 1;
        }
        let done = bench.run(&resume.split(' ').collect::<Vec<_>>());
        assert_eq!(done.code, 0, "{}", done.told());
        let (tally, record) = (tally(&run), record(&run));
        assert_eq!((tally.len(), record.cases.len()), (CASES, CASES), "{tally:?}");
        assert!(tally.values().all(|(begun, ended)| *begun >= 1 && *ended == 1), "{tally:?}");
        assert!(record.cases.iter().all(|case| case.status.word() == StatusWord::Pass));
        let again: usize = tally.values().map(|(begun, _)| begun - 1).sum();
        assert!(again <= killed, "{again} cases were begun again after {killed} kills");
        cut += again;
        ended += 1;
    }
    // Who counts the calls is the machine. A case is one of them, and planning is another for each start: a kill costs
    // the case that was in flight, and the next start.
    let called = calls(&host);
    assert!(
        called <= for_all * (1 + ended) + kills * 2,
        "{called} calls in {ended} runs with {kills} kills, {for_all} in one"
    );
    assert!(cut > 2, "{cut} cases were cut off by {kills} kills: nothing is shown");
}

#[test]
fn what_took_the_machine_down_is_a_machine_hang_and_is_not_run_again() {
    for rebooted in [true, false] {
        let bench = Bench::new();
        let host = bench.path("sim");
        bench.must(&["shim", "sim", "--machine", "mi300x", "--fault", "after=1000000:hang", "--fault", "delay=300ms"]);
        for n in 0..3 {
            bench.write(&format!("s/{n}.toml"), scenario(&[], COUNT).replace("a test", &format!("test {n}")));
        }
        let mut child = spawn(&bench, "run s --host sim --jobs 1 --results r");
        let ended = |run: &Path| tally(run).get("0").is_some_and(|(_, ended)| *ended == 1);
        let in_flight = |run: &Path| tally(run).get("1").is_some_and(|(begun, _)| *begun == 1);
        let whole = |run: &Path| fs::read(run.join("events.jsonl")).is_ok_and(|text| text.ends_with(b"\n"));
        until(|| results(&bench.path("r")).iter().any(|run| whole(run) && ended(run) && in_flight(run)));
        child.kill().unwrap();
        child.wait().unwrap();
        let run = bench.only_run("r");
        let id = run.file_name().unwrap().to_str().unwrap();
        fs::create_dir_all(host.join("sys/fs/pstore")).unwrap();
        fs::write(host.join("sys/fs/pstore/dmesg-efi-1"), "Kernel panic - not syncing: GPU hang\n").unwrap();
        if rebooted {
            boot(&host, "another-boot");
        }
        let done = bench.run(&["run", "--resume", &format!("r/{id}")]);
        assert_eq!(done.code, i32::from(rebooted), "{}", done.told());
        let record = record(&run);
        let words: Vec<_> = record.cases.iter().map(|case| case.status.word().name()).collect();
        let expected = if rebooted { ["pass", "machine-hang", "pass"] } else { ["pass"; 3] };
        assert_eq!(words, expected, "{}", done.told());
        assert_eq!(tally(&run)["1"], if rebooted { (1, 1) } else { (2, 1) });
        assert_eq!(record.run.resumed, 1);
        if rebooted {
            let evidence = run.join(record.cases[1].evidence.as_ref().unwrap());
            let log = fs::read_to_string(evidence.join("previous-boot.log")).unwrap();
            assert!(log.contains("GPU hang") && log.contains("sys/fs/pstore/dmesg-efi-1"), "{log}");
        }
        // All has ended: nothing is run, and the verdict is the same.
        let again = bench.run(&["run", "--resume", &format!("r/{id}")]);
        assert_eq!(again.code, done.code, "{}", again.told());
        assert_eq!(self::record(&run).cases, record.cases);
    }
}

#[test]
fn an_interrupted_run_says_how_it_goes_on_and_does() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi300x", "--fault", "after=3:delay=2s"]);
    for n in 0..4 {
        bench.write(&format!("s/{n}.toml"), scenario(&[], COUNT));
    }
    let mut command = bench.command(&["run", "s", "--host", "sim", "--jobs", "1", "--results", "r"]);
    let child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    until(|| {
        results(&bench.path("r")).iter().any(|run| run.join("events.jsonl").metadata().is_ok_and(|f| f.len() > 900))
    });
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(143));
    let told = String::from_utf8(done.stderr).unwrap();
    let words = told.lines().find_map(|line| line.strip_prefix("resume   validate ")).expect("how it goes on");
    let done = bench.run(&words.split(' ').collect::<Vec<_>>());
    assert_eq!(done.code, 0, "{words}: {}", done.told());
    let record = record(&bench.only_run("r"));
    assert_eq!(record.cases.len(), 4);
    assert!(record.cases.iter().all(|case| case.status.word() == StatusWord::Pass), "{}", done.told());
}

#[test]
fn what_cannot_go_on_is_refused_with_the_reason() {
    let bench = Bench::new();
    bench.write("s/a.toml", scenario(&[], COUNT));
    bench.write("s/b.toml", scenario(&[], COUNT));
    bench.must(&["run", "s", "--results", "r"]);
    let run = bench.only_run("r");
    let journal = run.join("events.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let refused = |what: &str, told: &str| {
        let done = bench.run(&["run", "--resume", run.to_str().unwrap()]);
        assert!(done.code == 64 && done.stderr.contains(told), "{what}: {}", done.told());
    };
    bench.write("s/b.toml", scenario(&[], COUNT).replace("to see it", "to see another"));
    refused("a scenario changed", "the plan is not the one");
    bench.write("s/b.toml", scenario(&[], COUNT));
    for (what, spoilt, told) in [
        ("garbage", text.replacen("{\"event\":\"case-started\"", "{\"event\":", 1), "events.jsonl, line 2: "),
        ("another version", text.replace("rocvet.events/1", "rocvet.events/9"), "a version that this program"),
        ("an earlier version", text.replacen("\"plan\":", "\"plaice\":", 1), "could not go on with a run"),
        ("no start", text.lines().skip(1).map(|line| format!("{line}\n")).collect(), "does not begin with the start"),
        (
            "another command",
            text.replacen("[\"validate\",\"run\"", "[\"validate\",\"list\"", 1),
            "none of this version",
        ),
        ("no run id", text.replacen("\"run\":\"2", "\"run\":\"x2", 1), "is no run id"),
    ] {
        assert_ne!(spoilt, text, "{what}");
        fs::write(&journal, spoilt).unwrap();
        refused(what, told);
    }
    fs::remove_file(&journal).unwrap();
    refused("no journal", "no such file");
    fs::write(&journal, &text).unwrap();
    assert_eq!(bench.run(&["run", "--resume", run.to_str().unwrap()]).code, 0);
    let done = bench.run(&["run", "--resume", "20200101T000000Z-000000"]);
    assert!(done.code == 64 && done.stderr.contains("no such file"), "{}", done.told());
    let done = bench.run(&["run", "s", "--resume", "x"]);
    assert!(done.code == 64 && done.stderr.contains("cannot be used with"), "{}", done.told());
}

/// Workers that were started on a host; the machine counts them.
fn starts(host: &Path) -> usize {
    fs::read(host.join("probe-starts")).map_or(0, |starts| starts.len())
}

/// Names and statuses of the probes that ended, by the lines of a journal.
fn ended(run: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let finished = lines.filter(|line| line["event"] == "process-finished");
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    finished.map(|line| (word(&line["process"]), word(&line["came"]["status"]))).collect()
}

#[test]
fn wherever_probes_are_killed_nothing_that_ended_is_lost_or_repeated() {
    const REPEATS: usize = 6;
    let mut random = fastrand::Rng::with_seed(20_261_122);
    let (folder, bench) = in_memory();
    let (host, into) = (folder.path().join("sim"), folder.path().join("r"));
    let (at, to) = (host.display(), into.display());
    bench.must(&["shim", &at.to_string(), "--machine", "rx6800xt"]);
    let begin = format!("probe matmul/f32/8x8x8 --engine simulated --host {at} --repeat {REPEATS} --results {to}");
    let mut cut = 0;
    for _ in 0..6 {
        let (known, before) = (results(&into), starts(&host));
        let run = || results(&into).into_iter().find(|run| !known.contains(run));
        let mut child = spawn(&bench, &begin);
        let lines = random.usize(1..=2 * REPEATS);
        until(|| run().is_some_and(|run| lines_of(&run) >= lines));
        sleep(Duration::from_micros(random.u64(0..30_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let run = run().unwrap();
        let resume = format!("probe --resume {}", run.display());
        let mut kills = 1;
        while random.bool() {
            kill_after(spawn(&bench, &resume), random.f64() * 0.1);
            kills += 1;
        }
        let done = bench.run(&resume.split(' ').collect::<Vec<_>>());
        assert!(done.code == 0 && done.stdout.contains("6 of 6 passed"), "{}", done.told());
        let ended = ended(&run);
        let names: std::collections::BTreeSet<_> = ended.iter().map(|(name, _)| name).collect();
        assert_eq!((ended.len(), names.len()), (REPEATS, REPEATS), "{ended:?}");
        // A kill costs the process that was in flight, and no other.
        let started = starts(&host) - before;
        assert!((REPEATS..=REPEATS + kills).contains(&started), "{started} processes after {kills} kills");
        cut += started - REPEATS;
    }
    assert!(cut > 0, "nothing was cut off: nothing is shown");
}

#[test]
fn the_probe_in_flight_at_a_reboot_is_a_machine_hang_and_the_others_are_run() {
    let bench = Bench::new();
    // The first process of the second probe hangs.
    bench.must(&["shim", "sim", "--machine", "rx6800xt", "--fault", "probe=hang@start=3"]);
    let host = bench.path("sim");
    let mut child =
        spawn(&bench, "probe conv-boundary --dtype f16 --engine simulated --host sim --repeat 2 --results r");
    until(|| starts(&host) == 3);
    child.kill().unwrap();
    child.wait().unwrap();
    boot(&host, "another-boot");
    fs::create_dir_all(host.join("sys/fs/pstore")).unwrap();
    fs::write(host.join("sys/fs/pstore/dmesg-efi-1"), "amdgpu: GPU reset begin!\n").unwrap();
    let run = bench.only_run("r");
    let done = bench.run(&["probe", "--resume", run.to_str().unwrap()]);
    assert_eq!(done.code, 1, "{}", done.told());
    let ended = ended(&run);
    let hung: Vec<_> = ended.iter().filter(|(_, status)| status == "machine-hang").collect();
    assert!(hung.len() == 1 && hung[0].0.starts_with("1-1/"), "{ended:?}");
    assert!(!ended.iter().any(|(name, _)| name.starts_with("1-2/")), "it would take the machine down again");
    assert!(done.stdout.contains("machine-hang") && done.stdout.contains("dmesg-efi-1"), "{}", done.told());
    let others = ended.iter().filter(|(name, status)| !name.starts_with("1-") && status == "pass").count();
    assert!(others >= 4 && starts(&host) == 1 + others, "{ended:?}");
}

#[test]
fn a_run_of_probes_that_is_stopped_says_what_was_not_run() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "rx6800xt", "--fault", "probe=falls_off@start=2"]);
    let done = bench.run(
        &"probe matmul/f32/8x8x8 --engine simulated --host sim --repeat 4 --results r".split(' ').collect::<Vec<_>>(),
    );
    assert!(done.code == 112 && done.stderr.contains("not run  2: matmul/f32/8x8x8"), "{}", done.told());
    let words = done.stderr.lines().find_map(|line| line.strip_prefix("resume   validate ")).expect("how it goes on");
    let done = bench.run(&words.split(' ').collect::<Vec<_>>());
    assert!(done.stdout.contains("3 of 4 passed"), "{}", done.told());
    // Another command's journal, and one that is spoilt.
    let run = bench.only_run("r");
    let done = bench.run(&["run", "--resume", run.to_str().unwrap()]);
    assert_eq!(done.code, 64, "{}", done.told());
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    for (spoilt, told) in [
        (text.replacen("matmul/f32/8x8x8\",", "matmul/f32/8x8x9\",", 1), "the plan is not the one"),
        (text.replacen("probes/1", "probes/7", 1), "its journal is \"rocvet.probes/7\""),
        (text.replacen("\"status\":\"pass\"", "\"status\":\"fine\"", 1), "line 3: "),
    ] {
        assert_ne!(spoilt, text, "{told}");
        fs::write(run.join("events.jsonl"), spoilt).unwrap();
        let done = bench.run(&["probe", "--resume", run.to_str().unwrap()]);
        assert!(done.code == 64 && done.stderr.contains(told), "{told}: {}", done.told());
    }
}
