//! What the witnesses' readings make together: physical GPUs with their logical devices. Pure.

mod socket;

pub use socket::{Socket, sockets};
