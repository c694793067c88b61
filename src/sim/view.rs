//! What the kernel shows at one moment: the input of both faces of a simulated machine.
//!
//! Nothing here is amd-smi's opinion. A file that cannot be read carries its errno, as a real one would.

use crate::domain::{Bdf, Bytes, ComputeMode};

use super::{Errno, Model, ShownTuning};

/// A text file under sysfs, without its final newline; an absent one is `Err(Errno::ENOENT)`.
pub type FileAnswer = Result<String, Errno>;

/// Everything the kernel shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// State of the amdgpu module.
    pub driver: DriverState,
    /// Whether `/sys/class/kfd/kfd` exists.
    pub kfd: bool,
    /// Whether `/proc/cpuinfo` has the `hypervisor` flag, by which the tool takes the machine for a guest.
    pub hypervisor: bool,
    /// Physical GPUs, in PCI order.
    pub gpus: Vec<Gpu>,
    /// Logical devices in the tool's discovery order: grouped by GPU, partition 0 first.
    pub devices: Vec<Device>,
    /// DRM devices, by minor: a partitionable GPU has eight of them in every mode, whether or not they are in use.
    pub drm_devices: Vec<DrmDevice>,
    /// Whether the board's management controller drives a video card of its own, which takes the first DRM card minor.
    pub bmc: bool,
    /// Processes that hold `/dev/kfd`.
    pub clients: Vec<Client>,
    /// CPU nodes that come before the GPU nodes in the KFD topology.
    pub cpu_nodes: u32,
    /// Whether render nodes under `/dev/dri` can be opened, so that DRM ioctls answer. False on the reference tree.
    pub drm: bool,
    /// `pages_limit` of the driver's TTM module; `None` where nothing follows it.
    pub pages_limit: Option<u64>,
    /// Whether the device files can be used by a caller who is in none of their groups.
    pub user_access: bool,
    /// Kernel release, as `uname -r` prints it.
    pub kernel_release: String,
    /// Parameters, modprobe.d, environment.
    pub tuning: ShownTuning,
}

/// State of the amdgpu kernel module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverState {
    /// `/sys/module/amdgpu/initstate` says `live`.
    Live {
        /// `/sys/module/amdgpu/version`, absent for the in-tree driver.
        version: Option<String>,
    },
    /// `initstate` says `going`.
    Going,
    /// Built into the kernel: the module folder has no `initstate`.
    BuiltIn,
    /// No module folder.
    NotLoaded,
}

/// One physical GPU (one PCI device).
#[derive(Debug, Clone, PartialEq)]
pub struct Gpu {
    /// Which part it is, with what the part always has (names, ids, counts).
    pub model: &'static Model,
    /// Address of the physical function; its function digit is 0.
    pub bdf: Bdf,
    /// PCI device id shown: the virtual function's id inside an SR-IOV guest.
    pub device_id: u16,
    /// `unique_id`: 16 hexadecimal digits in sysfs.
    pub unique_id: u64,
    /// `serial_number`; absent where the kernel shows none.
    pub serial: Option<String>,
    /// NUMA node.
    pub numa_node: i32,
    /// `mem_info_vram_total`.
    pub vram_total: Bytes,
    /// `mem_info_vram_used`.
    pub vram_used: Bytes,
    /// `mem_info_gtt_total`.
    pub gtt_total: Bytes,
    /// `mem_info_gtt_used`.
    pub gtt_used: Bytes,
    /// Partition files; `None` on RDNA and wherever the kernel shows none.
    pub partition: Option<PartitionFiles>,
    /// True when this is a virtual function seen from inside a guest.
    pub virtual_function: bool,
    /// XGMI hive; 0 = none.
    pub hive_id: u64,
    /// `product_name`; absent where the kernel shows none.
    pub product_name: Option<String>,
    /// `product_number`; absent where the kernel shows none.
    pub product_number: Option<String>,
    /// `subsystem_device`.
    pub subsystem_device: u16,
    /// `revision`.
    pub revision: u8,
    /// `mem_info_vram_vendor`, for example `hynix`.
    pub vram_vendor: Option<String>,
    /// `max_link_width`: PCIe lanes.
    pub max_link_width: u32,
    /// `max_link_speed` in GT/s.
    pub max_link_speed: u32,
    /// `gpu_metrics`; absent where the kernel shows none.
    pub metrics: Option<GpuMetrics>,
}

/// What the tool reads out of the binary `gpu_metrics` table of the primary partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuMetrics {
    /// `num_partition`; `None` where the table says 0xffff.
    pub num_partition: Option<u16>,
    /// XCCs whose clock the table has: the tool counts them to know how many partitions CPX makes.
    pub xccs: u32,
    /// Hotspot temperature, degrees Celsius.
    pub hotspot: u16,
    /// Current socket power, W.
    pub socket_power: u16,
    /// Average graphics activity, %.
    pub gfx_activity: u16,
    /// Average memory controller activity, %.
    pub umc_activity: u16,
}

/// The partition files of one physical GPU. They hang on the primary partition only.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionFiles {
    /// `current_compute_partition`.
    pub current_compute: FileAnswer,
    /// `available_compute_partition`, for example `SPX, DPX, QPX, CPX`.
    pub available_compute: FileAnswer,
    /// `current_memory_partition`.
    pub current_memory: FileAnswer,
    /// `available_memory_partition`, for example `NPS1, NPS4`.
    pub available_memory: FileAnswer,
    /// `compute_partition_config/`: the profiles in index order (`supported_xcp_configs`), each with what the
    /// folder's other files say while `xcp_config` holds it. Empty where the folder is absent.
    pub profiles: Vec<Profile>,
    /// `compute_partition_config/xcp_config`, where somebody wrote it; the mode that the driver began with otherwise.
    pub selected: Option<ComputeMode>,
    /// `compute_partition_mem_alloc_mode` (2026 drivers): `CAPPING` or `ALL`.
    pub mem_alloc_mode: FileAnswer,
}

/// One entry of `compute_partition_config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The compute mode.
    pub mode: ComputeMode,
    /// `supported_nps_configs`, for example `NPS1, NPS4`.
    pub memory_caps: String,
    /// XCC, decoder, DMA, JPEG, in that order.
    pub resources: Vec<Resource>,
}

/// What a profile shares out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// Compute dies.
    Xcc,
    /// Video decoders (VCN).
    Decoder,
    /// SDMA engines.
    Dma,
    /// JPEG decoders.
    Jpeg,
}

/// `compute_partition_config/<kind>/{num_inst,num_shared}` while `xcp_config` holds one profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// Which resource.
    pub kind: ResourceKind,
    /// Instances that one partition sees.
    pub instances: u32,
    /// Partitions that share them.
    pub shared: u32,
}

/// One logical device: a partition of a GPU, or the whole of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Index into [`View::gpus`].
    pub gpu: usize,
    /// Partition number on its GPU, from 0.
    pub partition: u8,
    /// DRM card minor.
    pub card: u32,
    /// DRM render minor (128 and up).
    pub render: u32,
    /// Its KFD node; `None` when the kernel dropped it (63 of 64).
    pub node: Option<KfdNode>,
}

/// One DRM device: its `card` and `renderD` nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrmDevice {
    /// Index into [`View::gpus`].
    pub gpu: usize,
    /// Partition number on its GPU, from 0; it may be more than the mode in force has.
    pub partition: u8,
    /// Card minor.
    pub card: u32,
    /// Render minor (128 and up).
    pub render: u32,
}

/// One process that holds `/dev/kfd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Process id.
    pub pid: u32,
    /// Memory held, by `gpu_id`.
    pub vram: Vec<(u32, Bytes)>,
}

/// One GPU node of the KFD topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KfdNode {
    /// Node number.
    pub id: u32,
    /// `gpu_id`.
    pub gpu_id: u32,
    /// `simd_count`.
    pub simd_count: u32,
    /// `num_xcc`.
    pub num_xcc: u32,
    /// `location_id`: bus << 8 | device << 3 | partition.
    pub location_id: u32,
    /// `unique_id`, shared by all partitions of a GPU on the drivers known.
    pub unique_id: u64,
    /// `mem_banks/0/properties` `size_in_bytes`: the truth about a device's memory.
    pub memory: Bytes,
    /// `hive_id`: a copy of the GPU's, from when the node was made; 0 = none.
    pub hive_id: u64,
    /// `drm_render_minor`.
    pub render_minor: u32,
    /// A cgroup keeps the caller from the device: `gpu_id` answers EPERM.
    pub hidden: bool,
}
