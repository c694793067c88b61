//! Facts: data with source and confidence, embedded in the binary, and the typed tables over them.
//!
//! To add one: a row in a file of `data/` (its table's type says which keys), or a note in `data/notes.toml`.
//! Everything here is also an [`Entry`], which `validate explain` prints.

mod amd_smi;
mod combos;
mod contradictions;
pub(crate) mod embedded;
mod entries;
mod entry;
mod lookup;
mod memory;
mod models;
mod modes;
mod notes;
mod parts;
mod profiles;
mod signatures;
mod tolerance;
mod tuning;

pub use amd_smi::{
    Bug, CliError, Command, Container, ErrnoStatus, ExitRules, Release, ReloadHabit, Shape, Span, Status, bug, bugs,
    commands, container, errno_status, exit_rules, release, releases, reload_habit, sets_in_guest, status_name,
};
pub use combos::{Combo, Firmware, combo, combos};
pub use contradictions::{Claim, Contradiction, contradictions};
pub use entries::entries;
pub use entry::Entry;
pub use lookup::{Lookup, lookup};
pub use memory::{memory_per_device, nominal_tolerance, split_memory, xccs_per_device};
pub use models::{Decoder, Model, model, model_names, models};
pub use modes::{Legality, auto_mode, kernel_allows, legality, memory_ranges};
pub use parts::{Part, part, parts};
pub use profiles::{Profile, Resource, ResourceKind, profiles};
pub use signatures::{Class, Severity, Signature, Stream, signature, signatures};
pub use tolerance::{TOLERANCES, Tolerance};
pub use tuning::{
    Build, BuildKind, Mitigation, MitigationKind, Opposites, Pairing, Parameter, ParameterDefault, ParameterKind,
    Reality, Report, Reported, Trouble, Variable, builds, known_variable_names, list, mitigation, mitigations,
    opposites, pairings, parameter, parameter_holds, parameters, troubles, variable, variables,
};
