//! Records and baselines that somebody spoilt anywhere: refused with a reason, or read, compared and shown harmlessly.
//! `fuzz/` asks the same of any bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use rocvet::compare::{Baseline, Rules, Shapes, Side, compare, next_baseline};
use rocvet::matrix::record::MatrixRecord;
use rocvet::report::matrix::{self, Shown};
use rocvet::report::{DiffKind, Paper, render_diff};
use rocvet::run::RunRecord;
use serde_json::{Value, json};

const RUN: &str = include_str!("../fuzz/seeds/diff_read/bad.json");
const OTHER: &str = include_str!("../fuzz/seeds/diff_read/good.json");
const MATRIX: &str = include_str!("../fuzz/seeds/matrix_read/two-processes.json");
const BASELINE: &str = include_str!("../fuzz/seeds/baseline_read/every-key.toml");
const NOW: &str = "2026-11-21T10:00:00Z";

/// What stands at a place of a document instead of what belongs there.
fn wrong(kind: usize) -> Value {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let all = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1e308),
        json!(5e-324),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("a\u{1b}[2J\u{9b}\u{202e}\r\nexit 0: fine<script>]]>\"'`|\u{fffe}"),
        json!("x".repeat(10_000)),
        json!([]),
        json!({}),
        deep,
    ];
    all[kind % all.len()].clone()
}

/// The place with this number, counted from the root down.
fn place<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(all) => all.iter_mut().find_map(|each| place(each, left)),
        Value::Object(all) => all.values_mut().find_map(|each| place(each, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(all) => all.iter().map(count).sum(),
        Value::Object(all) => all.values().map(count).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Spoils a document at some places.
fn spoilt(text: &str, changes: &[(usize, usize)]) -> Vec<u8> {
    let mut document: Value = serde_json::from_str(text).unwrap();
    for &(at, how) in changes {
        let mut left = at % count(&document);
        let Some(found) = place(&mut document, &mut left) else { continue };
        match (how % 17, &mut *found) {
            (14, Value::Array(all)) => all.extend(all.first().cloned()),
            (14, Value::Object(all)) => drop(all.insert("later\u{1b}".to_owned(), json!([1, { "a": 2 }]))),
            (15, Value::Object(all)) => drop(all.keys().next().cloned().and_then(|key| all.remove(&key))),
            (16, Value::String(text)) => text.push_str(wrong(9).as_str().unwrap_or_default()),
            (how, found) => *found = wrong(how),
        }
    }
    serde_json::to_vec(&document).unwrap()
}

/// Spoils bytes at some places.
fn torn(text: &str, changes: &[(usize, usize)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for &(at, how) in changes {
        let at = at % bytes.len().max(1);
        match how % 4 {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, *b"1e400")),
            2 => drop(bytes.splice(at..(at + 1).min(bytes.len()), [u8::try_from(how % 256).unwrap()])),
            _ => drop(bytes.splice(at..at, *b"\",[{\"")),
        }
    }
    bytes
}

fn told(problem: &str) {
    assert!(!problem.is_empty() && !problem.chars().any(char::is_control), "{problem:?}");
}

fn shown(name: &str, page: Vec<u8>) {
    let page = String::from_utf8(page).unwrap();
    let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!page.chars().any(steers), "{name}: {page:?}");
    // In a terminal, and in the code of Markdown, it is text.
    assert!(!page.contains("<script>]]") || !page.starts_with('<'), "{name}: {page}");
}

/// Whether it was read.
fn run(bytes: &[u8]) -> bool {
    let read = match RunRecord::read(bytes) {
        Ok(read) => read,
        Err(problem) => {
            told(&problem.to_string());
            return false;
        }
    };
    read.unread().iter().for_each(|unread| told(unread));
    let again = serde_json::to_vec(&read.value).unwrap();
    assert_eq!(RunRecord::read(&again).unwrap().value, read.value, "a record reads back");
    let side = |run: RunRecord| Side { runs: vec![run], shapes: Shapes::default() };
    let other = RunRecord::read(OTHER.as_bytes()).unwrap().value;
    for base in [other, read.value.clone()] {
        let compared = compare(&side(base), &side(read.value.clone()), Rules::default());
        for kind in [DiffKind::Human, DiffKind::Markdown, DiffKind::Junit, DiffKind::Html] {
            shown(&format!("{kind:?}"), render_diff(kind, &compared, Paper::FILE).unwrap());
        }
        let document = render_diff(DiffKind::Json, &compared, Paper::FILE).unwrap();
        assert!(serde_json::from_slice::<Value>(&document).is_ok());
    }
    true
}

/// Whether it was read.
fn cells(bytes: &[u8]) -> bool {
    let read = match MatrixRecord::read(bytes) {
        Ok(read) => read,
        Err(problem) => {
            told(&problem.to_string());
            return false;
        }
    };
    for against_reported in [false, true] {
        let all = Shown { runs: std::slice::from_ref(&read.value), against_reported };
        for kind in [matrix::Kind::Human, matrix::Kind::Markdown, matrix::Kind::Html] {
            shown("a matrix", matrix::render(kind, all, Paper::FILE).unwrap());
        }
    }
    true
}

/// Whether it was read.
fn baseline(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let known = match Baseline::parse(text, NOW) {
        Ok(known) => known,
        Err(problem) => {
            let problem = problem.to_string();
            assert!(!problem.is_empty() && !problem.chars().any(|c| c.is_control() && c != '\n'), "{problem:?}");
            return false;
        }
    };
    known.idle(&["partition/modes"]).iter().for_each(|line| told(line));
    let record = RunRecord::read(RUN.as_bytes()).unwrap().value;
    let next = next_baseline(&record, Some(&known)).unwrap();
    assert!(Baseline::parse(&next, NOW).is_ok(), "{next}");
    true
}

fn changes() -> impl Strategy<Value = Vec<(usize, usize)>> {
    proptest::collection::vec((any::<usize>(), any::<usize>()), 1..4)
}

#[test]
fn what_begins_is_read() {
    assert!(run(RUN.as_bytes()) && run(OTHER.as_bytes()) && cells(MATRIX.as_bytes()) && baseline(BASELINE.as_bytes()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spoilt_run_is_refused_or_compared_harmlessly(changes in changes()) {
        run(&spoilt(RUN, &changes));
        run(&torn(RUN, &changes));
    }

    #[test]
    fn a_spoilt_matrix_is_refused_or_shown_harmlessly(changes in changes()) {
        cells(&spoilt(MATRIX, &changes));
        cells(&torn(MATRIX, &changes));
    }

    #[test]
    fn a_spoilt_baseline_is_refused_or_read(changes in changes()) {
        baseline(&torn(BASELINE, &changes));
    }
}
