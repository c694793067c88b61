//! What the witnesses' readings make together: physical GPUs with their logical devices, and the order in which
//! runtimes count them. Pure.

pub mod join;
mod logical;
mod nodes;
mod platform;
mod socket;
mod visible;

pub use logical::{LogicalDevice, logical_devices};
pub use platform::{Whereabouts, whereabouts};
pub use socket::{Socket, own_sockets, sockets};
pub use visible::{Ending, Filters, Visible, Why, visible};
