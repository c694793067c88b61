//! A probe as a step of a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::DeviceKind;
use crate::probe::ProbeSpec;

/// Probes that are run one after the other, all in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeStep {
    /// What is computed, or how memory is used; never empty.
    pub specs: Vec<ProbeSpec>,
    /// Where.
    pub on: DeviceKind,
    /// In how many processes each, one after the other; at least one.
    pub processes: u32,
    /// Seconds after which no further repeat is begun.
    pub budget: Option<u32>,
    /// Variables that the worker has.
    pub env: BTreeMap<String, String>,
    /// Longest time to the first result; the engine's own when `None`.
    pub deadline: Option<Duration>,
}
