//! Probes: real operations whose numbers are known, each computed by an engine in a process that may die.
//!
//! A [`ProbeSpec`] says what is computed; [`tensor`] what its inputs are, the same in every engine, and what of a result
//! is carried; [`classify`] what a process died of.

pub mod classify;
pub mod spec;
pub mod tensor;

pub use spec::{ProbeSpec, SpecError};
pub use tensor::{Output, Role, Tensor};
