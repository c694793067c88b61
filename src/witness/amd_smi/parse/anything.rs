//! Any command, given word for word: how many documents it printed and whether it told of a failure.

use crate::domain::Reading;
use crate::witness::Call;
use crate::witness::amd_smi::{Answer, Format};

use super::output::Output;

/// Any command. There is no value to read: nobody knows what was asked.
pub fn anything(call: &Call, format: Format) -> Answer<()> {
    Output::read(call, format).answer(call, |_| Some(Reading::Value(())))
}
