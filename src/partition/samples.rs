//! Readings for the tests of this module.

use crate::domain::{Bytes, ComputeMode, MemoryMode, Reading};
use crate::witness::{KfdNode, SysfsGpu};

/// A GPU that sysfs shows in these modes, offering SPX, DPX, QPX, CPX and NPS1, NPS4.
pub fn gpu(bdf: &str, device_id: u16, compute: Reading<ComputeMode>, memory: Reading<MemoryMode>) -> SysfsGpu {
    use ComputeMode::{Cpx, Dpx, Qpx, Spx};
    SysfsGpu {
        bdf: bdf.parse().unwrap(),
        device_id: Reading::Value(device_id),
        compute,
        available_compute: Reading::Value(vec![Spx, Dpx, Qpx, Cpx]),
        memory,
        available_memory: Reading::Value(vec![MemoryMode::Nps1, MemoryMode::Nps4]),
        vram_total: Reading::NotReported,
        vram_used: Reading::NotReported,
        alloc_mode: Reading::NotReported,
        profiles: Reading::NotReported,
        profile_selected: Reading::NotReported,
        unique_id: Reading::NotReported,
        hive_id: Reading::NotReported,
        driver: Reading::Value("amdgpu".to_owned()),
        physical_function: None,
        virtual_functions: Vec::new(),
    }
}

/// KFD's node of one partition of a GPU.
pub fn node(bdf: &str, partition: usize) -> KfdNode {
    let number = u32::try_from(partition).unwrap();
    let mut bdf: crate::domain::Bdf = bdf.parse().unwrap();
    bdf.function = u8::try_from(partition).unwrap();
    KfdNode {
        node: 1 + number,
        gpu_id: 100 + number,
        bdf: Reading::Value(bdf),
        device_id: Reading::NotReported,
        gfx_target_version: Reading::NotReported,
        num_xcc: Reading::NotReported,
        simd_count: Reading::NotReported,
        unique_id: Reading::NotReported,
        hive_id: Reading::NotReported,
        render_minor: Reading::NotReported,
        memory: Reading::Value(Bytes(24 << 30)),
    }
}
