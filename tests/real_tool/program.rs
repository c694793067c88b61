//! Foreign programs, all through `process::run`: a deadline, a cap on output, and their own process group.

use std::ffi::OsString;
use std::time::Duration;

use rocvet::process::{Limits, Outcome, Spec, run};

/// A program that must succeed; else the last lines of what it printed.
pub fn must(program: &str, args: &[&str], deadline: Duration) -> Result<String, String> {
    let outcome = start(program, args.iter().map(OsString::from).collect(), deadline, None);
    if outcome.ended.success() {
        return Ok(String::from_utf8_lossy(&outcome.stdout).into_owned());
    }
    let said = [outcome.stdout, outcome.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(4)..].join("; ");
    Err(format!("{program} {}: {:?}: {last}", args.join(" "), outcome.ended))
}

/// A program with what it needs to reach a mirror, and nothing else of this environment.
pub fn start(program: &str, args: Vec<OsString>, deadline: Duration, stdin: Option<Vec<u8>>) -> Outcome {
    let inherit = ["PATH", "http_proxy", "https_proxy", "no_proxy"];
    run(&Spec {
        args,
        stdin,
        env: vec![("LC_ALL".into(), "C.UTF-8".into()), ("HOME".into(), "/root".into())],
        inherit: inherit.map(str::to_owned).to_vec(),
        limits: Limits { deadline, ..Limits::default() },
        ..Spec::new(program)
    })
}
