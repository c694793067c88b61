//! `--format json`: the run record itself. Its schema is `validate schema run`.

use crate::run::RunRecord;

use super::ReportError;

pub(super) fn render(record: &RunRecord) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(record)?;
    bytes.push(b'\n');
    Ok(bytes)
}
