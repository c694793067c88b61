//! The crash matrix: what was reported, and what this machine shows.
//!
//! [`reported`] holds the public reports, one cell each; [`reproduction`] how each is played on a simulated machine, and
//! [`agreement`] whether what came out is what was reported. A sweep makes [`cell`]s of probes and [`setting`]s, [`risk`]
//! puts them in order, and [`record`] is what comes of them, over reboots in a
//! [`campaign`]; [`ending`] says what they come to, [`grid`] lays them
//! out, and [`comparison`] holds them against the reports. All of it decides and touches nothing.

pub mod agreement;
pub mod campaign;
pub mod cell;
pub mod comparison;
pub mod ending;
pub mod grid;
pub mod record;
pub mod reported;
pub mod reproduction;
pub mod risk;
pub mod setting;
