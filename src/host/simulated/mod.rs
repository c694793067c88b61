//! A simulated host: a folder that holds a machine, its state, and the trees that its kernel would show.
//!
//! `HOST/lock` guards the rest. A query takes it shared for as long as it reads the state; a change takes it alone, and
//! puts new files in place by renaming them. Nothing waits, asks or hangs while it holds the lock.

mod answer;
mod create;
mod harm;
mod lock;
mod program;
mod store;
mod tree;
mod users;
mod write;

pub use crate::filelock::{Lock, Sharing};
pub use answer::{Answered, Call, answer};
pub use create::{Faces, create};
pub use harm::{fall_off, oops, reboot};
pub use lock::lock;
pub use program::install_program;
pub use store::{hold, load, reload, update};
pub use users::{forget_users, show_user};
pub use write::{Write, write};

/// Folder of what commands remember of the machine: journals of changes, and the ledger of models.
pub const REMEMBERED: &str = "partition";

/// The machine, as it was described.
const MACHINE_FILE: &str = "machine.toml";

/// What changes between calls.
const STATE_FILE: &str = "state.json";

/// Number of the state that the tree on disk shows; absent where the host shows no tree.
const GENERATION_FILE: &str = "generation";

/// What is locked. Never replaced, unlike the files that it guards.
const LOCK_FILE: &str = "lock";

/// Kernel log.
pub const KMSG_FILE: &str = "kmsg";

/// One byte for each worker of a probe that was started here.
pub const STARTS_FILE: &str = "probe-starts";
