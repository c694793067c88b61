//! The shim against the real amd-smi: `scripts/conformance` starts this with `--conformance`, as root. Debian systems
//! with the real tool are built once; in a mount namespace of their own the tree of a simulated machine stands in for
//! `/sys`, and every planned call is made there and of the shim.
//!
//! Started by `cargo test`, it checks its own rules only, and says that the real tool was not run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

mod accepted;
mod compare;
mod driver;
mod hardware;
mod lane;
mod plan;
mod play;
mod program;
mod roots;
mod run;
mod table;
mod tree;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    if words.next().is_some_and(|word| word == "--conformance") {
        return run::main(words.collect());
    }
    libtest_mimic::run(&Arguments::from_args(), own_rules()).exit_code()
}

fn own_rules() -> Vec<Trial> {
    let rules: [(&str, fn()); 11] = [
        ("the mirror is read from apt's files", roots::tests::mirror_is_read),
        ("a root with another tool is refused", roots::tests::another_tool_is_refused),
        ("the plan that is shipped reads", plan::tests::the_plan_reads),
        ("a misspelt plan is refused", plan::tests::a_misspelt_plan_is_refused),
        ("calls are read as they are typed", plan::tests::calls_are_read_as_typed),
        ("only what is named is accepted", accepted::tests::only_what_is_named_is_accepted),
        ("an accepted difference that is none any more is told", accepted::tests::an_unused_entry_is_stale),
        ("the table of accepted differences reads", accepted::tests::the_table_reads),
        ("any difference is seen", compare::tests::any_difference_is_seen),
        ("the exit code follows the counts", table::tests::the_exit_code_follows_the_counts),
        ("the last line has its form", table::tests::the_last_line_has_its_form),
    ];
    let rule = |(name, check): (&str, fn())| {
        Trial::test(name, move || {
            check();
            Ok(())
        })
    };
    let not_run = Trial::ignorable_test("the shim against the real tool", || {
        Ok(libtest_mimic::Completion::ignored_with("scripts/conformance runs it, as root"))
    });
    rules.into_iter().map(rule).chain([not_run]).collect()
}
