//! stub
#[derive(Debug, clap::Args)]
/// x
pub struct ExplainArgs {}
/// x
pub fn run(_: &ExplainArgs) -> super::exit::Outcome { Ok(super::exit::Exit::Done) }
