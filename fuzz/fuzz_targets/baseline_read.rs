//! Any text as a baseline: refused with a reason, or one that answers for every case and makes a next one that reads back.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rocvet::compare::{Baseline, next_baseline};
use rocvet::run::RunRecord;

const NOW: &str = "2026-11-21T10:00:00Z";

static SAMPLE: LazyLock<RunRecord> = LazyLock::new(|| {
    RunRecord::read(include_bytes!("../../results/0-sample/run.json")).expect("the sample of the repository").value
});

fuzz_target!(|text: &str| {
    let baseline = match Baseline::parse(text, NOW) {
        Ok(baseline) => baseline,
        Err(problem) => {
            assert!(!problem.to_string().is_empty());
            return;
        }
    };
    let environment = SAMPLE.environment.clone().unwrap_or_default();
    for case in &SAMPLE.cases {
        let _ = (baseline.skips(&case.id, &environment), baseline.knows(case, &environment));
    }
    let idle = baseline.idle(&["partition/modes"]);
    assert!(!idle.iter().any(|line| line.chars().any(char::is_control)), "{idle:?}");
    let next = next_baseline(&SAMPLE, Some(&baseline)).expect("a baseline is written");
    assert!(Baseline::parse(&next, NOW).is_ok(), "{next}");
});
