//! How much memory each logical device has: the formula of facts/partitions.md section 3.1 [C].

use crate::domain::{Bytes, ComputeMode, MemoryMode};

use super::Part;

/// Memory of one MI300A that AMD's DKMS driver gives to the GPU by default (`amdttm` limit, about 96 of 128 GiB).
/// Source: ROCm issue #4750, `rocm-smi` in SPX: 100742320128; in TPX 3 x 33580773376 [C].
pub const APU_DEFAULT_LIMIT: Bytes = Bytes(100_742_320_128);

/// What the driver keeps back at the end of VRAM: `nominal - 16 MiB = driver VRAM` on every part seen.
const RESERVED: u64 = 16 << 20;

/// Memory of each logical device of one GPU, in partition order, on bare metal with the default allocation policy.
///
/// On an APU the size follows the kernel's TTM limit; this takes [`APU_DEFAULT_LIMIT`].
/// `None` where the devices cannot be shared out over the memory partitions (`DPX` with `NPS4`), and for an APU
/// outside NPS1, where the driver takes ACPI node sizes. It does not say whether a pair of modes is legal.
/// Source: `amdgpu_gmc_init_sw_mem_ranges`, `amdgpu_amdkfd_xcp_memory_size`.
pub fn memory_per_device(part: &Part, compute: ComputeMode, memory: MemoryMode) -> Option<Vec<Bytes>> {
    let vram = match (part.driver_vram, part.apu, memory) {
        (Some(vram), _, _) => vram,
        (None, true, MemoryMode::Nps1) => APU_DEFAULT_LIMIT,
        (None, _, _) => return None,
    };
    share_out(vram, part.apu, compute.devices(part.xccs), memory.partitions())
}

/// The formula alone: `vram` bytes over `devices` logical devices on `ranges` memory partitions. With more than one
/// range the last one is 16 MiB short, except on an APU, where nothing is kept back.
/// `None` when `devices` is not a multiple of `ranges`, or the last range would be empty.
pub fn share_out(vram: Bytes, apu: bool, devices: u32, ranges: u32) -> Option<Vec<Bytes>> {
    if ranges == 0 || devices == 0 || !devices.is_multiple_of(ranges) {
        return None;
    }
    let (each, ranges_wide) = (u64::from(devices / ranges), u64::from(ranges));
    let reserved = if apu || ranges == 1 { 0 } else { RESERVED };
    let range = vram.0.checked_add(reserved)? / ranges_wide;
    let last = vram.0.checked_sub(range.checked_mul(ranges_wide - 1)?)?;
    let floor = |bytes: u64| Bytes(bytes - bytes % Bytes::PAGE.0);
    let size = |device: u32| floor(if device / (devices / ranges) == ranges - 1 { last } else { range } / each);
    Some((0..devices).map(size).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::part;

    #[test]
    fn the_formula_gives_what_was_captured_and_what_the_table_says() {
        use ComputeMode::{Cpx, Dpx, Qpx, Spx, Tpx};
        use MemoryMode::{Nps1, Nps2, Nps4};
        const MIB: u64 = 1 << 20;
        let cases: [(&str, ComputeMode, MemoryMode, Vec<u64>); 12] = [
            ("mi300x", Spx, Nps1, vec![206_141_652_992]),
            ("mi300x", Cpx, Nps1, vec![25_767_706_624; 8]),
            ("mi300x", Dpx, Nps1, vec![98_296 * MIB; 2]),
            ("mi300x", Dpx, Nps2, vec![98_304 * MIB, 98_288 * MIB]),
            ("mi300x", Qpx, Nps4, vec![49_152 * MIB, 49_152 * MIB, 49_152 * MIB, 49_136 * MIB]),
            ("mi300x", Cpx, Nps4, [vec![24_576 * MIB; 6], vec![24_568 * MIB; 2]].concat()),
            ("mi308x", Cpx, Nps4, [vec![51_539_607_552; 3], vec![51_522_830_336]].concat()),
            ("mi355x", Cpx, Nps2, [vec![36_864 * MIB; 4], vec![36_860 * MIB; 4]].concat()),
            ("mi300a", Spx, Nps1, vec![100_742_320_128]),
            ("mi300a", Tpx, Nps1, vec![33_580_773_376; 3]),
            ("mi250x", Spx, Nps1, vec![68_702_699_520]),
            ("rx5700xt", Spx, Nps1, vec![8_573_157_376]),
        ];
        for (name, compute, memory, expected) in cases {
            let part = part(name).unwrap();
            let found = memory_per_device(part, compute, memory).unwrap();
            assert_eq!(found, expected.into_iter().map(Bytes).collect::<Vec<_>>(), "{name} {compute}/{memory}");
        }
    }

    #[test]
    fn modes_that_cannot_be_shared_out_have_no_answer() {
        let part = part("mi300x").unwrap();
        for (compute, memory) in [(ComputeMode::Dpx, MemoryMode::Nps4), (ComputeMode::Spx, MemoryMode::Nps2)] {
            assert_eq!(memory_per_device(part, compute, memory), None);
        }
        assert_eq!(share_out(Bytes(1 << 30), false, 4, 0), None);
        assert_eq!(share_out(Bytes(u64::MAX), false, 4, 2), None);
    }
}
