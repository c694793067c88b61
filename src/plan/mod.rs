//! Which cases are run on which host, and in what order. Pure: the same cases and the same selection give the same plan.

mod build;
mod cpu;
mod filter;
mod filter_parse;
mod host;
mod shard;
mod workers;

pub use build::{Excluded, Plan, Reason, Selection, Undecided};
pub use filter::{Filter, FilterError};
pub use host::{HostDescription, Target};
pub use shard::{Shard, ShardError};
pub use workers::without_worker;

#[cfg(test)]
mod tests;
