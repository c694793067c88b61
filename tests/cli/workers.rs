//! `validate run` with two workers, and with the CPU of this machine: real processes that compute, die and lie.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::support::{Bench, Done, record, snapshot, spawn, steady, until};

/// What a worker does with an operation; everything else it computes rightly.
const OLD: &str = "*sigmoid*) kill -SEGV $$ ;; *multiply*) other_numbers ;;";
const NEW: &str = "*relu*) kill -SEGV $$ ;; *tanh*) other_numbers ;; *exp*) echo 'RuntimeError: no' >&2; exit 1 ;; \
                   *softmax*) now_and_then ;;";

/// Every operation is a scenario of its own.
const OPERATIONS: [(&str, &str); 8] = [
    ("add", "add/f32/5x7"),
    ("exp", "exp/f32/5x7"),
    ("matmul", "matmul/f32/4x5x6"),
    ("multiply", "multiply/f32/5x7"),
    ("relu", "relu/f32/5x7"),
    ("sigmoid", "sigmoid/f32/5x7"),
    ("softmax", "softmax/f32/5x7"),
    ("tanh", "tanh/f32/5x7"),
];

/// A script that is a worker: the engine of this program, which says that it was made of this torch.
fn worker(bench: &Bench, name: &str, torch: &str, wrong: &str) {
    let validate = super::scratch::validate().display();
    let count = bench.path(&format!("{name}.count"));
    let script = format!(
        r#"#!/bin/sh
request=$(cat)
compute() {{ printf '%s' "$1" | {validate} probe-worker | sed 's/"libraries":{{[^}}]*}}/"libraries":{{"torch":"{torch}"}}/'; exit 0; }}
other_numbers() {{ compute "$(printf '%s' "$request" | sed 's/"seed":[0-9]*/"seed":99/')"; }}
now_and_then() {{ echo . >>{count}; [ $(($(wc -l <{count}) % 3)) = 2 ] && kill -SEGV $$; compute "$request"; }}
case "$request" in {wrong} esac
compute "$request"
"#,
        count = count.display(),
    );
    bench.write(name, script);
    fs::set_permissions(bench.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn scenario(bench: &Bench, name: &str, work: &str, applies: &str) {
    bench.write(
        &format!("scenarios/{name}.toml"),
        format!(
            "title = 'a test'\nwhy = 'to see it'\nsource = 'this test'\nlevel = 'exercise'\n{applies}\n\
             [simulate]\nmachine = 'rx5700xt'\namd-smi = '27.1.0'\n[[step]]\nprobe = {{ work = '{work}' }}\n\
             [[check]]\nid = 'probe.outcome'\n[[check]]\nid = 'probe.numbers'\n[[check]]\nid = 'fallback.taken'\n"
        ),
    );
}

fn laboratory() -> Bench {
    let bench = Bench::new();
    for (name, work) in OPERATIONS {
        scenario(&bench, name, work, "[applies]");
    }
    worker(&bench, "w-old", "2.7.0+rocm6.3", OLD);
    worker(&bench, "w-new", "2.9.1+rocm7.1", NEW);
    bench
}

const WORKERS: [&str; 4] = ["--worker", "old=torch:w-old", "--worker", "new=torch:w-new"];

fn run(bench: &Bench, more: &[&str]) -> Done {
    bench.run(&[&["run", "scenarios", "--on", "cpu"], more].concat())
}

fn classes(document: &Value) -> BTreeMap<&str, &str> {
    let cases = document["cases"].as_array().unwrap();
    cases.iter().map(|case| (case["id"].as_str().unwrap(), case["class"].as_str().unwrap())).collect()
}

#[test]
fn two_workers_in_one_run_are_told_apart_by_what_was_planted_and_nothing_else() {
    let bench = laboratory();
    let done = run(&bench, &[&WORKERS[..], &["--repeat", "3", "--results", "r"]].concat());
    assert_eq!(done.code, 1, "{}", done.told());
    let kernel = regex::Regex::new(r"kernel \d\S+").unwrap();
    snapshot("workers-ab", &kernel.replace_all(&steady(&done.stdout, &bench), "kernel RELEASE"));
    let folder = bench.only_run("r");
    let ran = record(&folder);
    assert_eq!(ran.cases.len(), 2 * OPERATIONS.len());
    assert_eq!((ran.exit.code, ran.host.cpu_only), (1, true), "{:?}", ran.exit);

    let told = done.stderr.lines().find_map(|line| line.strip_prefix("compare  validate ")).unwrap().to_owned();
    let words: Vec<&str> = told.split(' ').collect();
    assert_eq!(words[0], "diff", "{told}");
    let done = bench.run(&[&words[..], &["--format", "json"]].concat());
    assert_eq!(done.code, 1, "{}", done.told());
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    let expected = [
        ("add", "unchanged"),
        ("exp", "regressed"),
        ("matmul", "unchanged"),
        ("multiply", "fixed"),
        ("relu", "regressed"),
        ("sigmoid", "fixed"),
        ("softmax", "newly-flaky"),
        ("tanh", "regressed"),
    ];
    assert_eq!(classes(&document), BTreeMap::from(expected), "{}", done.stdout);
    let facts = document["facts"].as_array().unwrap();
    assert_eq!(facts.len(), 1, "{facts:?}");
    assert_eq!(facts[0]["name"], "torch");
    assert_eq!((&facts[0]["base"], &facts[0]["candidate"]), (&"2.7.0+rocm6.3".into(), &"2.9.1+rocm7.1".into()));

    // The baseline that the run left is of what is to be: with it, a run of that worker alone fails no more.
    let baseline = folder.join("baseline.toml").display().to_string();
    let done = run(&bench, &["--worker", "new=torch:w-new", "--baseline", &baseline, "--results", "s"]);
    assert_eq!(done.code, 0, "{}", done.told());
    let alone = record(&bench.only_run("s"));
    assert!(
        alone.cases.iter().all(|case| case.worker.is_none() && !case.id.contains("worker=")),
        "one worker has no axis"
    );
    assert_eq!(alone.environment.unwrap().stack["torch"], "2.9.1+rocm7.1");
}

#[test]
fn a_worker_against_itself_changes_nothing() {
    let bench = laboratory();
    let done = run(&bench, &["--worker", "a=torch:w-new", "--worker", "b=torch:w-new", "-E", "not id(softmax)"]);
    assert_eq!(done.code, 0, "what fails with both is no regression: {}", done.told());
    assert!(done.stdout.contains("none is worse"), "{}", done.stdout);
}

#[test]
fn a_run_of_two_workers_that_was_cut_off_is_gone_on_with_and_only_then_compared() {
    let bench = laboratory();
    // At the first of its operations the worker waits for a file that the test never makes: there the run is ended.
    let waits = format!("*matmul*) touch {0}; sleep 600 ;;", bench.path("waits").display());
    worker(&bench, "w-new", "2.9.1+rocm7.1", &waits);
    let mut child = spawn(&bench, &format!("run scenarios --on cpu --results r {}", WORKERS.join(" ")));
    until(|| bench.path("waits").exists());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let folder = bench.only_run("r").display().to_string();
    worker(&bench, "w-new", "2.9.1+rocm7.1", NEW);
    let done = bench.run(&["run", "--resume", &folder]);
    assert_eq!(done.code, 1, "{}", done.told());
    assert!(done.stdout.contains("REGRESSED"), "{}", done.stdout);
    assert_eq!(record(&bench.only_run("r")).cases.len(), 2 * OPERATIONS.len());
}

#[test]
fn only_what_computes_is_asked_of_a_cpu_and_why_not_is_said() {
    let bench = laboratory();
    scenario(&bench, "of-its-machine", "add/f32/5x7", "");
    scenario(&bench, "of-certain-gpus", "add/f32/5x7", "[applies]\ngfx = 'gfx103x'");
    scenario(&bench, "of-memory", "memory-copy/1048576/host-to-device", "[applies]");
    let done = run(&bench, &["--worker", "torch=w-old", "-E", "id(of-) or id(matmul)", "--results", "r"]);
    assert_eq!(done.code, 0, "{}", done.told());
    assert!(done.stdout.contains("on the CPU of this machine: this says nothing about any GPU"), "{}", done.stdout);
    let ran = record(&bench.only_run("r"));
    assert_eq!(ran.cases.iter().map(|case| case.id.as_str()).collect::<Vec<_>>(), ["matmul"]);
    let left_out = ran.not_selected.iter().find(|each| each.reason == "for a GPU").expect("said");
    assert_eq!(left_out.cases, 3);
}

#[test]
fn workers_that_do_not_go_together_and_parts_that_are_not_there_are_refused() {
    let bench = laboratory();
    assert_eq!(run(&bench, &["--worker", "torch=w-old", "-E", "id(matmul)", "--results", "one"]).code, 0);
    assert_eq!(run(&bench, &[&WORKERS[..], &["-E", "id(matmul)", "--results", "two"]].concat()).code, 0);
    let (one, two) = (bench.only_run("one").display().to_string(), bench.only_run("two").display().to_string());
    let three = [&["run", "--on", "cpu", "--worker", "c=torch:w-old"], &WORKERS[..]].concat();
    for (args, problem) in [
        (&["run", "--worker", "torch=w-old"][..], "add --hardware (its GPU) or --on cpu"),
        (
            &["run", "--on", "cpu", "--worker", "a=torch:w-old", "--worker", "a=torch:w-new"],
            "--worker a=… is there twice",
        ),
        (&three, "a run compares two workers, and here are 3"),
        (&["run", "--on", "cpu", "--worker", "a=w-old"], "say which engine that program is, a=python:w-old"),
        (&["run", "--on", "cpu", "--host", "x"], "cannot be used with"),
        (&["diff", &format!("{two}:old"), &format!("{two}:newer")], "has no worker \"newer\"; its workers: old, new"),
        (&["diff", &format!("{one}:old"), &two], "it was made with one worker, or none"),
        (&["diff", "nothing:old", &two], "nothing:old: neither a run"),
    ] {
        let done = bench.run(args);
        assert_eq!(done.code, 64, "{args:?}: {}", done.told());
        assert!(done.stderr.contains(problem), "{args:?}: {}", done.stderr);
    }
    let done = bench.run(&["run", "--on", "cpu", "--worker", "a=torch:w-old", "--worker", "b=torch:nothing"]);
    assert_eq!(done.code, 69, "{}", done.told());
    assert!(done.stderr.contains("--worker b=torch:nothing: there is no such file"), "{}", done.stderr);
}
