//! Two sides, each of one or more runs: what changed between them, and what cannot be told. Pure.

mod baseline;
mod case;
mod class;
mod comparison;
mod drift;
mod facts;
mod fisher;
mod pair;
mod tally;
mod timing;

pub use baseline::{Baseline, BaselineProblem, next_baseline};
pub use case::{CaseChange, Seen};
pub use class::Class;
pub use comparison::{Comparison, Rules, SCHEMA, Side, SideRun, Sides, compare};
pub use drift::{Change, Drift, Drifted, Shapes};
pub use facts::FactChange;
pub use tally::Tally;
pub use timing::{Timing, TimingChange, Timings};
