//! Probes: real operations whose numbers are known, each computed by an engine in a process that may die.
//!
//! A [`ProbeSpec`] says what is computed; [`tensor`] what its inputs are, the same in every engine, and what of a result
//! is carried. The [`engine::reference`] computes every one of them in f64, and [`judge`](mod@judge) holds a result
//! against that; [`memory`] judges what uses memory. [`protocol`] is how a worker is talked to; [`supervise`](mod@supervise) runs one, [`classify`] says what
//! it died of, [`fallback`] where it ran, and [`verdict`] what all of that amounts to. A [`stand`] puts them together.

pub mod capacity;
pub mod catalogue;
pub mod classify;
pub mod engine;
pub mod fallback;
pub mod judge;
pub mod judgement;
pub mod loaded;
pub mod memory;
pub mod oracles;
pub mod protocol;
pub mod record;
pub mod soak;
pub mod spec;
pub mod stand;
pub mod supervise;
pub mod system_journal;
pub mod tensor;
pub mod verdict;
pub mod warm;
pub mod watch;

pub use judge::{Numbers, judge};
pub use judgement::Judgement;
pub use spec::{ProbeSpec, SpecError};
pub use tensor::{Output, Role, Tensor};
