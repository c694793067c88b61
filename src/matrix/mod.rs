//! The crash matrix: what was reported, and what this machine shows.
//!
//! [`reported`] holds the public reports, one cell each; [`reproduction`] how each is played on a simulated machine, and
//! [`agreement`] whether what came out is what was reported. All of it decides and touches nothing.

pub mod agreement;
pub mod reported;
pub mod reproduction;
