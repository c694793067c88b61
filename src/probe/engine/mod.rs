//! What computes a probe. One folder for each engine that is part of this program.

pub mod python;
pub mod reference;
pub mod serve;
pub mod simulated;
pub mod torch;
