//! Any bytes as the `matrix.json` that `matrix show` reads: refused with a reason, or shown, and every format of it is
//! harmless where it is shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rocvet::matrix::record::MatrixRecord;
use rocvet::report::Paper;
use rocvet::report::matrix::{Kind, Shown, render};

fuzz_target!(|bytes: &[u8]| {
    let read = match MatrixRecord::read(bytes) {
        Ok(read) => read,
        Err(problem) => {
            let told = problem.to_string();
            assert!(!told.is_empty() && !told.chars().any(char::is_control), "{told:?}");
            return;
        }
    };
    let text = serde_json::to_vec(&read.value).expect("a record is written");
    assert!(MatrixRecord::read(&text).is_ok_and(|again| again.value == read.value), "a record reads back");
    for against_reported in [false, true] {
        let shown = Shown { runs: std::slice::from_ref(&read.value), against_reported };
        for kind in [Kind::Human, Kind::Markdown, Kind::Json, Kind::Html] {
            let page = render(kind, shown, Paper::FILE).expect("a matrix is written");
            let page = String::from_utf8(page).expect("text");
            let steers = |c: char| c.is_control() && c != '\n';
            assert!(kind == Kind::Json || !page.chars().any(steers), "{kind:?}: {page:?}");
        }
    }
});
