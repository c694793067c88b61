//! Any text as a scenario file: cases or diagnostics, and the diagnostics can be shown.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rocvet::scenario::{Origin, read};
use rocvet::sim::Machine;

fuzz_target!(|text: &str| {
    let machines = |text: &str| Machine::parse(text).map(Arc::new).map_err(|error| error.to_string());
    match read(text, "fuzz", &Origin::Embedded("fuzz.toml".to_owned()), &machines) {
        Ok(cases) => assert!(!cases.is_empty(), "a scenario without cases is an error"),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                assert!(!problem.render(false).is_empty());
            }
        }
    }
});
