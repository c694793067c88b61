//! `validate schema`: what is written follows the schema of its format, and the schema does not admit anything.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::support::{Bench, COUNT, scenario};

/// Formats that people write: what is read is held against their schemas where the program reads them.
const WRITTEN_BY_PEOPLE: [&str; 2] = ["machine", "scenario"];

/// One of each kind that the program writes, by the name of its schema.
fn documents(bench: &Bench) -> Vec<(&'static str, Value)> {
    bench.must(&["shim", "good", "--machine", "mi300x", "--compute", "CPX"]);
    bench.must(&["shim", "bad", "--machine", "mi300x", "--compute", "CPX", "--fault", "missing_last_device"]);
    let probe = "title = 't'\nwhy = 'w'\nsource = 's'\nlevel = 'exercise'\n[applies]\n[simulate]\nmachine = 'mi300x'\n\
                 amd-smi = '26.2.1'\n[[step]]\nprobe = { work = 'reduce-sum/f32/64/all' }\n[[check]]\nid = 'probe.outcome'\n";
    bench.write("s/probe.toml", probe);
    bench.write("s/count.toml", scenario(&[], COUNT));
    let run = ["run", "s", "--interaction", "exercise", "--repeat", "2"];
    for host in ["good", "bad"] {
        bench.run(&[&run[..], &["--host", host, "--results", &format!("r-{host}")]].concat());
    }
    let args =
        ["matrix", "run", "--host", "good", "--probe", "reduce-sum/f32/64/all", "--repeat", "2", "--results", "m"];
    bench.run(&args);
    let (good, bad) = (bench.only_run("r-good"), bench.only_run("r-bad"));
    let diff = ["diff", good.to_str().unwrap(), bad.to_str().unwrap(), "--format", "json"];

    let json = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let baseline: toml::Table = toml::from_str(&fs::read_to_string(bad.join("baseline.toml")).unwrap()).unwrap();
    let mut all = vec![
        ("run", json(&bad.join("run.json"))),
        ("matrix", json(&bench.only_run("m").join("matrix.json"))),
        ("diff", serde_json::from_str(&bench.run(&diff).stdout).unwrap()),
        ("baseline", serde_json::to_value(baseline).unwrap()),
    ];
    let events = fs::read_to_string(bad.join("events.jsonl")).unwrap();
    all.extend(events.lines().map(|line| ("events", serde_json::from_str(line).unwrap())));
    all
}

#[test]
fn every_document_that_is_written_follows_its_schema_and_a_spoilt_one_does_not() {
    let bench = Bench::new();
    let documents = documents(&bench);
    let is_there = |at: &str| documents.iter().any(|(_, document)| document.pointer(at).is_some());
    for part in ["/cases/1/tries/1/memory/0/processes/0/device", "/cases/0/new/0", "/cells/0/runs/1", "/known/0"] {
        assert!(is_there(part), "none has {part}");
    }
    for (name, document) in &documents {
        let schema: Value = serde_json::from_str(&bench.must(&["schema", name])).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let problems: Vec<_> = validator.iter_errors(document).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:?}");
    }
    for (name, spoil) in [
        ("run", json!({ "/cases/0/status": "fine" })),
        ("run", json!({ "/schema": 1 })),
        ("matrix", json!({ "/cells/0/runs/0/seconds": -1.0 })),
        ("matrix", json!({ "/cells/0/runs/0/status": "fine" })),
        ("diff", json!({ "/memory/compared": "all" })),
        ("diff", json!({ "/cases/0/class": "fine" })),
        ("baseline", json!({ "/known/0/status": "fine" })),
        ("baseline", json!({ "/known/0/case": "" })),
        ("baseline", json!({ "/schema": "rocvet.baseline/2" })),
        ("baseline", json!({ "/skip": [{ "case": "a", "reason": "x", "status": "fail" }] })),
        ("baseline", json!({ "/known": [{ "case": "a", "reason": "x" }] })),
        ("baseline", json!({ "/knwon": [] })),
        ("events", json!({ "/event": "case-melted" })),
    ] {
        let schema: Value = serde_json::from_str(&bench.must(&["schema", name])).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut document = documents.iter().find(|(of, _)| *of == name).unwrap().1.clone();
        for (at, value) in spoil.as_object().unwrap() {
            let (parent, key) = at.rsplit_once('/').unwrap();
            match document.pointer_mut(parent).unwrap() {
                Value::Object(object) => drop(object.insert(key.to_owned(), value.clone())),
                Value::Array(array) => array[key.parse::<usize>().unwrap()] = value.clone(),
                other => panic!("{at}: {other}"),
            }
        }
        assert!(!validator.is_valid(&document), "{name} admits {spoil}");
    }

    let written: BTreeSet<&str> = documents.iter().map(|(name, _)| *name).chain(WRITTEN_BY_PEOPLE).collect();
    let refused = bench.run(&["schema", "nothing"]).stderr;
    let named = refused.split_once("[possible values: ").and_then(|(_, rest)| rest.split_once(']')).unwrap().0;
    let named: BTreeSet<&str> = named.split(", ").collect();
    assert_eq!(named, written, "a schema that no document is held against");
}
