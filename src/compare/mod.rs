//! Two sides, each of one or more runs: what changed between them, and what cannot be told. Pure.

mod baseline;
mod bootstrap;
mod case;
mod class;
mod comparison;
mod drift;
mod facts;
mod fisher;
mod memory;
mod pair;
mod sides;
mod tally;
mod timing;

pub use baseline::{Baseline, BaselineProblem, next_baseline};
pub use case::{CaseChange, Seen};
pub use class::Class;
pub use comparison::{Comparison, Rules, SCHEMA, Side, SideRun, Sides, compare};
pub use drift::{Change, Drift, Drifted, Shapes};
pub use facts::FactChange;
pub use memory::{Amount, Measure, Memories, MemoryChange};
pub use sides::{of_worker, workers};
pub use tally::Tally;
pub use timing::{Timing, TimingChange, Timings};
