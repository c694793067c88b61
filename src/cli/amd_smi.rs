//! stub
/// A call by the name `amd-smi`.
pub struct AmdSmiCall;
impl AmdSmiCall { /// x
pub fn answer(self) -> std::process::ExitCode { std::process::ExitCode::SUCCESS } }
/// x
pub fn called_as_amd_smi() -> Option<AmdSmiCall> { None }
