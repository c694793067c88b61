//! In which modes of a machine models fit: the mode in force by what was measured, the others by the kernel's formula.

use serde::Serialize;

use crate::domain::{Bytes, ComputeMode, KernelRules, MemoryMode};
use crate::facts::{Part, kernel_allows, memory_per_device, split_memory};
use crate::topology::Socket;

use super::{Allocation, Device, Need, Share, Slot, allocate};

/// Where the sizes of a mode's devices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sizes {
    /// From KFD, in the mode in force.
    Measured,
    /// From the kernel's formula for the part, for an idle machine.
    Computed,
}

/// What a device has beside a need, or lacks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Room {
    /// So much is left.
    Spare(Bytes),
    /// So much is missing.
    Lacks(Bytes),
}

/// One pair of modes and what fits in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModeFit {
    /// Compute mode; `None` where the GPUs differ, or do not say.
    pub compute: Option<ComputeMode>,
    /// Memory mode, likewise.
    pub memory: Option<MemoryMode>,
    /// How its sizes are known.
    pub sizes: Sizes,
    /// Total memory of each device of all the GPUs.
    pub devices: Vec<Bytes>,
    /// What a device may allocate at most where the driver's policy is ALL: its whole memory partition. `None` where that
    /// is no more than its own total, or cannot be told.
    pub under_all: Option<Bytes>,
    /// The models over these devices.
    pub allocation: Allocation,
    /// The model that needs most, alone on the device that has most.
    pub room: Room,
    /// Tokens of KV cache that this device then holds.
    pub tokens: u64,
}

impl ModeFit {
    /// Whether every model has a device.
    pub fn fits(&self) -> bool {
        self.allocation.refused.is_empty()
    }
}

/// The devices as they are: of each, the share's limit or what is free, whichever is less.
pub fn measured_slots(devices: &[Device], ceiling: Share) -> Vec<Slot> {
    let slot = |device: &Device| {
        let used = device.used.bytes().unwrap_or(Bytes(0));
        let free = Bytes(device.total.0.saturating_sub(used.0));
        let left = ceiling.budget(device.total).min(free);
        Slot { total: device.total, left, taken: false, last: device.taken_for_whole() }
    };
    devices.iter().map(slot).collect()
}

/// The mode in force first, then every other that the kernel allows on the part and the machine offers, by the number of
/// devices. Only the mode in force where the GPUs are of several parts, of an unknown one, virtual, or cannot be
/// partitioned.
pub fn mode_fits(gpus: &[&Socket<'_>], devices: &[Device], needs: &[Need], ceiling: Share) -> Vec<ModeFit> {
    let compute = common(devices.iter().map(|device| device.compute));
    let memory = common(devices.iter().map(|device| device.memory));
    let fit = |compute, memory, sizes, slots: &[Slot]| fit((compute, memory), sizes, slots, needs, gpus.len());
    let mut fits = vec![fit(compute, memory, Sizes::Measured, &measured_slots(devices, ceiling))];
    let Some(part) = one_part(gpus) else { return fits };
    let mut others: Vec<ModeFit> = Vec::new();
    for (other_compute, other_memory) in offered(part, gpus) {
        if (Some(other_compute), Some(other_memory)) == (compute, memory) {
            continue;
        }
        let each = |gpu: &&Socket<'_>| match memory_per_device(part, other_compute, other_memory) {
            None if memory == Some(other_memory) => of_what_it_has(gpu, devices, part, other_compute, other_memory),
            known => known,
        };
        let Some(sizes) = gpus.iter().map(each).collect::<Option<Vec<_>>>() else { continue };
        let idle = |total: Bytes| Slot { total, left: ceiling.budget(total), taken: false, last: false };
        let slots: Vec<Slot> = sizes.into_iter().flatten().map(idle).collect();
        others.push(fit(Some(other_compute), Some(other_memory), Sizes::Computed, &slots));
    }
    others.sort_by_key(|other| (other.devices.len(), other.memory));
    fits.append(&mut others);
    fits
}

/// A GPU whose total follows no table (MI300A: the kernel's limit) has in another compute mode what its devices have
/// together now, as long as the memory mode stays: facts/partitions.md 3.4 [C] for NPS1.
fn of_what_it_has(
    gpu: &Socket<'_>,
    devices: &[Device],
    part: &Part,
    compute: ComputeMode,
    memory: MemoryMode,
) -> Option<Vec<Bytes>> {
    let own = devices.iter().filter(|device| device.bdf.socket() == gpu.bdf);
    let sum = own.map(|device| device.total.0).fold(0, u64::saturating_add);
    let count = usize::try_from(compute.devices(part.xccs)).ok()?;
    (memory == MemoryMode::Nps1 && sum > 0).then(|| split_memory(Bytes(sum), count, 1))
}

fn fit(
    (compute, memory): (Option<ComputeMode>, Option<MemoryMode>),
    sizes: Sizes,
    slots: &[Slot],
    needs: &[Need],
    gpus: usize,
) -> ModeFit {
    let totals: Vec<Bytes> = needs.iter().map(Need::total).collect();
    let most = slots.iter().map(|slot| slot.left).max().unwrap_or(Bytes(0));
    let largest = needs.iter().max_by_key(|need| need.total());
    let needed = largest.map_or(Bytes(0), Need::total);
    let devices: Vec<Bytes> = slots.iter().map(|slot| slot.total).collect();
    ModeFit {
        compute,
        memory,
        sizes,
        under_all: memory.and_then(|memory| under_all(&devices, memory, gpus)),
        devices,
        allocation: allocate(&totals, slots),
        room: match needed.0.checked_sub(most.0) {
            None | Some(0) => Room::Spare(Bytes(most.0 - needed.0)),
            Some(lacks) => Room::Lacks(Bytes(lacks)),
        },
        tokens: largest.map_or(0, |need| need.tokens_in(most)),
    }
}

/// One memory partition, where several devices share it. Source: facts/partitions.md 3.5 [C].
fn under_all(devices: &[Bytes], memory: MemoryMode, gpus: usize) -> Option<Bytes> {
    let partitions = gpus * usize::try_from(memory.partitions()).ok()?;
    let sharing = u64::try_from(devices.len().checked_div(partitions)?).ok()?;
    let largest = devices.iter().max()?;
    (sharing > 1).then(|| Bytes(largest.0.saturating_mul(sharing)))
}

/// The one part that all of the GPUs are, where their modes can be set from here.
fn one_part(gpus: &[&Socket<'_>]) -> Option<&'static Part> {
    let part = |gpu: &Socket<'_>| match gpu.parts() {
        (parts, false) => parts.first().copied().filter(|part| part.partitionable),
        (_, true) => None,
    };
    let first = part(gpus.first()?)?;
    gpus.iter().all(|gpu| part(gpu).is_some_and(|other| other.id == first.id)).then_some(first)
}

/// The pairs that the newest kernel allows and every GPU offers. The compute modes that a GPU lists are those of the
/// memory mode in force, so they say nothing of the others; where it lists no memory modes, firmware's known ones count.
fn offered(part: &Part, gpus: &[&Socket<'_>]) -> Vec<(ComputeMode, MemoryMode)> {
    let offers = |gpu: &Socket<'_>, compute: ComputeMode, memory: MemoryMode| {
        let sysfs = gpu.sysfs;
        let in_force = gpu.memory_in_force().value() == Some(&memory);
        let listed = sysfs.and_then(|sysfs| sysfs.available_compute.value()).filter(|_| in_force);
        let memories = sysfs.and_then(|sysfs| sysfs.available_memory.value()).unwrap_or(&part.memory_modes);
        memories.contains(&memory) && listed.is_none_or(|listed| listed.contains(&compute))
    };
    let pairs = part
        .compute_modes()
        .iter()
        .flat_map(|&compute| MemoryMode::ALL.into_iter().map(move |memory| (compute, memory)));
    pairs
        .filter(|&(compute, memory)| kernel_allows(part, compute, memory, KernelRules::Latest).is_ok())
        .filter(|&(compute, memory)| gpus.iter().all(|gpu| offers(gpu, compute, memory)))
        .collect()
}

/// The value that all have.
fn common<T: PartialEq>(mut values: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = values.next()??;
    values.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{cpx_nps4, look};
    use super::super::{Dtype, KvDtype, Shape, Used, devices};
    use super::*;
    use crate::domain::Reading;
    use crate::facts::model;
    use crate::topology::sockets;
    use crate::witness::Snapshot;

    fn needs(models: &[(&str, Dtype)]) -> Vec<Need> {
        let need = |&(name, dtype)| {
            let shape = Shape::of(name, model(name).unwrap()).unwrap();
            Need::of(&shape, dtype, KvDtype::Auto, 8192)
        };
        models.iter().map(need).collect()
    }

    /// Each mode as `CPX/NPS4 8 measured fits`.
    fn fits(look: &Snapshot, models: &[(&str, Dtype)]) -> Vec<String> {
        let all = sockets(look);
        let gpus: Vec<_> = all.iter().collect();
        let found = mode_fits(&gpus, &devices(look).usable, &needs(models), Share::DEFAULT);
        let line = |fit: &ModeFit| {
            let sizes = if fit.sizes == Sizes::Measured { "measured" } else { "computed" };
            let fits = if fit.fits() { "fits" } else { "lacks" };
            format!("{} {} {sizes} {fits}", super::super::modes(fit.compute, fit.memory), fit.devices.len())
        };
        found.iter().map(line).collect()
    }

    #[test]
    fn the_mode_in_force_is_measured_and_the_others_that_are_offered_computed() {
        let expected = [
            "CPX/NPS4 8 measured lacks",
            "SPX/NPS1 1 computed fits",
            "DPX/NPS1 2 computed fits",
            "QPX/NPS1 4 computed lacks",
            "QPX/NPS4 4 computed lacks",
            "CPX/NPS1 8 computed lacks",
        ];
        assert_eq!(fits(&cpx_nps4(1), &[("Qwen/Qwen2.5-32B", Dtype::Bf16)]), expected);
        let small = fits(&cpx_nps4(1), &[("meta-llama/Llama-3.1-8B", Dtype::Fp16)]);
        assert!(small.iter().all(|line| line.ends_with("fits")), "{small:?}");
    }

    #[test]
    fn a_machine_that_offers_less_or_more_is_believed() {
        let mut look = cpx_nps4(1);
        let gpu = &mut look.sysfs.as_mut().unwrap()[0];
        gpu.available_compute = Reading::Value(vec![ComputeMode::Cpx]);
        gpu.available_memory = Reading::Value(vec![MemoryMode::Nps1, MemoryMode::Nps2, MemoryMode::Nps4]);
        let small = [("meta-llama/Llama-3.1-8B", Dtype::Fp16)];
        let found = fits(&look, &small);
        assert!(found.contains(&"DPX/NPS2 2 computed fits".to_owned()), "newer firmware: {found:?}");
        assert!(found.contains(&"QPX/NPS1 4 computed fits".to_owned()), "{found:?}");
        assert!(!found.iter().any(|line| line.contains("QPX/NPS4")), "not listed in this memory mode: {found:?}");
        look.sysfs.as_mut().unwrap()[0].device_id = Reading::Value(0x74b5);
        for node in look.kfd.as_mut().unwrap() {
            node.device_id = Reading::Value(0x74b5);
        }
        assert_eq!(fits(&look, &small), ["CPX/NPS4 8 measured fits"], "a guest does not set its host's modes");
    }

    #[test]
    fn an_apu_has_in_other_modes_what_the_kernel_gives_it_now() {
        let look = look("mi300a", 2, ComputeMode::Spx, MemoryMode::Nps1);
        let expected = ["SPX/NPS1 2 measured fits", "TPX/NPS1 6 computed fits", "CPX/NPS1 12 computed lacks"];
        assert_eq!(fits(&look, &[("meta-llama/Llama-3.1-8B", Dtype::Bf16)]), expected);
        let all = sockets(&look);
        let gpus: Vec<_> = all.iter().collect();
        let found = mode_fits(&gpus, &devices(&look).usable, &[], Share::DEFAULT);
        // ROCm/ROCm#4750: 100742320128 in SPX, 3 x 33580773376 in TPX.
        assert_eq!((found[0].devices[0], found[1].devices[0]), (Bytes(100_742_320_128), Bytes(33_580_773_376)));
    }

    #[test]
    fn a_card_without_partitions_has_one_mode() {
        let look = look("rx6900xt", 1, ComputeMode::Spx, MemoryMode::Nps1);
        assert_eq!(fits(&look, &[("Qwen/Qwen2.5-0.5B", Dtype::Fp16)]), ["SPX/NPS1 1 measured fits"]);
    }

    #[test]
    fn memory_in_use_counts_in_the_mode_in_force_only() {
        let look = cpx_nps4(1);
        let mut found = devices(&look).usable;
        for device in &mut found {
            device.used = Used::Kernel(Bytes(20 << 30));
        }
        let all = sockets(&look);
        let gpus: Vec<_> = all.iter().collect();
        let fits = mode_fits(&gpus, &found, &needs(&[("meta-llama/Llama-3.1-8B", Dtype::Fp16)]), Share::DEFAULT);
        // 16060522496 of weights, 2 GiB of reserve and 1 GiB of cache, with 4 GiB free.
        assert_eq!(fits[0].room, Room::Lacks(Bytes(16_060_522_496 - (1 << 30))));
        assert_eq!(fits[0].allocation.refused[0].lacks, Bytes(16_060_522_496 - (1 << 30)));
        assert!(fits[1..].iter().all(ModeFit::fits));
    }

    #[test]
    fn all_lets_a_device_have_its_whole_memory_partition() {
        let mib = |look: &Snapshot| {
            let all = sockets(look);
            let gpus: Vec<_> = all.iter().collect();
            let fits = mode_fits(&gpus, &devices(look).usable, &[], Share::DEFAULT);
            fits.iter().map(|fit| fit.under_all.map(Bytes::mib)).collect::<Vec<_>>()
        };
        // CPX/NPS4: two devices share 48 GiB; SPX and QPX/NPS4 share with nobody.
        let expected = [Some(49_152), None, Some(196_592), Some(196_592), None, Some(196_592)];
        assert_eq!(mib(&cpx_nps4(1)), expected);
        assert_eq!(mib(&cpx_nps4(2)), expected);
    }
}
