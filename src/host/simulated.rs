//! stub
use std::path::Path;
/// x
pub fn create(_: &Path, _: &crate::sim::Machine) -> Result<(), super::HostError> { Ok(()) }
/// x
pub fn reload(_: &Path) -> Result<(), super::HostError> { Ok(()) }
/// x
pub fn hold(_: &Path, _: bool) -> Result<(), super::HostError> { Ok(()) }
