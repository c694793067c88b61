//! Readings for the tests of this module.

use crate::domain::{Bytes, ComputeMode, MemoryMode, Reading};
use crate::witness::{KfdNode, SysfsGpu};

/// A GPU that sysfs shows in these modes, offering SPX, DPX, QPX, CPX and NPS1, NPS4.
pub fn gpu(bdf: &str, device_id: u16, compute: Reading<ComputeMode>, memory: Reading<MemoryMode>) -> SysfsGpu {
    use ComputeMode::{Cpx, Dpx, Qpx, Spx};
    SysfsGpu {
        device_id: Reading::Value(device_id),
        compute,
        available_compute: Reading::Value(vec![Spx, Dpx, Qpx, Cpx]),
        memory,
        available_memory: Reading::Value(vec![MemoryMode::Nps1, MemoryMode::Nps4]),
        driver: Reading::Value("amdgpu".to_owned()),
        ..SysfsGpu::unread(bdf.parse().unwrap())
    }
}

/// KFD's node of one partition of a GPU.
pub fn node(bdf: &str, partition: usize) -> KfdNode {
    let number = u32::try_from(partition).unwrap();
    let mut bdf: crate::domain::Bdf = bdf.parse().unwrap();
    bdf.function = u8::try_from(partition).unwrap();
    KfdNode {
        bdf: Reading::Value(bdf),
        memory: Reading::Value(Bytes(24 << 30)),
        ..KfdNode::unread(1 + number, 100 + number)
    }
}
