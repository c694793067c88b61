//! The amd-smi face: argv in, stdout, stderr and exit code out, by the rules of each tool generation.
//!
//! `startup` decides whether the tool gets to its command line at all, `args` reads that as argparse would, `query/*`
//! render what can be asked, `set` and `reset` change things, `failure` holds every error text and exit code.
//! `dialect` says which rule of printing a tool version follows, `generation` which rule of the command line.

mod args;
pub mod dialect;
mod dispatch;
mod failure;
mod generation;
mod help;
mod library;
mod prompt;
pub mod query;
mod records;
mod reset;
mod session;
mod set;
mod startup;
mod status;

pub use dispatch::answer;
pub use session::{Context, Format, Response, Session};
