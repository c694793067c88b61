//! The vocabulary: types without I/O, clock or command line. Every other module may use it; it uses none.

mod bdf;
mod bytes;
mod check;
mod demand;
mod device;
mod ended;
mod major_minor;
mod partition;
mod platform;
mod provenance;
mod reading;
mod status;
mod tool;

pub use bdf::{Bdf, BdfError};
pub use bytes::Bytes;
pub use check::{CheckId, CheckSpec, Expect, KernelRules};
pub use demand::{Ban, Conflict, Demand, NotATorch, TorchVersion};
pub use device::{DeviceKind, MemoryReport, Neighbour};
pub use ended::{Ended, Limit, Signal};
pub use major_minor::{MajorMinor, NotAVersion};
pub use partition::{AllocMode, ComputeMode, MemoryMode, UnknownMode};
pub use platform::Platform;
pub use provenance::{Confidence, Provenance, Source};
pub use reading::Reading;
pub use status::{Failure, Meaning, Status, StatusWord};
pub use tool::{ToolVersion, ToolVersionError};
