//! rocvet: a test harness and hardware-validation suite for AMD GPUs.
//!
//! Scenario files are run against a simulated, a recorded or the real machine, and a verdict comes out
//! with its evidence. `ARCHITECTURE.md` is the map; the order of the modules below is the order in which
//! they may depend on each other, and `tests/architecture.rs` holds that table.

pub mod domain;

pub mod facts;

pub mod pseudonym;

pub mod filelock;

pub mod document;

pub mod process;

pub mod sim;

pub mod witness;

pub mod quarantine;

pub mod journal;

pub mod probe;

pub mod matrix;

pub mod shrink;

pub mod topology;
pub mod tuning;

pub mod doctor;

pub mod likeness;

pub mod partition;

pub mod placement;

pub mod ledger;

pub mod scenario;

pub mod plan;

pub mod host;

pub mod check;

pub mod run;

pub mod compare;

pub mod change;

pub mod report;

pub mod bundle;

pub mod cli;
