//! The numbers of the reference tree: the made-up machine over which the real amd-smi was run. Its machine file
//! lists how it differs from a real one.

use crate::domain::{Bytes, ComputeMode, MemoryMode};

use super::{Gpu, KfdNode, Model, Profile, ResourceKind};

/// CPU nodes in the KFD topology.
pub const CPU_NODES: u32 = 2;

/// `uname -r` of the machine that the transcripts were made on.
pub const KERNEL_RELEASE: &str = "6.18.44-fc-v669";

/// `/sys/module/amdgpu/version`.
pub const DRIVER_VERSION: &str = "6.12.12";

/// XCCs of a partitionable GPU.
const XCCS: u32 = 8;

/// The XGMI hive of every partitionable GPU.
pub const HIVE: u64 = 15_188_982_192_727_901_047;

/// VRAM in use, in bytes.
pub const VRAM_USED: Bytes = Bytes(297_525_248);

/// GTT in use, in bytes.
pub const GTT_USED: Bytes = Bytes(12_345_344);

/// PCI busses of the GPUs, in order.
pub const BUSSES: [u8; 8] = [0x05, 0x27, 0x46, 0x65, 0x85, 0xa7, 0xc6, 0xe5];

/// Whether a kernel of this release shows the reference tree.
pub fn is_reference_tree(release: &str) -> bool {
    release == KERNEL_RELEASE
}

/// Whether the reference tree knows this part.
pub fn describes(model: &Model) -> bool {
    matches!(model.id.as_str(), "MI300X" | "RX 5700 XT")
}

/// `unique_id` of a GPU.
pub const fn unique_id(gpu: u64) -> u64 {
    0xe3a6_b8a5_a6c0_0001 + gpu
}

/// `subsystem_device`.
pub const fn subsystem(model: &Model) -> u16 {
    if model.partitionable { 0x74a1 } else { 0x0b36 }
}

/// The profiles as the tool finds them where nothing answers its writes to `xcp_config`: every one shows the resources
/// that the tree was made with, for `mode`; there all 32 JPEG engines are shared out evenly.
pub fn unanswered(mut profiles: Vec<Profile>, mode: ComputeMode) -> Vec<Profile> {
    let Some(made) = profiles.iter().find(|profile| profile.mode == mode).cloned() else { return profiles };
    let devices = mode.devices(XCCS).max(1);
    for profile in &mut profiles {
        profile.memory_caps.clone_from(&made.memory_caps);
        profile.resources.clone_from(&made.resources);
        for jpeg in profile.resources.iter_mut().filter(|resource| resource.kind == ResourceKind::Jpeg) {
            (jpeg.instances, jpeg.shared) = (32 / devices, 1);
        }
    }
    profiles
}

/// The KFD node of one logical device; `index` counts over all GPUs, `sharing` is the devices of its GPU.
pub fn node(gpu: &Gpu, index: u32, partition: u8, sharing: u32, memory: MemoryMode) -> KfdNode {
    let id = CPU_NODES + index;
    let simds = gpu.model.xccs * gpu.model.cus_per_xcc * gpu.model.simds_per_cu;
    let split = if memory == MemoryMode::Nps1 { 1 } else { sharing };
    KfdNode {
        id,
        gpu_id: 10_000 + id * 7,
        simd_count: simds / sharing,
        num_xcc: (gpu.model.xccs / sharing).max(1),
        location_id: u32::from(gpu.bdf.bus) << 8 | u32::from(partition),
        unique_id: gpu.unique_id,
        memory: Bytes(gpu.vram_total.0 / u64::from(split)),
        hive_id: gpu.hive_id,
        render_minor: 128 + index,
        hidden: false,
    }
}
