//! What a run leaves: the record, the journal, the evidence, and the reports of every format.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rocvet::domain::StatusWord;
use rocvet::run::{CaseRecord, Event, RunRecord};

use super::support::{Bench, COUNT, events, record, scenario};

const SWEEP: &str = "[sweep]\nn = [1, 2, 3, 4, 5]\n[[check]]\nid = 'devices.count'\nper-gpu = '${n}'";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("pass.toml", scenario(&[], COUNT));
    bench.write("fail.toml", scenario(&[], SWEEP));
    bench.write("gap.toml", scenario(&["driver_missing"], COUNT));
    bench
}

fn count(record: &RunRecord, word: StatusWord) -> usize {
    record.cases.iter().filter(|case| case.status.word() == word).count()
}

#[test]
fn the_record_of_every_kind_of_run_follows_its_schema() {
    let bench = bench();
    let schema = serde_json::from_str(&bench.must(&["schema", "run"])).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (files, code) in [(&["pass.toml"][..], 0), (&["fail.toml", "pass.toml"], 1), (&["gap.toml"], 3)] {
        let done = bench.run(&[&["run", "--format", "json", "--results", "r"], files].concat());
        assert_eq!(done.code, code, "{}", done.told());
        let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        let problems: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{files:?}: {problems:?}");
        assert_eq!(document["exit"]["code"], code);
        let record: RunRecord = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(serde_json::to_value(&record).unwrap(), document, "nothing is lost on the way");
        let mut spoiled = document;
        spoiled["cases"][0]["status"] = "fine".into();
        assert!(!validator.is_valid(&spoiled), "the schema admits anything");
    }
}

#[test]
fn every_planned_case_has_exactly_one_record_and_its_events() {
    let bench = bench();
    for jobs in ["1", "4"] {
        let results = format!("r{jobs}");
        bench.run(&["run", ".", "--jobs", jobs, "--results", &results]);
        let run = bench.only_run(&results);
        let (record, events) = (record(&run), events(&run));
        let Some(Event::RunStarted { schema, run: id, cases, .. }) = events.first() else { panic!("{events:?}") };
        assert_eq!((schema.as_str(), id), ("rocvet.events/1", &record.run.id));
        let recorded: Vec<_> = record.cases.iter().map(|case| case.id.clone()).collect();
        assert_eq!(&recorded, cases);
        assert_eq!(recorded, ["fail::n=1", "fail::n=2", "fail::n=3", "fail::n=4", "fail::n=5", "gap", "pass"]);
        let mut seen: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for event in &events {
            match event {
                Event::CaseStarted { id, .. } => seen.entry(id).or_default().0 += 1,
                Event::CaseFinished { case } => {
                    seen.entry(&case.id).or_default().1 += 1;
                    assert!(record.cases.contains(case), "the journal and the record tell the same of {}", case.id);
                }
                Event::RunStarted { .. } | Event::RunResumed { .. } | Event::RunFinished { .. } => {}
            }
        }
        assert!(recorded.iter().all(|id| seen[id.as_str()] == (1, 1)), "{seen:?}");
        assert_eq!(events.last(), Some(&Event::RunFinished { exit: 1 }));
    }
}

#[test]
fn evidence_holds_every_call_of_a_case_that_needs_looking_at() {
    let bench = bench();
    bench.run(&["run", ".", "--results", "r"]);
    let run = bench.only_run("r");
    for case in record(&run).cases {
        let word = case.status.word();
        assert_eq!(case.evidence.is_some(), word != StatusWord::Pass, "{}: {word}", case.id);
        let Some(evidence) = case.evidence else { continue };
        let calls = fs::read_to_string(run.join(evidence).join("calls.txt")).unwrap();
        assert!(calls.contains("$ amd-smi list --json\n# exit code"), "{}: {calls}", case.id);
        assert!(calls.contains("----- stdout -----") || calls.contains("----- stderr -----"), "{calls}");
    }
}

#[test]
fn reports_of_every_format_tell_the_same_counts() {
    let bench = bench();
    let formats = ["json=out/a.json", "junit=out/a.xml", "human=out/a.txt", "human"];
    let args: Vec<&str> = ["run", ".", "--results", "r", "--shuffle", "3"]
        .into_iter()
        .chain(formats.iter().flat_map(|format| ["--format", format]))
        .collect();
    let done = bench.run(&args);
    assert_eq!(done.code, 1, "{}", done.told());
    let read = |name: &str| fs::read_to_string(bench.path("out").join(name)).unwrap();
    let record = record(&bench.only_run("r"));
    assert_eq!(serde_json::from_str::<RunRecord>(&read("a.json")).unwrap(), record);
    assert_eq!(read("a.txt"), done.stdout);
    let report = quick_junit::Report::deserialize_from_str(&read("a.xml")).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (7, 4, 1));
    assert_eq!(count(&record, StatusWord::Fail), 4);
    assert_eq!(count(&record, StatusWord::NotEvaluated), 1);
    let mut suites: Vec<_> = report.test_suites.iter().map(|suite| (suite.name.as_str(), suite.tests)).collect();
    suites.sort_unstable();
    assert_eq!(suites, [("fail", 5), ("gap", 1), ("pass", 1)], "a suite for each scenario, also when shuffled");
    assert!(done.stdout.contains("7 cases: 2 pass, 4 fail, 1 not-evaluated"), "{}", done.stdout);
}

#[test]
fn a_seed_gives_the_same_order_again() {
    let bench = bench();
    let order = |results: &str, seed: &str| -> Vec<String> {
        bench.run(&["run", ".", "--shuffle", seed, "--results", results]);
        record(&bench.only_run(results)).cases.into_iter().map(|case| case.id).collect()
    };
    let first = order("a", "7");
    assert_eq!(first, order("b", "7"));
    assert_ne!(first, order("c", "8"));
    let listed = bench.must(&["list", "fail.toml", "gap.toml", "pass.toml", "--shuffle", "7"]);
    assert_eq!(listed.lines().collect::<Vec<_>>(), first, "list shows the order of run");
}

/// A machine that changes between two looks: its KFD nodes are there for the first case only.
#[test]
fn repeats_that_disagree_are_flaky_and_no_pass() {
    for (options, calls, word, code) in [
        (&["--repeat", "3"][..], 3, StatusWord::Flaky, 1),
        (&["--repeat", "2"], 100, StatusWord::Pass, 0),
        (&["--retries", "2"], 100, StatusWord::Pass, 0),
    ] {
        let bench = bench();
        // The first call is the plan's own; each look of the case is one more.
        let fault = format!("after={calls}:garbage");
        bench.must(&["shim", "host", "--machine", "mi300x", "--fault", &fault]);
        let args = [&["run", "pass.toml", "--host", "host", "--results", "r"], options].concat();
        let done = bench.run(&args);
        assert_eq!(done.code, code, "{options:?}: {}", done.told());
        let record = record(&bench.only_run("r"));
        assert_eq!(record.cases[0].status.word(), word, "{options:?}: {}", done.told());
    }
}

#[test]
fn a_case_that_passes_when_tried_again_is_flaky() {
    let bench = bench();
    bench.must(&["shim", "good", "--machine", "mi300x"]);
    bench.must(&["shim", "bad", "--machine", "mi300x"]);
    // The host is swapped for a good one while the case's first try waits for a tool that never answers.
    let machine = fs::read_to_string(bench.path("bad/machine.toml")).unwrap();
    bench.write("bad/machine.toml", machine.replace("faults = []", "faults = ['after=1:hang']"));
    let mut child = bench
        .command(&["run", "pass.toml", "--host", "bad", "--retries", "1", "--deadline", "2", "--results", "r"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = || {
        fs::read_dir(bench.path("r")).is_ok_and(|runs| {
            runs.flatten().any(|run| {
                fs::read_to_string(run.path().join("events.jsonl")).is_ok_and(|text| text.contains("case-started"))
            })
        })
    };
    while !begun() {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    // Renamed into place: the tool sees the old machine or the new one.
    bench.write("bad/new", machine);
    std::thread::sleep(std::time::Duration::from_millis(300));
    fs::rename(bench.path("bad/new"), bench.path("bad/machine.toml")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(record(&bench.only_run("r")).cases[0].status.word(), StatusWord::Flaky);
}

#[test]
fn results_go_to_the_checkout_or_to_the_state_folder() {
    let bench = bench();
    bench.must(&["run", "pass.toml"]);
    assert!(bench.only_run(".local/state/rocvet/results").join("run.json").is_file(), "HOME");
    let state = bench.path("state");
    let done = super::support::Done::of(bench.command(&["run", "pass.toml"]).env("XDG_STATE_HOME", &state));
    assert_eq!(done.code, 0);
    assert!(bench.only_run("state/rocvet/results").join("run.json").is_file(), "XDG_STATE_HOME");
    bench.write("scenarios/pass.toml", scenario(&[], COUNT));
    bench.write("results/README.md", "");
    bench.must(&["run", "scenarios"]);
    let runs = fs::read_dir(bench.path("results")).unwrap().count();
    assert_eq!(runs, 2, "a checkout keeps its own");
}

#[test]
fn a_record_names_the_program_and_not_where_it_is_installed() {
    let bench = bench();
    bench.must(&["run", "pass.toml", "--results", "r"]);
    let run = bench.only_run("r");
    assert_eq!(record(&run).run.command, ["validate", "run", "pass.toml", "--results", "r"]);
    let mode = |file: &str| fs::metadata(run.join(file)).unwrap().permissions().mode();
    assert_eq!(mode("run.json"), mode("events.jsonl"), "who may read one may read the other");
    let text = fs::read_to_string(run.join("run.json")).unwrap();
    assert!(!text.contains(&bench.path("").display().to_string()), "{text}");
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR")), "{text}");
}

#[test]
fn the_sample_in_the_repository_is_a_run_of_this_version_and_names_no_place() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/0-sample");
    let (record, events) = (record(&sample), events(&sample));
    assert_eq!((record.exit.code, events.last()), (1, Some(&Event::RunFinished { exit: 1 })));
    let finished = events.iter().filter(|event| matches!(event, Event::CaseFinished { .. })).count();
    assert_eq!(finished, record.cases.len());
    let command: Vec<&str> = record.run.command.iter().map(String::as_str).collect();
    assert_eq!(command[..2], ["validate", "run"]);
    let done = Bench::new()
        .command(&command[1..])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("--results")
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .args(["--format", "json"])
        .output()
        .unwrap();
    let today: RunRecord = serde_json::from_slice(&done.stdout).unwrap();
    let findings = |record: &RunRecord| -> Vec<_> {
        let judged = |case: &CaseRecord| -> Vec<String> {
            let findings = case.findings.iter().flat_map(|check| &check.findings);
            findings.map(|finding| format!("{} {:?}", finding.id(), finding.judgement())).collect()
        };
        record.cases.iter().map(|case| (case.id.clone(), case.status.clone(), judged(case))).collect()
    };
    assert_eq!(findings(&record), findings(&today), "the sample is stale: `results/README.md` says how it is made");
    for case in &record.cases {
        let calls = fs::read_to_string(sample.join(case.evidence.as_ref().unwrap()).join("calls.txt")).unwrap();
        assert!(calls.contains("$ amd-smi list --json"), "{}", case.id);
    }
    for entry in walkdir::WalkDir::new(&sample).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        let text = fs::read_to_string(entry.path()).unwrap();
        for place in ["/home/", "/root/", "/tmp/", "/work/", env!("CARGO_MANIFEST_DIR")] {
            assert!(!text.contains(place), "{} names {place}", entry.path().display());
        }
    }
}
