//! Changing the partition modes of a machine. What comes next is decided by `partition`; here it is done, written down
//! before it is done, and read back.

mod door;
mod drive;
mod lock;
mod store;

pub use door::{Door, Refusal};
pub use drive::{Modes, Observed, Trouble, back, drive, observe};
pub use lock::{Held, Lock};
pub use store::{Kind, Store, StoreError};
