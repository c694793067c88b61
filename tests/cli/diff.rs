//! `validate diff`: two stacks, and what is said of the difference.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::support::{Bench, COUNT, Done, record, snapshot, steady};

/// One machine under two stacks: faults of the base, faults of the candidate.
struct Machine {
    name: &'static str,
    check: &'static str,
    modes: [&'static str; 2],
    base: &'static str,
    candidate: &'static str,
}

/// What amd-smi prints as JSON is one document.
const DOCUMENT: &str = "[observe]\nask = ['list']\n[[check]]\nid = 'amd-smi.json'";

const fn machine(name: &'static str, check: &'static str, base: &'static str, candidate: &'static str) -> Machine {
    Machine { name, check, modes: ["CPX/NPS4", "CPX/NPS4"], base, candidate }
}

/// Nine machines: three regressions, two fixes, one flake, one difference of the environment, and two of which there is nothing
/// to tell.
fn fleet() -> Vec<Machine> {
    vec![
        machine("lost-device", COUNT, "", "missing_last_device"),
        machine("lost-memory", "[[check]]\nid = 'memory.per-device'", "", "wrong_memory=1024MiB"),
        machine("documents", DOCUMENT, "", "legend_text"),
        machine("found-device", COUNT, "missing_last_device", ""),
        machine("found-memory", "[[check]]\nid = 'memory.per-device'", "wrong_memory=1024MiB", ""),
        // The first call is the plan's own, and each try asks twice: the second and third print garbage.
        machine("flake", DOCUMENT, "", "after=3:garbage"),
        Machine { modes: ["CPX/NPS4", "SPX/NPS1"], ..machine("other-modes", COUNT, "", "") },
        machine("well", COUNT, "", ""),
        machine("well-too", "[[check]]\nid = 'memory.per-device'", "", ""),
    ]
}

/// Runs every machine's scenario three times under both stacks.
fn ab(bench: &Bench) {
    for machine in fleet() {
        let Machine { name, check, modes, base, candidate } = machine;
        bench.write(&format!("scenarios/{name}.toml"), scenario(check));
        for (stack, version, fault, modes) in [("a", "26.2.1", base, modes[0]), ("b", "27.1.0", candidate, modes[1])] {
            let host = format!("{stack}-{name}");
            let (compute, memory) = modes.split_once('/').unwrap();
            let mut args = vec!["shim", &host, "--machine", "mi300x", "--compute", compute, "--memory", memory];
            args.extend(["--amd-smi", version]);
            if !fault.is_empty() {
                args.extend(["--fault", fault]);
            }
            bench.must(&args);
            let (file, results) = (format!("scenarios/{name}.toml"), format!("{stack}/{name}"));
            let done = bench.run(&["run", &file, "--host", &host, "--repeat", "3", "--results", &results]);
            assert!([0, 1].contains(&done.code), "{stack} {name}: {}", done.told());
        }
    }
}

fn scenario(check: &str) -> String {
    format!(
        "title = 'a test'\nwhy = 'to see it'\nsource = 'this test'\n[applies]\npart = 'MI300X'\n\
         [simulate]\nmachine = 'mi300x'\namd-smi = '26.2.1'\n{check}\n"
    )
}

fn runs(bench: &Bench, stack: &str) -> Vec<String> {
    let name = |machine: Machine| bench.only_run(&format!("{stack}/{}", machine.name)).display().to_string();
    fleet().into_iter().map(name).collect()
}

fn diff(bench: &Bench, more: &[&str]) -> Done {
    let (base, candidate) = (runs(bench, "a"), runs(bench, "b"));
    let mut args: Vec<&str> = vec!["diff", "--base"];
    args.extend(base.iter().map(String::as_str));
    args.push("--candidate");
    args.extend(candidate.iter().map(String::as_str));
    args.extend(more);
    bench.run(&args)
}

fn classes(document: &Value) -> BTreeMap<String, String> {
    let cases = document["cases"].as_array().unwrap();
    cases
        .iter()
        .map(|case| (case["id"].as_str().unwrap().to_owned(), case["class"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn two_stacks_with_seven_planted_differences_are_told_apart_by_those_seven_and_nothing_else() {
    let bench = Bench::new();
    ab(&bench);
    let done = diff(&bench, &["--format", "json"]);
    assert_eq!(done.code, 1, "{}", done.told());
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    let expected = [
        ("documents", "regressed"),
        ("flake", "newly-flaky"),
        ("found-device", "fixed"),
        ("found-memory", "fixed"),
        ("lost-device", "regressed"),
        ("lost-memory", "regressed"),
        ("other-modes", "not-comparable"),
        ("well", "unchanged"),
        ("well-too", "unchanged"),
    ];
    let expected: BTreeMap<String, String> =
        expected.map(|(id, class)| (id.to_owned(), class.to_owned())).into_iter().collect();
    assert_eq!(classes(&document), expected, "{}", done.stdout);
    let by_id = |id: &str| document["cases"].as_array().unwrap().iter().find(|case| case["id"] == id).unwrap();
    assert_eq!(by_id("flake")["candidate"]["failed"], 2, "k of n: {}", by_id("flake"));
    assert_eq!(by_id("flake")["candidate"]["evaluated"], 3);
    assert_eq!(by_id("lost-device")["new"][0]["what"], "devices.count [one-short]");
    assert_eq!(by_id("other-modes")["differs"][0]["name"], "modes");
    assert_eq!(document["timings"]["compared"], 0, "simulated machines have no time of their own");

    let schema = serde_json::from_str(&bench.must(&["schema", "diff"])).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    let mut spoiled = document.clone();
    spoiled["cases"][0]["class"] = "fine".into();
    assert!(!validator.is_valid(&spoiled), "the schema admits anything");

    let human = diff(&bench, &[]);
    snapshot("diff-ab", &steady(&human.stdout, &bench));
    let files = ["--format", "markdown=d.md", "--format", "junit=d.xml", "--format", "html=d.html"];
    assert_eq!(diff(&bench, &files).stdout, "");
    let read = |name: &str| steady(&fs::read_to_string(bench.path(name)).unwrap(), &bench);
    snapshot("diff-ab-markdown", &read("d.md"));
    let junit = read("d.xml");
    assert_eq!((junit.matches("<failure").count(), junit.matches("<error").count()), (4, 1), "{junit}");
    let html = read("d.html");
    for (id, class) in &expected {
        assert!(html.contains(&format!("<code>{id}</code>")), "{id} {class}");
    }
    for outside in ["http://", "https://", "<script", "<link", "<img", "@import", "url("] {
        assert!(!html.contains(outside), "the page needs {outside}");
    }
}

#[test]
fn a_stack_beside_itself_shows_no_difference_and_the_reverse_shows_the_reverse() {
    let bench = Bench::new();
    bench.must(&["shim", "good", "--machine", "mi300x"]);
    bench.must(&["shim", "bad", "--machine", "mi300x", "--fault", "wrong_memory=1024MiB"]);
    let filter = ["-E", "id(modes/mi300x-spx-nps1)", "--results", "r"];
    for (base, candidate, code, class) in [
        ("good", "good", 0, "unchanged"),
        ("good", "bad", 1, "regressed"),
        ("bad", "good", 2, "fixed"),
        ("bad", "bad", 0, "still-failing"),
    ] {
        let args = [&["diff", base, candidate, "--format", "json"], &filter[..]].concat();
        let done = bench.run(&args);
        assert_eq!(done.code, code, "{base} {candidate}: {}", done.told());
        let document: Value = serde_json::from_str(&done.stdout).unwrap();
        let found: Vec<String> = classes(&document).into_values().collect();
        assert_eq!(found, [class], "{base} {candidate}");
        assert_eq!(document["drift"]["changes"].as_array().unwrap().len(), 0);
        assert!(document["drift"]["commands"].as_u64().unwrap() > 0, "{document}");
    }
    let recorded = [("good", "rec-good"), ("bad", "rec-bad")];
    for (host, recording) in recorded {
        bench.must(&["record", recording, "--host", host]);
    }
    let done = bench.run(&[&["diff", "rec-good", "rec-bad"], &filter[..]].concat());
    assert_eq!(done.code, 1, "{}", done.told());
    assert!(done.stdout.contains("memory: 1 x 196592 MiB -> 1 x 1024 MiB"), "{}", done.stdout);
    assert!(done.stdout.contains("on recorded machines"), "{}", done.stdout);
    let done = bench.run(&[&["diff", "rec-good", "good"], &filter[..]].concat());
    assert_eq!(done.code, 3, "a recording is not compared with a simulated machine: {}", done.told());
    assert!(done.stdout.contains("provenance: recorded / simulated"), "{}", done.stdout);
}

#[test]
fn a_scenario_whose_text_changed_is_not_compared_and_a_case_of_one_side_is_missing() {
    let bench = Bench::new();
    bench.must(&["shim", "host", "--machine", "mi300x"]);
    bench.write("s/one.toml", scenario(COUNT));
    bench.write("s/two.toml", scenario(COUNT));
    let run = |results: &str| {
        bench.must(&["run", "s", "--host", "host", "--results", results]);
    };
    run("r1");
    bench.write("s/one.toml", scenario("[[check]]\nid = 'devices.count'\nper-gpu = 1"));
    fs::remove_file(bench.path("s/two.toml")).unwrap();
    run("r2");
    let (base, candidate) = (bench.only_run("r1"), bench.only_run("r2"));
    let done = bench.run(&["diff", base.to_str().unwrap(), candidate.to_str().unwrap()]);
    assert_eq!(done.code, 3, "{}", done.told());
    assert!(done.stdout.contains("2 cases: 1 not comparable, 1 missing"), "{}", done.stdout);
    assert!(done.stdout.contains("scenario text: "), "{}", done.stdout);
    assert!(done.stdout.contains("only in the base"), "{}", done.stdout);
}

#[test]
fn what_is_no_run_is_refused_with_the_reason() {
    let bench = Bench::new();
    bench.must(&["shim", "host", "--machine", "mi300x"]);
    bench.write("one.toml", scenario(COUNT));
    bench.must(&["run", "one.toml", "--host", "host", "--results", "r"]);
    let run = bench.only_run("r");
    let good = fs::read_to_string(run.join("run.json")).unwrap();
    fs::create_dir(bench.path("cut")).unwrap();
    bench.write("cut/events.jsonl", "");
    for (name, text, part) in [
        ("empty", String::new(), "not a record of a run"),
        ("later", good.replace("rocvet.run/1", "rocvet.run/2"), "it says \"rocvet.run/2\""),
        ("field", good.replacen("\"title\"", "\"titel\"", 1), "missing field `title`"),
        ("status", good.replacen("\"status\": \"pass\"", "\"status\": \"fine\"", 1), "fine"),
        ("deep", "[".repeat(100_000), "not a record of a run"),
    ] {
        let file = format!("{name}.json");
        bench.write(&file, text);
        let done = bench.run(&["diff", run.to_str().unwrap(), &file]);
        assert_eq!(done.code, 64, "{name}: {}", done.told());
        assert!(done.stderr.contains(part) && done.stderr.contains(&file), "{name}: {}", done.stderr);
    }
    for (args, part) in [
        (&["diff", "nowhere", "host"][..], "neither a run"),
        (&["diff", "cut", "host"], "resume   validate run --resume "),
        (&["diff", "--base", run.to_str().unwrap(), run.to_str().unwrap(), "--candidate", "host"], "is named twice"),
        (&["diff", "host"], "CANDIDATE"),
        (&["diff", "host", "host", "--format", "pdf"], "known: human, markdown, json, junit, html"),
    ] {
        let done = bench.run(args);
        assert_eq!(done.code, 64, "{args:?}: {}", done.told());
        assert!(done.stderr.contains(part), "{args:?}: {}", done.stderr);
    }
    // What was interrupted tells less than it was to, however well that came out.
    let interrupted = good.replacen("\"code\": 0", "\"code\": 130", 1);
    assert_ne!(interrupted, good);
    bench.write("interrupted.json", interrupted);
    let done = bench.run(&["diff", run.to_str().unwrap(), "interrupted.json"]);
    assert_eq!(done.code, 3, "{}", done.told());
    assert!(
        done.stdout.contains("it came to no end") && done.stdout.contains("came to no end: what"),
        "{}",
        done.stdout
    );
    // Its evidence is below it, and a path that leads out is not followed.
    let record = record(&run);
    let out = good.replace(record.cases[0].evidence.as_ref().unwrap(), "../../host");
    bench.write("out/run.json", out);
    let done = bench.run(&["diff", run.to_str().unwrap(), "out", "--results", "r"]);
    assert_eq!(done.code, 0, "{}", done.told());
    assert!(done.stderr.contains("leads out of") || done.stderr.contains("left out"), "{}", done.stderr);
}

/// Hardware is what the record says here: durations of simulated machines are not compared.
#[test]
fn durations_are_compared_from_five_tries_on_and_never_from_one() {
    let bench = Bench::new();
    bench.must(&["shim", "host", "--machine", "mi300x"]);
    bench.write("one.toml", scenario(COUNT));
    for (results, repeat) in [("few", "1"), ("many", "6")] {
        bench.must(&["run", "one.toml", "--host", "host", "--results", results, "--repeat", repeat]);
    }
    let timed = |results: &str, seconds: f64| {
        let mut document: Value =
            serde_json::from_slice(&fs::read(bench.only_run(results).join("run.json")).unwrap()).unwrap();
        document["provenance"] = "hardware".into();
        document["cases"][0]["duration"] = seconds.into();
        let tries = document["cases"][0].get_mut("tries").and_then(Value::as_array_mut);
        for each in tries.into_iter().flatten() {
            each["duration"] = seconds.into();
        }
        let name = format!("{results}-{seconds}.json");
        bench.write(&name, document.to_string());
        name
    };
    let (slow, fast) = (timed("many", 2.0), timed("many", 1.0));
    let done = bench.run(&["diff", &fast, &slow]);
    assert_eq!(done.code, 1, "{}", done.told());
    assert!(
        done.stdout.contains("SLOWER  one: 1.000 s -> 2.000 s, 2.00 to 2.00 times (95 %, n=6 and 6)"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("on hardware\n"), "{}", done.stdout);
    let done = bench.run(&["diff", &slow, &fast]);
    assert_eq!(done.code, 0, "{}", done.told());
    assert!(done.stdout.contains("FASTER  one"), "{}", done.stdout);
    let done = bench.run(&["diff", &fast, &slow, "--threshold", "150"]);
    assert_eq!(done.code, 0, "below the threshold: {}", done.told());
    let done = bench.run(&["diff", &timed("few", 1.0), &slow]);
    assert_eq!(done.code, 0, "{}", done.told());
    assert!(done.stdout.contains("1 case: not enough samples (n=1; need 5: --repeat)"), "{}", done.stdout);
}

#[test]
fn a_run_leaves_the_baseline_by_which_its_failures_are_known() {
    let bench = Bench::new();
    bench.must(&["shim", "bad", "--machine", "mi300x", "--fault", "wrong_memory=1024MiB"]);
    bench.must(&["shim", "good", "--machine", "mi300x"]);
    bench.must(&["shim", "worse", "--machine", "mi300x", "--fault", "wrong_memory=100GiB"]);
    bench.must(&["shim", "later", "--machine", "mi300x", "--amd-smi", "27.1.0", "--fault", "wrong_memory=1024MiB"]);
    bench.write("s/memory.toml", scenario("[[check]]\nid = 'memory.per-device'"));
    bench.write("s/count.toml", scenario(COUNT));
    let run = |host: &str, results: &str, more: &[&str]| {
        bench.run(&[&["run", "s", "--host", host, "--results", results], more].concat())
    };
    assert_eq!(run("bad", "r", &[]).code, 1);
    let written = fs::read_to_string(bench.only_run("r").join("baseline.toml")).unwrap();
    for part in ["[[known]]", "case = \"memory\"", "status = \"fail\"", "gfx = \"gfx942\"", "amd-smi = \"26.2.1\""] {
        assert!(written.contains(part), "{part}: {written}");
    }
    bench.write("known.toml", written.replace("nobody has looked at it yet", "the firmware is old"));

    let known = ["--baseline", "known.toml"];
    let done = run("bad", "r1", &known);
    assert_eq!(done.code, 0, "{}", done.told());
    assert!(done.stdout.contains("KNOWN  memory: fail: the firmware is old"), "{}", done.stdout);
    let next = fs::read_to_string(bench.only_run("r1").join("baseline.toml")).unwrap();
    assert!(next.contains("reason = \"the firmware is old\""), "the reason is kept: {next}");

    let done = run("good", "r2", &known);
    assert_eq!(done.code, 2, "{}", done.told());
    assert!(done.stdout.contains("IMPROVED  memory: pass"), "{}", done.stdout);
    let next = fs::read_to_string(bench.only_run("r2").join("baseline.toml")).unwrap();
    assert!(!next.contains("[[known]]"), "what does not fail is not known to: {next}");

    assert_eq!(run("later", "r3", &known).code, 1, "another stack");
    let none = written.lines().filter(|line| !line.starts_with("findings")).collect::<Vec<_>>().join("\n");
    bench.write(
        "other.toml",
        none.replace("status = \"fail\"", "status = \"fail\"\nfindings = ['devices.count [one-short]']"),
    );
    let done = run("worse", "r4", &["--baseline", "other.toml"]);
    assert_eq!(done.code, 1, "a failure with another finding is another failure: {}", done.told());

    let skip = "schema = 'rocvet.baseline/1'\n[[skip]]\ncase = 'memory'\nreason = 'hangs the machine'\n\
                [[known]]\ncase = 'mmeory'\nstatus = 'fail'\nreason = 'x'\n";
    bench.write("skip.toml", skip);
    let done = run("bad", "r5", &["--baseline", "skip.toml"]);
    assert_eq!(done.code, 0, "{}", done.told());
    assert!(done.stderr.contains("mmeory: no case is called so; nearest: memory"), "{}", done.stderr);
    let left_out = record(&bench.only_run("r5")).cases;
    assert_eq!(left_out.len(), 2, "every planned case has a record");
    assert!(left_out.iter().any(|case| case.status.to_string() == "skip(by the baseline: hangs the machine)"));
    bench.write("all.toml", skip.replace("'memory'", "'*'"));
    assert_eq!(run("bad", "r6", &["--baseline", "all.toml"]).code, 4, "nothing run is no success");

    bench.write("typo.toml", skip.replace("reason", "resaon"));
    let done = run("bad", "r7", &["--baseline", "typo.toml"]);
    assert_eq!(done.code, 64);
    assert!(done.stderr.contains("typo.toml") && done.stderr.contains("did you mean `reason`?"), "{}", done.stderr);
}

#[test]
fn a_case_that_fails_with_something_else_is_worse_and_a_record_cannot_steer_the_terminal() {
    let bench = Bench::new();
    let cpx = ["--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4", "--fault"];
    bench.must(&[&["shim", "sizes"], &cpx[..], &["wrong_memory=1024MiB"]].concat());
    bench.must(&[&["shim", "count"], &cpx[..], &["missing_last_device"]].concat());
    bench.write("both.toml", scenario(&format!("{COUNT}\n[[check]]\nid = 'memory.per-device'")));
    for host in ["sizes", "count"] {
        let results = format!("r-{host}");
        assert_eq!(bench.run(&["run", "both.toml", "--host", host, "--results", &results]).code, 1);
    }
    let folder = |host: &str| bench.only_run(&format!("r-{host}")).display().to_string();
    let done = bench.run(&["diff", &folder("sizes"), &folder("count")]);
    assert_eq!(done.code, 1, "{}", done.told());
    assert!(done.stdout.contains("1 case: 1 fails otherwise"), "{}", done.stdout);
    assert!(done.stdout.contains("x devices.count [one-short]"), "{}", done.stdout);
    assert!(done.stdout.contains("gone: memory.per-device [kfd-differs]"), "{}", done.stdout);

    let text = fs::read_to_string(bench.only_run("r-count").join("run.json")).unwrap();
    bench.write("hostile.json", text.replace("\"title\": \"a test\"", "\"title\": \"a \\u001b[2J<script>test\""));
    let args = ["diff", &folder("sizes"), "hostile.json", "--format", "human", "--format", "html=d.html"];
    let done = Done::of(bench.command(&args).env("CLICOLOR_FORCE", "1"));
    assert_eq!(done.code, 1, "{}", done.told());
    assert!(done.stdout.contains("\u{fffd}[2J") && !done.stdout.contains("\u{1b}[2J"), "{:?}", done.stdout);
    assert!(!fs::read_to_string(bench.path("d.html")).unwrap().contains("<script"));
}
