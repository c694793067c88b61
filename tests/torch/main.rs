//! The libtorch engine on the CPU, under the real supervisor: every operation against the oracle, in every format, and what
//! a wrong answer comes to. Built with the feature `torch` only; without it this says that it was not tested.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "torch")]
mod agreement;
#[cfg(feature = "torch")]
mod linking;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

#[cfg(feature = "torch")]
fn trials() -> Vec<Trial> {
    let mut trials = agreement::trials();
    trials.extend(linking::trials());
    trials
}

/// An entry that is seen to be skipped: a test that is silently not there looks like one that passed.
#[cfg(not(feature = "torch"))]
fn trials() -> Vec<Trial> {
    let name = "NOT TESTED: the torch engine (built without it; `scripts/test` does, or eval \"$(scripts/libtorch)\" and \
                `cargo test --features torch --test torch`)";
    vec![Trial::test(name, || Ok(())).with_ignored_flag(true)]
}
