//! `validate` as a user or a script meets it: a process with arguments, two streams, an exit code and a results folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::disallowed_methods)]

mod bad_input;
mod bootloader;
mod bundle;
mod captures;
mod changes;
mod diff;
mod diff_memory;
mod doctor;
mod exit_codes;
mod hardware;
mod held;
mod host;
mod hostile;
mod interrupt;
mod later;
mod matrix;
mod names;
mod output;
mod partition;
mod placement;
mod probe;
mod recordings;
mod results;
mod resume;
mod run_probes;
mod schemas;
#[path = "../scratch/mod.rs"]
mod scratch;
mod shrink;
mod support;
mod workers;
