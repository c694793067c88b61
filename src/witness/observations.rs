//! Everything that one case observed, in the order in which it happened. Checks read this and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{AllocMode, Bdf, Bytes, ComputeMode, Ended, MemoryMode, Provenance, Reading};

use super::amd_smi::{
    Answer, ListRow, PartitionReport, Query, SetRequest, SetRow, StaticPartitionRow, VersionReport, VramRow,
};
use super::tuning::TuningFacts;

use super::probed::ProbeDone;

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
    /// `mem_info_vram_used`.
    pub vram_used: Reading<Bytes>,
    /// `compute_partition_mem_alloc_mode`; only the drivers of 2026 have it.
    pub alloc_mode: Reading<AllocMode>,
    /// `compute_partition_config/supported_xcp_configs`: the modes, in profile order.
    pub profiles: Reading<Vec<ComputeMode>>,
    /// `compute_partition_config/xcp_config`: which profile the folder's other files describe, not the mode in force.
    pub profile_selected: Reading<ComputeMode>,
    /// `unique_id`.
    pub unique_id: Reading<u64>,
    /// `xgmi_hive_info/xgmi_hive_id`; absent where there is no hive.
    pub hive_id: Reading<u64>,
    /// Name of the driver that holds it: `amdgpu`, `gim`, `vfio-pci`.
    pub driver: Reading<String>,
    /// The physical function, where this is a virtual function and its host is looked at (`physfn`).
    pub physical_function: Option<Bdf>,
    /// Its virtual functions (`virtfn*`), on an SR-IOV host.
    pub virtual_functions: Vec<Bdf>,
}

impl SysfsGpu {
    /// A GPU of which nothing was read but where it is.
    pub const fn unread(bdf: Bdf) -> Self {
        Self {
            bdf,
            device_id: Reading::NotReported,
            compute: Reading::NotReported,
            available_compute: Reading::NotReported,
            memory: Reading::NotReported,
            available_memory: Reading::NotReported,
            vram_total: Reading::NotReported,
            vram_used: Reading::NotReported,
            alloc_mode: Reading::NotReported,
            profiles: Reading::NotReported,
            profile_selected: Reading::NotReported,
            unique_id: Reading::NotReported,
            hive_id: Reading::NotReported,
            driver: Reading::NotReported,
            physical_function: None,
            virtual_functions: Vec::new(),
        }
    }
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
    /// `hive_id`; 0 where there is no hive.
    pub hive_id: Reading<u64>,
    /// `drm_render_minor`.
    pub render_minor: Reading<u32>,
    /// Sum of the node's banks of heap type 1 (or 2): the truth about its memory.
    pub memory: Reading<Bytes>,
}

impl KfdNode {
    /// A node of which nothing was read but that it is one.
    pub const fn unread(node: u32, gpu_id: u32) -> Self {
        Self {
            node,
            gpu_id,
            bdf: Reading::NotReported,
            device_id: Reading::NotReported,
            gfx_target_version: Reading::NotReported,
            num_xcc: Reading::NotReported,
            simd_count: Reading::NotReported,
            unique_id: Reading::NotReported,
            hive_id: Reading::NotReported,
            render_minor: Reading::NotReported,
            memory: Reading::NotReported,
        }
    }
}

/// One DRM render node in `class/drm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderNode {
    /// Minor: 128 for `renderD128`.
    pub minor: u32,
    /// What it hangs on.
    pub parent: RenderParent,
}

/// The device behind a render node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderParent {
    /// A PCI device with its vendor: partition 0 of a GPU, or another maker's card.
    Pci {
        /// Its address.
        bdf: Bdf,
        /// PCI vendor id; 0x1002 is AMD.
        vendor: Reading<u16>,
    },
    /// `amdgpu_xcp_N`: a secondary partition.
    Partition {
        /// Number of the platform device.
        number: u32,
    },
    /// Anything else, by its folder below `devices/`.
    Other(String),
}

/// The driver as `/sys/module` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct DriverFacts {
    /// Whether amdgpu is there.
    pub module: ModuleState,
    /// `module/amdgpu/version`; only the out-of-tree (DKMS) driver has it.
    pub version: Reading<String>,
    /// `module/{amdttm,ttm}/parameters/pages_limit`: pages of 4 KiB that GPUs may take of the system's memory.
    pub pages_limit: Reading<u64>,
    /// NUMA nodes online (`devices/system/node/online`).
    pub numa_nodes: Reading<u32>,
}

/// State of the amdgpu module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleState {
    /// `initstate` says `live`.
    Live,
    /// `initstate` says something else (`coming`, `going`).
    Changing(String),
    /// The module folder has no `initstate`: built into the kernel.
    BuiltIn,
    /// No module folder.
    NotLoaded,
    /// It cannot be told: also where there is no `/sys/module` at all.
    Unreadable(String),
}

/// What `/proc` says of the kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelFacts {
    /// Release: `6.8.0-45-generic`.
    pub release: Reading<String>,
    /// `/proc/cmdline`.
    pub cmdline: Reading<String>,
    /// The `hypervisor` flag of `/proc/cpuinfo`, by which amd-smi takes the machine for a guest.
    pub hypervisor: Reading<bool>,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: Reading<String>,
}

/// One process that holds `/dev/kfd` (`class/kfd/kfd/proc/PID`).
#[derive(Debug, Clone, PartialEq)]
pub struct KfdProcess {
    /// Process id.
    pub pid: u32,
    /// `/proc/PID/comm`.
    pub name: Reading<String>,
    /// The systemd unit or container in `/proc/PID/cgroup`: its last component that names one.
    pub unit: Reading<String>,
    /// Memory held, by `gpu_id` (`vram_<gpu_id>`).
    pub vram: BTreeMap<u32, Reading<Bytes>>,
}

/// Whether this process may use a device file. Nothing is opened to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAccess {
    /// Path on the host: `/dev/kfd`, `/dev/dri/renderD128`.
    pub path: String,
    /// What came of asking.
    pub access: Access,
}

/// See [`DeviceAccess`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It can be read and written.
    Granted,
    /// It is there and refuses; `mode`, `uid` and `gid` are the file's.
    Denied {
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// No such file.
    Missing,
    /// It cannot be told.
    Unreadable(String),
}

/// One device as HIP shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct HipDevice {
    /// HIP index.
    pub index: u32,
    /// `hipDeviceGetPCIBusId`. HIP drops the function: partitions of a GPU share it.
    pub bdf: Reading<Bdf>,
    /// Total of `hipMemGetInfo`.
    pub total: Reading<Bytes>,
    /// Free of `hipMemGetInfo`.
    pub free: Reading<Bytes>,
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
    /// Nodes of the topology whose `gpu_id` cannot be read: the kernel shows a container that they are there, and no more.
    pub kfd_hidden: Vec<u32>,
    /// DRM render nodes, by minor; `None` also where the kernel has no such class.
    pub render: Option<Vec<RenderNode>>,
    /// The driver.
    pub driver: Option<DriverFacts>,
    /// The kernel.
    pub kernel: Option<KernelFacts>,
    /// Processes that hold `/dev/kfd`, by pid; `NotReported` where KFD has no such list.
    pub processes: Option<Reading<Vec<KfdProcess>>>,
    /// Device files: `/dev/kfd` first; `None` also where a host folder holds none.
    pub access: Option<Vec<DeviceAccess>>,
    /// What was set: parameters, environment.
    pub tuning: Option<TuningFacts>,
    /// HIP devices, by index; `NotReported` where there is no HIP runtime.
    pub hip: Option<Reading<Vec<HipDevice>>>,
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
    /// Probes, in order.
    pub probes: Vec<ProbeDone>,
    /// The look at the end.
    pub after: Snapshot,
}
