//! Answers with one row for each device: `list`, `static --partition`, `static --vram`, `metric -m`.

use crate::domain::Reading;
use crate::witness::Call;
use crate::witness::amd_smi::{Answer, Format, ListRow, StaticPartitionRow, VramRow};

use super::output::{Group, Output, Record, rows};

/// `list`.
pub fn list(call: &Call, format: Format) -> Answer<Vec<ListRow>> {
    answer(call, format, |gpu, record| ListRow {
        gpu,
        bdf: record.get("", &["bdf", "gpu_bdf"]).parsed(),
        uuid: record.get("", &["uuid", "gpu_uuid"]).string(),
        kfd_id: record.get("", &["kfd_id"]).number(),
        node_id: record.get("", &["node_id"]).number(),
        partition_id: record.get("", &["partition_id"]).number(),
    })
}

/// `static --partition`, alone or among other sections.
pub fn static_partition(call: &Call, format: Format) -> Answer<Vec<StaticPartitionRow>> {
    answer(call, format, |gpu, record| StaticPartitionRow {
        gpu,
        compute: record.get("partition", &["accelerator_partition", "compute_partition"]).parsed(),
        memory: record.get("partition", &["memory_partition"]).parsed(),
        partition_id: record.get("partition", &["partition_id"]).number(),
    })
}

/// `static --vram`, alone or among other sections.
pub fn vram(call: &Call, format: Format) -> Answer<Vec<VramRow>> {
    answer(call, format, |gpu, record| VramRow {
        gpu,
        total: record.get("vram", &["size"]).size(),
        used: Reading::NotReported,
    })
}

/// `metric -m`, alone or among other sections.
pub fn memory_use(call: &Call, format: Format) -> Answer<Vec<VramRow>> {
    answer(call, format, |gpu, record| VramRow {
        gpu,
        total: record.get("mem_usage", &["total_vram"]).size(),
        used: record.get("mem_usage", &["used_vram"]).size(),
    })
}

fn answer<T: PartialEq>(call: &Call, format: Format, row: impl Fn(u32, &Record) -> T) -> Answer<Vec<T>> {
    Output::read(call, format).answer(call, |groups| rows(groups, |group: &Group| group.title.is_none(), row))
}
