//! Memory of each logical device: the kernel's arithmetic, and how far a reading may be from it.

use crate::domain::{Bytes, ComputeMode, MemoryMode};

use super::parts::Part;

/// What the driver keeps back at the top of VRAM; the last memory partition bears it.
/// Source: facts/partitions.md 3.1 (`amdgpu_gmc_init_sw_mem_ranges`) [C].
const RESERVED: Bytes = Bytes(16 << 20);

/// Bytes of each logical device of one GPU, in partition order: `floor_4KiB(part(d / k) / k)`, with k devices for
/// each memory partition. `None` where the part has no fixed total (MI300A follows the kernel's TTM limit), where
/// the pair cannot be split evenly, or where the part does not have that compute mode.
///
/// Source: facts/partitions.md 3.1 (`amdgpu_amdkfd_xcp_memory_size`), confirmed by the captures of 3.3 [C].
pub fn memory_per_device(part: &Part, compute: ComputeMode, memory: MemoryMode) -> Option<Vec<Bytes>> {
    let vram = part.driver_vram?;
    if !part.partitionable {
        return (compute == ComputeMode::Spx && memory == MemoryMode::Nps1).then(|| vec![vram]);
    }
    let devices = usize::try_from(compute.devices(part.xccs)).ok()?;
    let partitions = memory.partitions();
    let known = part.compute_modes().contains(&compute);
    let even = devices.is_multiple_of(usize::try_from(partitions).ok()?);
    (known && even).then(|| split_memory(vram, devices, partitions))
}

/// Splits the driver's VRAM over `devices` devices in `partitions` memory partitions as the kernel does. A machine
/// whose counts do not divide evenly gets an even split over its devices: there is no rule to break.
///
/// Source: facts/partitions.md 3.1 [C].
pub fn split_memory(vram: Bytes, devices: usize, partitions: u32) -> Vec<Bytes> {
    let page = |bytes: u64| Bytes(bytes / Bytes::PAGE.0 * Bytes::PAGE.0);
    let Ok(count) = u64::try_from(devices) else { return Vec::new() };
    if count == 0 {
        return Vec::new();
    }
    let partitions = u64::from(partitions);
    if partitions <= 1 || count % partitions != 0 {
        return vec![page(vram.0 / count); devices];
    }
    let nominal = vram.0.saturating_add(RESERVED.0) / partitions;
    let each = count / partitions;
    let of_partition = |at: u64| if at + 1 == partitions { nominal.saturating_sub(RESERVED.0) } else { nominal };
    (0..count).map(|device| page(of_partition(device / each) / each)).collect()
}

/// How far a device may be from its nominal size: the larger of 16 MiB and 0.1 %.
///
/// 16 MiB is the only deterministic deviation, and the last memory partition bears it whole. 10 % would hide a
/// wrong divisor. Source: facts/partitions.md 3.6 [C].
pub fn nominal_tolerance(size: Bytes) -> Bytes {
    RESERVED.max(Bytes(size.0 / 1000))
}

/// XCCs that one logical device has.
pub fn xccs_per_device(part: &Part, compute: ComputeMode) -> u32 {
    part.xccs / compute.devices(part.xccs).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::part;
    use super::*;
    use ComputeMode::{Cpx, Dpx, Qpx, Spx, Tpx};
    use MemoryMode::{Nps1, Nps2, Nps4};

    /// Whole MiB of each device, as facts/partitions.md 3.2 lists them.
    fn check(name: &str, compute: ComputeMode, memory: MemoryMode, mib: &[u64]) {
        let bytes = memory_per_device(part(name).unwrap(), compute, memory).unwrap();
        let expected: Vec<Bytes> = mib.iter().map(|&mib| Bytes::from_mib(mib).unwrap()).collect();
        assert_eq!(bytes, expected, "{name} {compute}/{memory}");
    }

    #[test]
    fn the_formula_gives_the_published_table() {
        check("mi300x", Spx, Nps1, &[196_592]);
        check("mi300x", Dpx, Nps1, &[98_296; 2]);
        check("mi300x", Dpx, Nps2, &[98_304, 98_288]);
        check("mi300x", Qpx, Nps1, &[49_148; 4]);
        check("mi300x", Qpx, Nps4, &[49_152, 49_152, 49_152, 49_136]);
        check("mi300x", Cpx, Nps1, &[24_574; 8]);
        check("mi300x", Cpx, Nps4, &[24_576, 24_576, 24_576, 24_576, 24_576, 24_576, 24_568, 24_568]);
        check("mi308x", Cpx, Nps4, &[49_152, 49_152, 49_152, 49_136]);
        check("mi325x", Cpx, Nps1, &[32_766; 8]);
        check("mi350x", Cpx, Nps2, &[36_864, 36_864, 36_864, 36_864, 36_860, 36_860, 36_860, 36_860]);
        check("rx5700xt", Spx, Nps1, &[8_176]);
    }

    #[test]
    fn the_formula_gives_the_captured_bytes() {
        let mi308x = memory_per_device(part("mi308x").unwrap(), Cpx, Nps4).unwrap();
        let captured = [51_539_607_552, 51_539_607_552, 51_539_607_552, 51_522_830_336].map(Bytes);
        assert_eq!(mi308x, captured, "KFD mem_banks of a real MI308X (k8s-device-plugin testdata @ed764684)");
        let mi300x = memory_per_device(part("mi300x").unwrap(), Cpx, Nps1).unwrap();
        assert_eq!(mi300x, [Bytes(25_767_706_624); 8], "ROCm/ROCm#4750");
    }

    #[test]
    fn what_has_no_fixed_size_or_no_such_mode_has_no_value() {
        for (name, compute, memory) in
            [("mi300a", Spx, Nps1), ("mi300x", Tpx, Nps1), ("mi300x", Spx, Nps4), ("rx5700xt", Cpx, Nps1)]
        {
            assert_eq!(memory_per_device(part(name).unwrap(), compute, memory), None, "{name} {compute}/{memory}");
        }
    }

    #[test]
    fn the_devices_of_a_part_share_its_xccs() {
        let xccs = |name: &str, mode| xccs_per_device(part(name).unwrap(), mode);
        assert_eq!([Spx, Dpx, Qpx, Cpx].map(|mode| xccs("mi300x", mode)), [8, 4, 2, 1]);
        assert_eq!([Spx, Tpx, Cpx].map(|mode| xccs("mi300a", mode)), [6, 2, 1]);
    }

    #[test]
    fn a_device_is_16_mib_off_at_most() {
        assert_eq!(nominal_tolerance(Bytes(1 << 30)), Bytes(16 << 20));
        assert_eq!(nominal_tolerance(Bytes(100_000_000_000)), Bytes(100_000_000));
        assert_eq!(split_memory(Bytes(0), 0, 4), []);
        assert_eq!(split_memory(Bytes(8192 * 3), 3, 4), [Bytes(8192); 3]);
    }
}
