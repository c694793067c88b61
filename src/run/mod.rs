//! Executing a plan: one host for each case, observations, verdicts, a journal, and the record of the run.

mod case;
mod clock;
mod coverage;
mod environment;
mod execute;
mod exit;
mod journal;
mod kept;
mod loaded;
mod look;
mod matrix;
mod matrix_journal;
mod memory;
mod observe;
mod probe;
mod record;
mod stands;

pub use case::{Bed, Lab};
pub use clock::{Clock, Stopwatch};
pub use coverage::{Coverage, Gaps};
pub use environment::{Environment, Question};
pub use execute::{Options, Progress, as_expected, execute};
pub use exit::{Exit, exit_of};
pub use journal::{Earlier, Event, RunFolder, TakeUpError, keep_evidence, keep_text};
pub use kept::{KeptCall, kept_calls};
pub use loaded::loaded;
pub use look::{Wanted, look};
pub use matrix::{CellKnown, CellStand, RanCell, answers_again, blank, run_cell};
pub use matrix_journal::{Began, EarlierMatrix, MatrixFolder, NotTakenUp, RECORD_FILE, Waited};
pub use memory::{MemoryTaken, ProbeTook};
pub use record::{CaseRecord, CheckRecord, HostRecord, Known, NotSelected, RunInfo, RunRecord, SCHEMA, Seconds, Try};
pub use stands::{Here, Stands};
