//! Records of a later version, and of somebody who means ill: read as far as they are known, or refused with the reason.

use std::fs;

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
