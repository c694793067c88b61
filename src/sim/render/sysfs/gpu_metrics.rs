//! The binary `gpu_metrics` table, little-endian with C's natural alignment: version 1.6 (MI300 family) and 1.3 (all
//! others). Source: `struct gpu_metrics_v1_6` and `_v1_3` of the amdgpu driver, and what the real tool reads out of
//! them. A field of all ones means "not available".

use crate::sim::{Gpu, GpuMetrics};

/// Bytes of the whole table.
const SIZE: usize = 1664;

/// Where the per-partition statistics begin, and bytes of each.
const XCP: (usize, usize) = (312, 168);

/// Partitions that the table has room for.
const MAX_XCP: usize = 8;

/// JPEG engines of one GPU in this table.
const JPEGS: usize = 32;

/// Bytes of a table of version 1.3.
const SIZE_1_3: usize = 120;

/// The table of a GPU that `sharing` logical devices share.
pub(super) fn blob(metrics: &GpuMetrics, gpu: &Gpu, sharing: usize) -> Vec<u8> {
    if gpu.model.partitionable { version_1_6(metrics, sharing) } else { version_1_3(metrics, gpu) }
}

fn version_1_3(metrics: &GpuMetrics, gpu: &Gpu) -> Vec<u8> {
    let mut table = Table(vec![0xff; SIZE_1_3]);
    table.u16(0, u16::try_from(SIZE_1_3).unwrap_or(u16::MAX));
    table.put(2, &[1, 3]);
    // Temperatures: edge, hotspot, memory.
    for (index, value) in [metrics.hotspot.saturating_sub(2), metrics.hotspot, 37].into_iter().enumerate() {
        table.u16(4 + 2 * index, value);
    }
    table.u16(16, metrics.gfx_activity);
    table.u16(18, metrics.umc_activity);
    table.u16(22, metrics.socket_power);
    table.u64(24, 936_000_000_000);
    table.u64(32, 123_456_789_000);
    table.u32(68, 0);
    table.u16(72, 0);
    table.u16(74, u16::try_from(gpu.max_link_width).unwrap_or(u16::MAX));
    // In tenths of GT/s.
    table.u16(76, u16::try_from(gpu.max_link_speed.saturating_mul(10)).unwrap_or(u16::MAX));
    table.u64(112, 0);
    table.0
}

fn version_1_6(metrics: &GpuMetrics, sharing: usize) -> Vec<u8> {
    let mut table = Table(vec![0xff; SIZE]);
    table.u16(0, u16::try_from(SIZE).unwrap_or(u16::MAX));
    table.put(2, &[1, 6]);
    // Temperatures: hotspot, memory (HBM), voltage regulator; then power and activities.
    for (index, value) in [metrics.hotspot, 37, 45, metrics.socket_power, metrics.gfx_activity, metrics.umc_activity]
        .into_iter()
        .enumerate()
    {
        table.u16(4 + 2 * index, value);
    }
    table.u64(16, 936_000_000_000);
    table.u64(24, 123_456_789_000);
    table.u32(32, 100_000);
    for offset in (36..60).step_by(4) {
        table.u32(offset, 0);
    }
    for (index, value) in [16, 320, 16, 32].into_iter().enumerate() {
        table.u16(60 + 2 * index, value);
    }
    let xccs = metrics.xccs as usize;
    for xcc in 0..xccs.min(8) {
        table.u16(264 + 2 * xcc, 132);
    }
    for aid in 0..4 {
        table.u16(280 + 2 * aid, 28);
        table.u16(288 + 2 * aid, 29);
        table.u16(296 + 2 * aid, 22);
    }
    table.u16(304, 900);
    table.u16(306, metrics.num_partition.unwrap_or(u16::MAX));
    let sharing = sharing.clamp(1, MAX_XCP);
    for partition in 0..sharing {
        let base = XCP.0 + XCP.1 * partition;
        for xcc in 0..xccs / sharing {
            table.u32(base + 4 * xcc, 0);
        }
        for engine in 0..JPEGS / sharing {
            table.u16(base + 32 + 2 * engine, 0);
        }
        table.u16(base + 96, 0);
    }
    table.0
}

struct Table(Vec<u8>);

impl Table {
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        if let Some(slot) = self.0.get_mut(offset..offset + bytes.len()) {
            slot.copy_from_slice(bytes);
        }
    }

    fn u16(&mut self, offset: usize, value: u16) {
        self.put(offset, &value.to_le_bytes());
    }

    fn u32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_le_bytes());
    }

    fn u64(&mut self, offset: usize, value: u64) {
        self.put(offset, &value.to_le_bytes());
    }
}
