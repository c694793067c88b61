//! A simulated machine like one that was looked at: what it must be, and what such a machine still shows otherwise. Pure:
//! making the machine and looking at it is the caller's business.

mod candidates;
mod differences;
mod infer;

pub use candidates::candidates;
pub use differences::differences;
pub use infer::{Inferred, infer};

#[cfg(test)]
mod tests;
