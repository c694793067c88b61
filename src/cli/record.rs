//! stub
#[derive(Debug, clap::Args)]
/// x
pub struct RecordArgs {}
/// x
pub fn run(_: &RecordArgs) -> super::exit::Outcome { Ok(super::exit::Exit::Done) }
