//! `set`: one sentence for each GPU, and only the sentence tells success from failure.

use crate::domain::Reading;
use crate::witness::Call;
use crate::witness::amd_smi::{Answer, Format, SetOutcome, SetRequest, SetRow};

use super::failure;
use super::leaf::Leaf;
use super::output::{Group, Output, rows};

/// `set`. A failure told in a GPU's own field (with exit code 0) is also the answer's failure.
pub fn set_rows(call: &Call, format: Format, request: &SetRequest) -> Answer<Vec<SetRow>> {
    let keys: &[&str] = match request {
        SetRequest::Compute { .. } => &["accelerator_partition", "compute_partition", "computepartition"],
        SetRequest::Memory { .. } => &["memory_partition", "memorypartition"],
    };
    let mut answer = Output::read(call, format).answer(call, |groups| {
        rows(
            groups,
            |group: &Group| group.title.is_none(),
            |gpu, record| SetRow { gpu, outcome: outcome(record.get("", keys)) },
        )
    });
    if answer.failure.is_none() {
        answer.failure = answer.value.value().into_iter().flatten().find_map(|row| match row.outcome.value()? {
            SetOutcome::Said { .. } => None,
            SetOutcome::Failed { error } => Some(error.clone()),
        });
    }
    answer
}

fn outcome(leaf: &Leaf) -> Reading<SetOutcome> {
    match leaf {
        Leaf::Text(text) if text.starts_with("Successfully") => {
            Reading::Value(SetOutcome::Said { sentence: text.clone() })
        }
        Leaf::Text(text) if failure::tells(text) => {
            Reading::Value(SetOutcome::Failed { error: failure::sentence(text) })
        }
        Leaf::Text(text) => Reading::malformed(text, "neither a success nor a failure that is known"),
        Leaf::NotApplicable => Reading::NotApplicable,
        Leaf::Nothing => Reading::NotReported,
        Leaf::Odd { raw, problem } => Reading::malformed(raw, *problem),
    }
}
