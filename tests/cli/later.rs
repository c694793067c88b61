//! Records of a later version, and of somebody who means ill: read as far as they are known, or refused with the reason.

use std::fs;
use std::path::Path;

use rocvet::compare::Baseline;
use rocvet::matrix::record::MatrixRecord;
use rocvet::run::RunRecord;
use serde_json::{Value, json};

use super::support::{Bench, COUNT, Done, scenario};

/// A run of a scenario on a simulated machine, as a document.
fn run(bench: &Bench) -> Value {
    bench.write("s/one.toml", scenario(&[], COUNT));
    bench.must(&["run", "s", "--results", "r"]);
    let text = fs::read(bench.only_run("r").join("run.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn diff(bench: &Bench, base: &Value, candidate: &str) -> Done {
    bench.write("base.json", base.to_string());
    bench.write("candidate.json", candidate);
    let files =
        ["--format", "human", "--format", "markdown=d.md", "--format", "junit=d.xml", "--format", "html=d.html"];
    bench.run(&[&["diff", "base.json", "candidate.json", "--format", "json=d.json"][..], &files].concat())
}

#[test]
fn what_a_later_version_added_is_left_out_and_told_and_what_it_changed_is_refused() {
    let bench = Bench::new();
    let good = run(&bench);
    let mut later = good.clone();
    later["power"] = json!({ "most": 300 });
    later["run"]["rocvet"] = "9.0.0".into();
    later["cases"][0]["watts"] = json!([1, 2]);
    later["cases"][0]["findings"][0]["note"] = "new".into();
    let done = diff(&bench, &good, &later.to_string());
    assert_eq!(done.code, 0, "{}", done.told());
    let note = "candidate.json: keys that this version does not know are left out: cases.*.findings.*.note, cases.*.watts, power\n";
    assert!(done.stderr.contains(note), "{}", done.stderr);
    assert!(!diff(&bench, &good, &good.to_string()).stderr.contains("left out"));

    let mut word = later.clone();
    word["cases"][0]["status"] = "melted".into();
    let mut schema = later;
    schema["schema"] = "rocvet.run/2".into();
    for (document, says) in [(word, "unknown variant `melted`"), (schema, "it says \"rocvet.run/2\"")] {
        let done = diff(&bench, &good, &document.to_string());
        assert_eq!(done.code, 64, "{}", done.told());
        for part in [says, "candidate.json", "rocvet 9.0.0 wrote it, and this is"] {
            assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
        }
    }
}

#[test]
fn a_matrix_of_a_later_version_is_shown_as_far_as_it_is_known() {
    let bench = Bench::new();
    let run = matrix(&bench);
    let shown = |document: &Value| {
        bench.write("later/matrix.json", document.to_string());
        bench.run(&["matrix", "show", "later", "--format", "markdown"])
    };
    let mut later = run.clone();
    later["cells"][0]["watts"] = 7.into();
    later["cells"][0]["runs"][0]["watts"] = 7.into();
    let done = shown(&later);
    assert_eq!((done.code, &done.stdout), (0, &shown(&run).stdout), "{}", done.told());
    assert!(done.stderr.contains("left out: cells.*.runs.*.watts, cells.*.watts\n"), "{}", done.stderr);
    assert!(!shown(&run).stderr.contains("left out"));
}

/// A matrix of one cell on a simulated machine, as a document.
fn matrix(bench: &Bench) -> Value {
    bench.must(&["shim", "host", "--machine", "rx6800xt"]);
    let args = ["matrix", "run", "--host", "host", "--probe", "reduce-sum/f32/64/all", "--repeat", "2"];
    bench.run(&[&args[..], &["--results", "m"]].concat());
    serde_json::from_slice(&fs::read(bench.only_run("m").join("matrix.json")).unwrap()).unwrap()
}

/// Text that would steer a terminal, end a cell, an attribute or a comment, or turn letters around.
const HOSTILE: &str = "a\u{1b}[2J\u{9b}2J\u{0}\r\nexit 0: fine\u{202e}<script>alert(1)</script>]]>-->\"'`|*_#\u{fffe}";

/// Spoils every text of a document but those that have a closed set of values.
fn spoilt(value: &mut Value, below: &str) {
    let closed = ["schema", "provenance", "status", "check", "expect", "judgement", "kind", "is", "class"];
    match value {
        Value::String(text) if !closed.contains(&below) => text.push_str(HOSTILE),
        Value::Array(all) => all.iter_mut().for_each(|each| spoilt(each, below)),
        Value::Object(all) => {
            let old = std::mem::take(all);
            for (key, mut each) in old {
                spoilt(&mut each, &key);
                let open = ["machine", "stack", "env", "kernel", "libraries", "loaded"].contains(&below);
                all.insert(if open { format!("{key}{HOSTILE}") } else { key }, each);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn harmless(name: &str, page: &str) {
    let steers = |c: char| c.is_control() && c != '\n' || ['\u{202e}', '\u{fffe}'].contains(&c);
    assert!(!page.chars().any(steers), "{name}: {page:?}");
    // A line is no unit of XML and HTML.
    let of_lines = !name.ends_with(".xml") && !name.ends_with(".html");
    assert!(!of_lines || !page.contains("\nexit 0: fine"), "{name} says what it does not: {page}");
}

#[test]
fn text_of_a_record_is_harmless_in_every_format() {
    let bench = Bench::new();
    let good = run(&bench);
    let mut hostile = good.clone();
    spoilt(&mut hostile, "");
    let done = diff(&bench, &good, &hostile.to_string());
    assert_eq!(done.code, 3, "another id is another case: {}", done.told());
    harmless("human", &done.stdout);
    harmless("standard error", &done.stderr);
    let read = |name: &str| fs::read_to_string(bench.path(name)).unwrap();
    for name in ["d.md", "d.xml", "d.html"] {
        harmless(name, &read(name));
    }
    assert!(!read("d.html").contains("<script"), "{}", read("d.html"));
    let junit = quick_junit::Report::deserialize_from_str(&read("d.xml")).unwrap();
    assert_eq!((junit.tests, junit.errors), (2, 2));
    assert!(serde_json::from_str::<Value>(&read("d.json")).is_ok());

    let mut hostile = matrix(&bench);
    spoilt(&mut hostile, "");
    bench.write("m2/matrix.json", hostile.to_string());
    let files = ["--format", "human", "--format", "markdown=m.md", "--format", "html=m.html"];
    let done = bench.run(&[&["matrix", "show", "m2"][..], &files].concat());
    assert_eq!(done.code, 0, "{}", done.told());
    harmless("matrix, human", &done.stdout);
    ["m.md", "m.html"].into_iter().for_each(|name| harmless(name, &read(name)));
    assert!(!read("m.html").contains("<script>alert"), "{}", read("m.html"));
}

#[test]
fn numbers_and_ids_that_cannot_be_are_refused_with_the_reason() {
    let bench = Bench::new();
    let good = run(&bench);
    let text = good.to_string();
    let duration = good["cases"][0]["duration"].to_string();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let took = |number: &str| with(&format!("\"duration\":{duration}"), &format!("\"duration\":{number}"));
    let memory = |device: &str| {
        let memory = format!(r#""memory":[{{"probe":"p","processes":[{{"device":{device}}}]}}],"duration":{duration}"#);
        with(&format!("\"duration\":{duration}"), &memory)
    };
    let mut twice = good.clone();
    let case = twice["cases"][0].clone();
    twice["cases"].as_array_mut().unwrap().push(case);
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for (name, document, says) in [
        ("nan", took("NaN"), "expected value"),
        ("null", took("null"), "invalid type: null"),
        ("huge", took("1e400"), "number out of range"),
        ("long", took("1e300"), "seconds are no duration"),
        ("negative", took("-1"), "seconds are no duration"),
        ("overflow", memory("18446744073709551616"), "invalid type"),
        ("less than nothing", memory("-1"), "invalid value"),
        ("deep", with("\"a test\"", &deep), "invalid type: sequence"),
        ("twice", twice.to_string(), "\"one\" is there twice"),
        ("nameless", with("\"id\":\"one\"", "\"id\":\" \""), "number 1 has no id"),
        ("cut", text[..text.len() / 2].to_owned(), "EOF while parsing"),
    ] {
        let done = diff(&bench, &good, &document);
        assert_eq!(done.code, 64, "{name}: {}", done.told());
        assert!(done.stderr.contains(says) && done.stderr.contains("candidate.json"), "{name}: {}", done.stderr);
    }
    // The largest and the smallest that can be are read and compared as what they are.
    for (name, document) in [
        ("most", memory("18446744073709551615")),
        ("none", memory("0")),
        ("years", took("9999999999")),
        ("at once", took("0")),
        ("hardly", took("5e-324")),
    ] {
        let hardware = |text: &str| text.replace("\"simulated\"", "\"hardware\"");
        let base = serde_json::from_str(&hardware(&text)).unwrap();
        let done = diff(&bench, &base, &hardware(&document));
        assert_eq!(done.code, 0, "{name}: {}", done.told());
    }
}

#[test]
fn a_matrix_with_numbers_or_ids_that_cannot_be_is_refused() {
    let bench = Bench::new();
    let good = matrix(&bench);
    let mut twice = good.clone();
    let cell = twice["cells"][0].clone();
    twice["cells"].as_array_mut().unwrap().push(cell);
    let text = good.to_string();
    let seconds = good["cells"][0]["runs"][0]["seconds"].to_string();
    let id = good["cells"][0]["id"].to_string();
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for (name, document, says) in [
        ("nan", text.replace(&seconds, "NaN"), "expected value"),
        ("huge", text.replace(&seconds, "1e400"), "number out of range"),
        ("negative", text.replace(&seconds, "-1"), "seconds are no duration"),
        ("twice", twice.to_string(), "is there twice"),
        ("nameless", text.replace(&format!("\"id\":{id}"), "\"id\":\"\""), "number 1 has no id"),
        ("deep", text.replace("\"none\"", &deep), "invalid type: sequence"),
        ("other", text.replace("rocvet.matrix/1", "rocvet.matrix/2"), "it says \"rocvet.matrix/2\""),
    ] {
        assert_ne!(document, text, "{name}");
        bench.write("bad/matrix.json", document);
        let done = bench.run(&["matrix", "show", "bad"]);
        assert_eq!(done.code, 64, "{name}: {}", done.told());
        assert!(done.stderr.contains(says) && done.stderr.contains("matrix.json"), "{name}: {}", done.stderr);
    }
}

#[test]
fn what_the_fuzzers_begin_with_is_read() {
    let seeds = |target: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
        let all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
        assert!(!all.is_empty(), "{target} begins with nothing");
        all
    };
    assert!(seeds("diff_read").iter().all(|seed| RunRecord::read(seed).is_ok_and(|read| read.unknown.is_empty())));
    assert!(seeds("matrix_read").iter().all(|seed| MatrixRecord::read(seed).is_ok_and(|read| read.unknown.is_empty())));
    let baseline = |seed: Vec<u8>| Baseline::parse(&String::from_utf8(seed).unwrap(), "2026-11-21T10:00:00Z").is_ok();
    assert!(seeds("baseline_read").into_iter().all(baseline));
}
