//! Any bytes as a `run.json` that `diff` reads: refused with a reason, or compared, and every format of the report is
//! harmless where it is shown.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rocvet::compare::{Rules, Shapes, Side, compare};
use rocvet::report::{DiffKind, Paper, render_diff};
use rocvet::run::RunRecord;

static SAMPLE: LazyLock<RunRecord> = LazyLock::new(|| {
    RunRecord::read(include_bytes!("../../results/0-sample/run.json")).expect("the sample of the repository").value
});

fuzz_target!(|bytes: &[u8]| {
    let read = match RunRecord::read(bytes) {
        Ok(read) => read,
        Err(problem) => {
            let told = problem.to_string();
            assert!(!told.is_empty() && !told.chars().any(char::is_control), "{told:?}");
            return;
        }
    };
    assert!(read.unread().is_none_or(|told| !told.chars().any(char::is_control)));
    let text = serde_json::to_vec(&read.value).expect("a record is written");
    assert!(RunRecord::read(&text).is_ok_and(|again| again.value == read.value), "a record reads back");
    let side = |run: &RunRecord| Side { runs: vec![run.clone()], shapes: Shapes::default() };
    for base in [&*SAMPLE, &read.value] {
        let compared = compare(&side(base), &side(&read.value), Rules::default());
        for kind in [DiffKind::Human, DiffKind::Markdown, DiffKind::Json, DiffKind::Junit, DiffKind::Html] {
            let page = render_diff(kind, &compared, Paper::FILE).expect("a comparison is written");
            let page = String::from_utf8(page).expect("text");
            let steers = |c: char| c.is_control() && c != '\n';
            assert!(kind == DiffKind::Json || !page.chars().any(steers), "{kind:?}: {page:?}");
            assert!(kind != DiffKind::Html || !page.contains("<script"), "{page}");
        }
    }
});
