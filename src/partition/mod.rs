//! Partition commands, the deciding part: which GPUs are meant, whether modes are as asserted, what it takes to change
//! them. Pure: what changes a machine is elsewhere.

mod assertion;
mod choice;
mod consent;
mod journal;
mod legal;
mod plan;
mod sizes;
mod steps;
mod table;

pub use assertion::{Asserted, Difference, Expected, assert_modes};
pub use choice::{Choice, NoSuchGpu, chosen};
pub use consent::Consent;
pub use journal::{End, Journal, JournalProblem, LIMIT as JOURNAL_LIMIT};
pub use legal::Judge;
pub use plan::{
    Footing, GpuPlan, Holder, ModePlan, Obstacle, ObstacleKind, OtherGpu, ReloadNeed, Route, Through, Wish, hives, plan,
};
pub use sizes::Sizes;
pub use steps::{Begun, Modes, ModesByGpu, Next, Step, next};
pub use table::{Cell, DeviceRow, GpuRow, Sides, Table, Witness, table};

#[cfg(test)]
mod samples;
