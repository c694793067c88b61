//! `validate diff`: two stacks of which one needs more of a GPU's memory, or leaves less of it.

use std::fs;

use serde_json::Value;

use super::support::{Bench, Done, record};

/// A scenario with one probe that computes and one that uses memory.
const SCENARIO: &str = "title = 'a test'\nwhy = 'to see it'\nsource = 'this test'\nlevel = 'exercise'\n[applies]\n\
                        [simulate]\nmachine = 'rx6800xt'\namd-smi = '26.2.1'\n\
                        [[step]]\nprobe = { work = 'reduce-sum/f32/64/all' }\n\
                        [[step]]\nprobe = { work = 'memory-past-limit' }\n\
                        [[check]]\nid = 'probe.outcome'\n";

/// Runs it so often on a machine whose workers have so much memory for themselves; the folder of the run.
fn stack(bench: &Bench, name: &str, version: &str, memory: &str, repeat: &str) -> String {
    bench.write("one.toml", SCENARIO);
    let fault = format!("worker_memory={memory}");
    bench.must(&["shim", name, "--machine", "rx6800xt", "--amd-smi", version, "--fault", &fault]);
    bench.must(&[
        "run",
        "one.toml",
        "--host",
        name,
        "--interaction",
        "exercise",
        "--repeat",
        repeat,
        "--results",
        &format!("r/{name}"),
    ]);
    bench.only_run(&format!("r/{name}")).display().to_string()
}

fn diff(bench: &Bench, base: &str, candidate: &str, more: &[&str]) -> (Done, Value) {
    let done = bench.run(&[&["diff", base, candidate, "--format", "human", "--format", "json=d.json"], more].concat());
    let document = serde_json::from_slice(&fs::read(bench.path("d.json")).unwrap()).unwrap();
    (done, document)
}

/// What changed: of which probe, what, which way, and whether that is worse.
fn changes(document: &Value) -> Vec<String> {
    let words = |change: &Value| {
        let part = |name: &str| change[name].as_str().unwrap().to_owned();
        format!("{} {} {} {}", part("probe"), part("what"), part("change"), change["worse"])
    };
    document["memory"]["changes"].as_array().unwrap().iter().map(words).collect()
}

#[test]
fn a_stack_that_needs_a_third_more_memory_is_named_in_every_format_and_one_that_needs_a_twentieth_more_is_not() {
    let bench = Bench::new();
    let base = stack(&bench, "base", "26.2.1", "64MiB", "5");
    let near = stack(&bench, "near", "27.1.0", "67MiB", "5");
    let more = stack(&bench, "more", "27.1.0", "84MiB", "5");

    let kept = record(base.as_ref()).cases.remove(0);
    assert_eq!((kept.tries.len(), kept.memory.len()), (5, 2), "{kept:?}");
    assert!(kept.tries.iter().all(|each| each.memory == kept.memory), "a simulated machine counts the same each time");
    let (done, document) = diff(&bench, &base, &near, &[]);
    assert_eq!((done.code, changes(&document)), (0, vec![]), "{}", done.told());
    assert_eq!(document["memory"]["compared"], 1);
    assert_eq!(document["timings"]["compared"], 0, "durations of a simulated machine are this computer's");
    assert_eq!(diff(&bench, &base, &near, &["--memory-threshold", "2"]).0.code, 1, "a threshold below the change");

    let files = ["--format", "markdown=d.md", "--format", "junit=d.xml", "--format", "html=d.html"];
    let (done, document) = diff(&bench, &base, &more, &files);
    assert_eq!(done.code, 1, "{}", done.told());
    let device = ["memory-past-limit device more true", "reduce-sum/f32/64/all device more true"];
    assert_eq!(changes(&document), device);
    assert_eq!(document["exit"]["reason"], "2 worse (2 with less memory to spare)");
    let said = "reduce-sum/f32/64/all: memory that the drivers count for the process: 64 MiB -> 84 MiB, 1.31 to 1.31 \
                times (95 %, n=5 and 5)";
    assert!(done.stdout.contains(&format!("▲ MORE MEMORY  one: {said}\n")), "{}", done.stdout);
    assert!(done.stdout.contains("memory    1 compared; a change is called beyond 10 %\n"), "{}", done.stdout);
    let read = |name: &str| fs::read_to_string(bench.path(name)).unwrap();
    assert!(
        read("d.md").contains("- **▲ more memory**, worse `one`: reduce-sum/f32/64/all: memory"),
        "{}",
        read("d.md")
    );
    assert!(read("d.html").contains("▲ more memory</b> (worse) <code>one</code>"), "{}", read("d.html"));
    let junit = quick_junit::Report::deserialize_from_str(&read("d.xml")).unwrap();
    assert_eq!((junit.failures, junit.test_suites.last().unwrap().name.as_str()), (2, "memory"));

    let (done, document) = diff(&bench, &more, &base, &[]);
    assert_eq!(done.code, 0, "to need less is not worse: {}", done.told());
    assert_eq!(changes(&document), device.map(|each| each.replace("more true", "less false")));
}

#[test]
fn memory_is_not_compared_from_one_sample_nor_where_one_side_did_not_count_it() {
    let bench = Bench::new();
    let base = stack(&bench, "base", "26.2.1", "64MiB", "5");
    let once = stack(&bench, "once", "27.1.0", "84MiB", "1");
    let (done, document) = diff(&bench, &base, &once, &[]);
    assert_eq!((done.code, changes(&document)), (0, vec![]), "{}", done.told());
    assert!(done.stdout.contains("1 case: not enough samples (n=1; need 5: --repeat)"), "{}", done.stdout);

    // As a version wrote it that did not count memory.
    let mut before: Value = serde_json::from_slice(&fs::read(format!("{base}/run.json")).unwrap()).unwrap();
    for each in before["cases"][0]["tries"].as_array_mut().unwrap() {
        each.as_object_mut().unwrap().remove("memory");
    }
    bench.write("before.json", before.to_string());
    let (done, document) = diff(&bench, "before.json", &base, &[]);
    assert_eq!((done.code, changes(&document)), (0, vec![]), "{}", done.told());
    assert!(done.stdout.contains("1 case: counted in the candidate only"), "{}", done.stdout);
}

#[test]
fn a_stack_that_leaves_less_memory_free_gives_less_and_both_are_named() {
    let bench = Bench::new();
    let base = stack(&bench, "base", "26.2.1", "64MiB", "5");
    let full = stack(&bench, "full", "27.1.0", "4GiB", "5");
    let (done, document) = diff(&bench, &base, &full, &[]);
    assert_eq!(done.code, 1, "{}", done.told());
    let left = ["memory-past-limit free less true", "memory-past-limit granted less true"];
    assert!(left.iter().all(|each| changes(&document).contains(&(*each).to_owned())), "{document}");
    assert!(
        done.stdout.contains("▼ LESS MEMORY  one: memory-past-limit: memory that the runtime calls free: "),
        "{}",
        done.stdout
    );
}
