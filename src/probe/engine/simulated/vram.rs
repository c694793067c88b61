//! The memory of a simulated machine's GPUs as a runtime hands it out: how much is taken of each is counted, and of each
//! block a sample is real, so that what is read back is compared with what was written.

use std::collections::BTreeMap;

use crate::domain::{AllocMode, Bdf, Bytes, Reading};
use crate::probe::protocol::Device;
use crate::probe::tensor::{Generator, Role};
use crate::sim::Kernel;
use crate::sim::fault::MemoryFault;
use crate::topology::{Filters, LogicalDevice, visible};
use crate::witness::KfdNode;

/// Most bytes of one block that are real.
const SAMPLE: u64 = 1024;

/// The part of a device's memory that the driver and the runtime take for themselves: an idle partition has about 98 %
/// free (facts/partitions.md section 8).
const OWN: u64 = 50;

/// A byte of a sample in which a planted fault shows.
const SPOILT: usize = 777;

/// What one worker sees of the machine's memory.
#[derive(Debug)]
pub struct Vram {
    devices: Vec<Logical>,
    blocks: BTreeMap<u64, Block>,
    next: u64,
    /// What the worker has for itself beyond what is counted in [`OWN`].
    more: u64,
    numbers: Generator,
    fault: Option<MemoryFault>,
}

/// A block of memory, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocated(u64);

#[derive(Debug)]
struct Logical {
    name: String,
    isa: String,
    bdf: Bdf,
    /// What it reports, and is held to.
    own: u64,
    /// What it shares with the others of its memory partition.
    pool: u64,
    /// Which partition that is.
    pool_of: (usize, u32),
    /// All of its GPU's.
    whole: u64,
    capped: bool,
    taken: u64,
}

#[derive(Debug)]
struct Block {
    device: usize,
    bytes: u64,
    sample: Vec<u8>,
}

impl Vram {
    /// Of this machine, for a worker with these variables.
    pub fn of(kernel: &Kernel, env: &BTreeMap<String, String>, seed: u32, fault: Option<MemoryFault>) -> Self {
        let view = kernel.view();
        let partitions = kernel.state().memory.partitions();
        let own = |device: &crate::sim::Device| device.node.as_ref().map_or(0, |node| node.memory.0);
        let sharing = |gpu: usize, partition: u8| {
            let devices = u32::try_from(view.devices.iter().filter(|device| device.gpu == gpu).count()).unwrap_or(1);
            (gpu, u32::from(partition) / (devices / partitions).max(1))
        };
        let mut found = Vec::new();
        for device in view.devices.iter().filter(|_| view.kfd) {
            let (Some(node), Some(gpu)) = (&device.node, view.gpus.get(device.gpu)) else { continue };
            let pool_of = sharing(device.gpu, device.partition);
            let all = |partition: bool| {
                let mates = view.devices.iter().filter(|mate| {
                    mate.gpu == device.gpu && (!partition || sharing(mate.gpu, mate.partition) == pool_of)
                });
                mates.map(own).fold(0_u64, u64::saturating_add)
            };
            let mode = gpu.partition.as_ref().and_then(|files| files.mem_alloc_mode.as_ref().ok());
            let shown = KfdNode { unique_id: Reading::Value(node.unique_id), ..KfdNode::unread(node.id, node.gpu_id) };
            if !node.hidden {
                let logical = Logical {
                    name: gpu.model.marketing.clone(),
                    isa: env
                        .get(&format!("HSA_OVERRIDE_GFX_VERSION_{}", node.id))
                        .or_else(|| env.get("HSA_OVERRIDE_GFX_VERSION"))
                        .and_then(|text| isa(text))
                        .unwrap_or_else(|| gpu.model.gfx.clone()),
                    bdf: Bdf { function: device.partition, ..gpu.bdf },
                    own: node.memory.0,
                    pool: all(true),
                    pool_of,
                    whole: all(false),
                    capped: mode.is_none_or(|mode| mode != AllocMode::All.name()),
                    taken: 0,
                };
                found.push((shown, logical));
            }
        }
        found.sort_by_key(|(node, _)| node.node);
        Self {
            devices: seen(found, env),
            blocks: BTreeMap::new(),
            next: 0,
            more: kernel.worker_memory().0.saturating_sub(Kernel::WORKER_MEMORY.0),
            numbers: Generator::new(seed, Role::Input),
            fault,
        }
    }

    /// How many devices the worker sees.
    pub fn count(&self) -> usize {
        self.devices.len()
    }

    /// The first of them.
    pub fn first(&self) -> Option<Device> {
        let first = self.devices.first()?;
        Some(Device {
            name: first.name.clone(),
            isa: Some(first.isa.clone()),
            bdf: Some(first.bdf.to_string()),
            memory: self.total(),
        })
    }

    /// What the runtime says that the first device has.
    pub fn total(&self) -> Bytes {
        let whole = self.fault == Some(MemoryFault::WholeGpuTotal);
        Bytes(self.devices.first().map_or(0, |first| if whole { first.whole } else { first.own }))
    }

    /// What was taken of the first device.
    pub fn taken(&self) -> Bytes {
        Bytes(self.devices.first().map_or(0, |first| first.taken))
    }

    /// What the runtime says is free of the first device.
    pub fn free_now(&self) -> Bytes {
        Bytes(self.devices.first().map_or(0, |first| self.left(0, first)))
    }

    /// What a device still gives out.
    fn left(&self, device: usize, logical: &Logical) -> u64 {
        let most = self.most(device);
        most.saturating_sub(most / OWN).saturating_sub(self.more).saturating_sub(logical.taken)
    }

    /// Takes so much of a device.
    ///
    /// # Errors
    /// It refuses; what the runtime says.
    pub fn allocate(&mut self, device: usize, Bytes(bytes): Bytes) -> Result<Allocated, String> {
        let Some(logical) = self.devices.get(device) else { return Err("invalid device ordinal".to_owned()) };
        let free = self.left(device, logical);
        if bytes > free {
            return Err(format!(
                "HIP out of memory. Tried to allocate {}. GPU {device} has a total capacity of {} of which {} is free.",
                Bytes(bytes),
                Bytes(logical.own),
                Bytes(free)
            ));
        }
        self.devices.iter_mut().skip(device).take(1).for_each(|logical| logical.taken += bytes);
        let number = self.next;
        self.next += 1;
        self.blocks.insert(number, Block { device, bytes, sample: Vec::new() });
        Ok(Allocated(number))
    }

    /// Gives a block back.
    pub fn free(&mut self, Allocated(number): Allocated) {
        if let Some(block) = self.blocks.remove(&number)
            && let Some(logical) = self.devices.get_mut(block.device)
        {
            logical.taken -= block.bytes;
        }
    }

    /// Gives everything back.
    pub fn free_all(&mut self) {
        self.blocks.clear();
        self.devices.iter_mut().for_each(|device| device.taken = 0);
    }

    /// Writes the pattern to a block.
    pub fn write(&mut self, Allocated(number): Allocated) {
        let half_full = self.devices.first().is_some_and(|first| first.taken > first.own / 2);
        let numbers = self.numbers;
        let Some(block) = self.blocks.get_mut(&number) else { return };
        block.sample = pattern(numbers, number, block.bytes).collect();
        let device = block.device;
        match self.fault {
            Some(MemoryFault::PatternBroken) if device == 0 => spoil(numbers, number, block),
            Some(MemoryFault::NeighbourOverwritten) if device == 0 && half_full => {
                let beside = self.blocks.iter_mut().filter(|(_, block)| block.device == 1);
                beside.for_each(|(number, block)| spoil(numbers, *number, block));
            }
            Some(
                MemoryFault::PatternBroken
                | MemoryFault::NeighbourOverwritten
                | MemoryFault::NeverRefuses
                | MemoryFault::RefusesEarly
                | MemoryFault::PastCap
                | MemoryFault::WholeGpuTotal
                | MemoryFault::GarbledReport,
            )
            | None => {}
        }
    }

    /// How large a block is.
    pub fn size(&self, Allocated(number): Allocated) -> Bytes {
        Bytes(self.blocks.get(&number).map_or(0, |block| block.bytes))
    }

    /// Bytes of a block that do not hold what was written to it.
    pub fn mismatches(&self, Allocated(number): Allocated) -> u64 {
        let Some(block) = self.blocks.get(&number) else { return 0 };
        let pairs = block.sample.iter().zip(pattern(self.numbers, number, block.bytes));
        pairs.filter(|(found, written)| **found != *written).count() as u64
    }

    /// Most that a device gives out now.
    fn most(&self, device: usize) -> u64 {
        let Some(logical) = self.devices.get(device) else { return 0 };
        let mates =
            self.devices.iter().enumerate().filter(|(at, mate)| *at != device && mate.pool_of == logical.pool_of);
        let shared = logical.pool.saturating_sub(mates.map(|(_, mate)| mate.taken).sum());
        match self.fault {
            Some(MemoryFault::NeverRefuses) => u64::MAX,
            Some(MemoryFault::RefusesEarly) => logical.own / 2,
            Some(MemoryFault::PastCap) => shared,
            Some(
                MemoryFault::PatternBroken
                | MemoryFault::NeighbourOverwritten
                | MemoryFault::WholeGpuTotal
                | MemoryFault::GarbledReport,
            )
            | None => {
                if logical.capped {
                    logical.own
                } else {
                    shared
                }
            }
        }
    }
}

/// The devices that variables leave, in the order in which the worker counts them.
fn seen(found: Vec<(KfdNode, Logical)>, env: &BTreeMap<String, String>) -> Vec<Logical> {
    let of = |name: &str| env.get(name).map(String::as_str);
    let (rocr, hip, cuda) = (of("ROCR_VISIBLE_DEVICES"), of("HIP_VISIBLE_DEVICES"), of("CUDA_VISIBLE_DEVICES"));
    let (nodes, logical): (Vec<KfdNode>, Vec<Logical>) = found.into_iter().unzip();
    let devices: Vec<_> = (0..).zip(&nodes).map(|(hip_index, node)| LogicalDevice { hip_index, node }).collect();
    let left = visible(&devices, Filters { rocr, hip, cuda }).devices;
    let mut logical: Vec<Option<Logical>> = logical.into_iter().map(Some).collect();
    left.iter().filter_map(|device| logical.get_mut(device.hip_index as usize)?.take()).collect()
}

/// `10.3.0` is `gfx1030`; anything else changes nothing.
fn isa(text: &str) -> Option<String> {
    let mut numbers = text.split('.').map(|number| number.parse::<u8>().ok());
    match (numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()) {
        (major, minor, step, None) => Some(format!("gfx{major}{minor}{step:x}")),
        (_, _, _, Some(_)) => None,
    }
}

/// What a block's sample holds: it depends on the block and on the place in it.
fn pattern(numbers: Generator, block: u64, bytes: u64) -> impl Iterator<Item = u8> {
    let first = u32::try_from(block & 0x3f_ffff).unwrap_or_default().wrapping_mul(1024);
    (0..u32::try_from(bytes.min(SAMPLE)).unwrap_or_default())
        .map(move |at| numbers.hash(first.wrapping_add(at)).to_le_bytes()[0])
}

/// Whatever was done to it before, it is not what was written.
fn spoil(numbers: Generator, number: u64, block: &mut Block) {
    let at = SPOILT.min(block.sample.len().saturating_sub(1));
    if let (Some(byte), Some(written)) = (block.sample.get_mut(at), pattern(numbers, number, block.bytes).nth(at)) {
        *byte = !written;
    }
}
