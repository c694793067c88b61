//! Any text as a filter: one that is read can be asked about a case, one that is not says why.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rocvet::plan::Filter;
use rocvet::scenario::{Case, Origin, read};

static CASE: LazyLock<Case> = LazyLock::new(|| {
    let text = include_str!("../../scenarios/partition/modes/mi300x-cpx-nps4.toml");
    let none = |_: &str| Err("none".to_owned());
    read(text, "fuzz", &Origin::Embedded("fuzz.toml".to_owned()), &none).expect("a shipped scenario").remove(0)
});

fuzz_target!(|text: &str| {
    match Filter::parse(text) {
        Ok(filter) => {
            filter.matches(&CASE);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
