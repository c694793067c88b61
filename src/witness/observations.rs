//! Everything that one case observed, in the order in which it happened. Checks read this and nothing else.

use std::time::Duration;

use crate::domain::{Bdf, Bytes, ComputeMode, Ended, MemoryMode, Provenance, Reading};

use super::amd_smi::{
    Answer, ListRow, PartitionReport, Query, SetRequest, SetRow, StaticPartitionRow, VersionReport, VramRow,
};

/// One call of amd-smi, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Arguments after the program name.
    pub args: Vec<String>,
    /// How it ended.
    pub ended: Ended,
    /// Standard output, capped.
    pub stdout: Vec<u8>,
    /// Standard error, capped.
    pub stderr: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

/// A call and what its output means.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked<T> {
    /// The call.
    pub call: Call,
    /// What it said.
    pub answer: Answer<T>,
}

/// One logical or whole GPU as sysfs shows it (primary partition only).
#[derive(Debug, Clone, PartialEq)]
pub struct SysfsGpu {
    /// Address of the physical function.
    pub bdf: Bdf,
    /// PCI device id.
    pub device_id: Reading<u16>,
    /// `current_compute_partition`.
    pub compute: Reading<ComputeMode>,
    /// `available_compute_partition`.
    pub available_compute: Reading<Vec<ComputeMode>>,
    /// `current_memory_partition`.
    pub memory: Reading<MemoryMode>,
    /// `available_memory_partition`.
    pub available_memory: Reading<Vec<MemoryMode>>,
    /// `mem_info_vram_total`.
    pub vram_total: Reading<Bytes>,
}

/// One GPU node of the KFD topology.
#[derive(Debug, Clone, PartialEq)]
pub struct KfdNode {
    /// Node number.
    pub node: u32,
    /// `gpu_id`, never 0 here.
    pub gpu_id: u32,
    /// Domain and `location_id`, decoded: the function digit is the partition.
    pub bdf: Reading<Bdf>,
    /// `device_id`.
    pub device_id: Reading<u16>,
    /// `gfx_target_version`.
    pub gfx_target_version: Reading<u32>,
    /// `num_xcc`.
    pub num_xcc: Reading<u32>,
    /// `simd_count`.
    pub simd_count: Reading<u32>,
    /// `unique_id`.
    pub unique_id: Reading<u64>,
    /// `drm_render_minor`.
    pub render_minor: Reading<u32>,
    /// Sum of the node's banks of heap type 1 (or 2): the truth about its memory.
    pub memory: Reading<Bytes>,
}

/// One look at the machine. `None` = nobody asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// `version`.
    pub version: Option<Asked<VersionReport>>,
    /// `list`.
    pub list: Option<Asked<Vec<ListRow>>>,
    /// `static --partition`.
    pub static_partition: Option<Asked<Vec<StaticPartitionRow>>>,
    /// `partition`, with the sections that were asked.
    pub partition: Option<Asked<PartitionReport>>,
    /// `static --vram`.
    pub vram: Option<Asked<Vec<VramRow>>>,
    /// `metric -m`.
    pub memory_use: Option<Asked<Vec<VramRow>>>,
    /// sysfs, by PCI address.
    pub sysfs: Option<Vec<SysfsGpu>>,
    /// KFD topology, by node.
    pub kfd: Option<Vec<KfdNode>>,
}

impl Snapshot {
    /// Every amd-smi call of this look, with its query.
    pub fn calls(&self) -> Vec<(Query, &Call)> {
        [
            (Query::Version, self.version.as_ref().map(|asked| &asked.call)),
            (Query::List, self.list.as_ref().map(|asked| &asked.call)),
            (Query::StaticPartition, self.static_partition.as_ref().map(|asked| &asked.call)),
            (Query::Partition, self.partition.as_ref().map(|asked| &asked.call)),
            (Query::StaticVram, self.vram.as_ref().map(|asked| &asked.call)),
            (Query::MetricMemory, self.memory_use.as_ref().map(|asked| &asked.call)),
        ]
        .into_iter()
        .filter_map(|(query, call)| Some((query, call?)))
        .collect()
    }
}

/// One set request and what came back.
#[derive(Debug, Clone, PartialEq)]
pub struct SetDone {
    /// What was asked.
    pub request: SetRequest,
    /// The call and its answer, one row for each GPU that was named.
    pub asked: Asked<Vec<SetRow>>,
    /// The last driver reload of the case after this request; `None` when there was none.
    pub reload: Option<Reload>,
}

/// How a driver reload ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// The driver was unloaded and loaded.
    Done,
    /// The machine refused it.
    Refused {
        /// In the words of the machine.
        why: String,
    },
}

/// Everything that one case observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    /// What kind of host it was.
    pub provenance: Provenance,
    /// The look before the first set; `None` when nothing was set.
    pub before: Option<Snapshot>,
    /// Set requests, in order.
    pub sets: Vec<SetDone>,
    /// Commands run word for word, in order.
    pub runs: Vec<Asked<()>>,
    /// The look at the end.
    pub after: Snapshot,
}
