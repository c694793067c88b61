//! What to run where: whether a model fits a logical device, in which modes, which model goes on which device, and what
//! to use there. Exact in bytes, and pure.

mod allocate;
mod dtype;
mod need;
mod shape;
mod share;

pub use allocate::{Allocation, Placed, Refused, Slot, allocate};
pub use dtype::{Dtype, KvDtype, UnknownDtype};
pub use need::{BLOCK_TOKENS, Need, RESERVE};
pub use shape::{Known, Numbers, Shape, ShapeError};
pub use share::{Share, ShareError};
