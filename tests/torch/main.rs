//! The libtorch engine on the CPU, under the real supervisor: every operation against the oracle, in every format; what a wrong
//! answer comes to; and that a fork of a warm parent is held to what a fresh worker is held to. Built with the feature
//! `torch` only; without it this says that it was not tested.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)]

#[cfg(feature = "torch")]
mod agreement;
#[cfg(feature = "torch")]
mod linking;
#[cfg(feature = "torch")]
mod overhead;
#[cfg(feature = "torch")]
mod warmth;

// The warm parent itself, so that a program that misbehaves can be one: the worker has nothing planted in it.
#[cfg(feature = "torch")]
#[allow(dead_code, reason = "the worker uses more of it")]
#[path = "../../src/bin/probe-torch/fork.rs"]
mod fork;
#[cfg(feature = "torch")]
#[path = "../../src/bin/probe-torch/warm.rs"]
mod warm;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    #[cfg(feature = "torch")]
    if let Some(code) = warmth::misbehave() {
        return code;
    }
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}

#[cfg(feature = "torch")]
fn trials() -> Vec<Trial> {
    [agreement::trials(), linking::trials(), warmth::trials(), overhead::trials()].into_iter().flatten().collect()
}

/// An entry that is seen to be skipped: a test that is silently not there looks like one that passed.
#[cfg(not(feature = "torch"))]
fn trials() -> Vec<Trial> {
    let name = "NOT TESTED: the engine torch (not built; `scripts/test` builds it, and so does eval \"$(scripts/libtorch)\" with \
                `cargo test --features torch --test torch`)";
    vec![Trial::test(name, || Ok(())).with_ignored_flag(true)]
}
