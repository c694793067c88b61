//! A tolerant parser for what every known version prints. Nothing here judges: each field is a reading, never a guess.

use crate::witness::Call;

use super::{Answer, Format, ListRow, PartitionReport, SetRequest, SetRow, StaticPartitionRow, VersionReport, VramRow};

/// `version`.
pub fn version(_call: &Call, _format: Format) -> Answer<VersionReport> {
    todo!()
}

/// `list`.
pub fn list(_call: &Call, _format: Format) -> Answer<Vec<ListRow>> {
    todo!()
}

/// `static --partition`.
pub fn static_partition(_call: &Call, _format: Format) -> Answer<Vec<StaticPartitionRow>> {
    todo!()
}

/// `partition`.
pub fn partition(_call: &Call, _format: Format) -> Answer<PartitionReport> {
    todo!()
}

/// `static --vram`.
pub fn vram(_call: &Call, _format: Format) -> Answer<Vec<VramRow>> {
    todo!()
}

/// `metric -m`.
pub fn memory_use(_call: &Call, _format: Format) -> Answer<Vec<VramRow>> {
    todo!()
}

/// `set`.
pub fn set_rows(_call: &Call, _format: Format, _request: &SetRequest) -> Answer<Vec<SetRow>> {
    todo!()
}
