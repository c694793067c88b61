//! From a machine and its state to what the kernel shows.

use crate::domain::{Bdf, Bytes, ComputeMode};
use crate::facts::split_memory;

use super::{
    Client, Device, DriverState, DrmDevice, Errno, Gpu, GpuMetrics, Hives, Kernel, KfdNode, Machine, Model,
    PartitionFiles, Platform, Profile, ShownTuning, View, fault::Named, modes, reference, resources, show_faults,
};

/// Memory that one client of the simulation holds: what the report of ROCm/amdsmi#175 allocated.
const CLIENT_MEMORY: u64 = 2 << 30;

/// Memory of one MI300A that AMD's DKMS driver gives to the GPU by default (`amdttm` limit, about 96 of 128 GiB).
/// Source: ROCm issue #4750, `rocm-smi` in SPX: 100742320128; in TPX 3 x 33580773376 [C].
const APU_DEFAULT_LIMIT: Bytes = Bytes(100_742_320_128);

/// `pages_limit` of a machine with so many APUs, by default.
pub fn default_pages_limit(gpus: u32) -> u64 {
    APU_DEFAULT_LIMIT.0 / Bytes::PAGE.0 * u64::from(gpus)
}

/// Process id of the first client.
const FIRST_PID: u32 = 4242;

/// DRM devices of one partitionable GPU (facts/partitions.md section 4).
const DRM_DEVICES: u8 = 8;

/// Amdgpu version of machines that follow the facts: the one that amd-smi 26.2.1 came with.
const DRIVER_VERSION: &str = "6.16.6";

/// Kernel of machines that follow the facts.
pub const KERNEL_RELEASE: &str = "6.8.0-60-generic";

/// Everything the kernel shows now, faults included.
pub fn view(kernel: &Kernel) -> View {
    let machine = kernel.machine();
    let gpus: Vec<Gpu> = (0..machine.gpus).map(|index| gpu(kernel, index)).collect();
    let bmc = has_bmc(kernel);
    let devices = devices(kernel, &gpus, bmc);
    let drm_devices = drm_devices(machine, &gpus, &devices, bmc);
    let clients = clients(kernel, &devices);
    let reference = machine.quirks.reference_tree;
    let version = if reference { reference::DRIVER_VERSION } else { DRIVER_VERSION };
    let usual = if reference { reference::KERNEL_RELEASE } else { KERNEL_RELEASE };
    let release = machine.tuning.kernel.as_deref().unwrap_or(usual);
    let pages_limit = pages_limit(machine, &gpus);
    let mut view = View {
        driver: DriverState::Live { version: (!machine.tuning.in_tree).then(|| version.to_owned()) },
        kfd: true,
        hypervisor: machine.platform != Platform::BareMetal,
        gpus,
        devices,
        drm_devices,
        bmc,
        clients,
        cpu_nodes: cpu_nodes(machine, kernel.model()),
        drm: !reference,
        pages_limit,
        user_access: false,
        kernel_release: release.to_owned(),
        tuning: tuning(kernel),
    };
    for fault in kernel.active_faults() {
        show_faults::apply(fault, &mut view);
    }
    view
}

/// What the driver made of its parameters when it was loaded.
fn tuning(kernel: &Kernel) -> ShownTuning {
    let machine = kernel.machine();
    let stale = kernel.has_fault(Named::InitramfsStale);
    let mut shown = machine.tuning.shown(machine.caller, stale, kernel.has_fault(Named::AmdgpuBuiltin));
    if machine.quirks.reference_tree {
        shown.parameters.clear();
        shown.fragment_bits = None;
    }
    shown
}

/// The limit that the APUs' memory follows: the machine's, else what gives them theirs.
fn pages_limit(machine: &Machine, gpus: &[Gpu]) -> Option<u64> {
    let apus = gpus.iter().filter(|gpu| gpu.model.apu);
    let limit: u64 = apus.map(|gpu| gpu.vram_total.0 / Bytes::PAGE.0).sum();
    (limit > 0).then(|| machine.pages_limit.unwrap_or(limit))
}

fn cpu_nodes(machine: &Machine, model: &Model) -> u32 {
    if machine.quirks.reference_tree {
        reference::CPU_NODES
    } else if model.apu {
        // Every APU is a CPU socket too.
        machine.gpus
    } else if is_instinct(model) {
        2
    } else {
        1
    }
}

fn is_instinct(model: &Model) -> bool {
    model.id.starts_with("MI")
}

fn gpu(kernel: &Kernel, index: u32) -> Gpu {
    let (machine, model) = (kernel.machine(), kernel.model());
    let instinct = is_instinct(model);
    let reference = machine.quirks.reference_tree;
    let virtual_function = machine.platform == Platform::VirtualFunction;
    let vram = model.driver_vram.or_else(|| machine.apu_memory()).unwrap_or(APU_DEFAULT_LIMIT);
    let position = index as usize;
    let id = if virtual_function { model.vf_pci_ids.first() } else { model.pci_ids.first() }.copied().unwrap_or(0);
    let clients = kernel.state().clients.get(position).copied().unwrap_or(0);
    let held = if reference { 0 } else { u64::from(clients).saturating_mul(CLIENT_MEMORY) };
    let number = if model.id == "MI300X" { Some("102-G30211-00") } else { None };
    // An RDNA board carries no FRU, so the kernel has no product name, number or serial to show.
    let fru = instinct && (model.partitionable || !reference);
    let compute = kernel.state().compute.get(position).copied().unwrap_or(ComputeMode::Spx);
    let shown = if reference { machine.compute } else { compute };
    Gpu {
        model,
        bdf: Bdf { domain: 0, bus: reference::BUSSES.get(position).copied().unwrap_or(0), device: 0, function: 0 },
        device_id: id,
        unique_id: reference::unique_id(u64::from(index)),
        serial: fru.then(|| format!("69230700{index:04}")),
        numa_node: i32::try_from(if model.apu { index } else { index / 4 }).unwrap_or(0),
        vram_total: vram,
        vram_used: Bytes(reference::VRAM_USED.0.saturating_add(held).min(vram.0)),
        gtt_total: vram,
        gtt_used: reference::GTT_USED,
        partition: model.partitionable.then(|| files(kernel, position, compute, virtual_function)),
        virtual_function,
        hive_id: if instinct { hive(machine, index) } else { 0 },
        product_name: fru.then(|| product_name(model)),
        product_number: number.filter(|_| fru).map(str::to_owned),
        subsystem_device: if reference { reference::subsystem(model) } else { id },
        revision: 0,
        vram_vendor: Some("hynix".to_owned()),
        // Cards that are wired with eight lanes.
        max_link_width: if matches!(model.id.as_str(), "RX 5500 XT" | "RX 6600") { 8 } else { 16 },
        max_link_speed: if reference || instinct { 32 } else { 16 },
        metrics: (!reference || model.partitionable).then(|| GpuMetrics {
            num_partition: u16::try_from(shown.devices(model.xccs)).ok(),
            xccs: model.xccs,
            hotspot: 42,
            socket_power: 140,
            gfx_activity: 0,
            umc_activity: 0,
        }),
    }
}

fn hive(machine: &Machine, gpu: u32) -> u64 {
    match machine.hives {
        Hives::Two if gpu >= machine.gpus.div_ceil(2) => reference::HIVE + 1,
        Hives::LastOutside if gpu + 1 == machine.gpus => 0,
        Hives::One | Hives::Two | Hives::LastOutside => reference::HIVE,
    }
}

/// The FRU's product name. Only MI300X's was seen (`OAM`); the others carry the marketing name, unverified.
fn product_name(model: &Model) -> String {
    if model.id == "MI300X" { format!("{} OAM", model.marketing) } else { model.marketing.clone() }
}

fn files(kernel: &Kernel, gpu: usize, compute: ComputeMode, virtual_function: bool) -> PartitionFiles {
    let (model, memory) = (kernel.model(), kernel.state().memory);
    // In a guest only the current_* files exist (facts/partitions.md section 6).
    let host_only = |text: String| if virtual_function { Err(Errno::ENOENT) } else { Ok(text) };
    let available = if kernel.machine().quirks.reference_tree {
        modes::list(model.compute_modes())
    } else {
        modes::list(&modes::available(model, memory))
    };
    PartitionFiles {
        current_compute: Ok(compute.name().to_owned()),
        available_compute: host_only(available),
        current_memory: Ok(memory.name().to_owned()),
        // MI300A: NPS is a boot setting, and its capabilities are N/A by design (facts/amd-smi.md 1.3).
        available_memory: if model.apu { Err(Errno::ENOENT) } else { host_only(modes::list(&model.memory_modes)) },
        profiles: if virtual_function { Vec::new() } else { profiles(kernel) },
        selected: kernel.state().selected.get(gpu).copied().flatten(),
        mem_alloc_mode: match kernel.machine().alloc_mode {
            Some(_) => host_only(kernel.state().alloc_mode.name().to_owned()),
            None => Err(Errno::ENOENT),
        },
    }
}

fn profiles(kernel: &Kernel) -> Vec<Profile> {
    let machine = kernel.machine();
    let profiles = resources::profiles(kernel.model());
    // The broken machines of the reference tree had no driver behind their files.
    const PLAIN_FILES: [Named; 4] =
        [Named::AmdgpuBuiltin, Named::UnknownPartitionMode, Named::EmptyComputePartitionFile, Named::SpxNotAvailable];
    if machine.quirks.reference_tree && PLAIN_FILES.into_iter().any(|fault| kernel.has_fault(fault)) {
        return reference::unanswered(profiles, machine.compute);
    }
    profiles
}

/// A BMC's video card is why the last of 64 devices goes missing: without it there are minors for all of them.
fn has_bmc(kernel: &Kernel) -> bool {
    !kernel.machine().quirks.reference_tree && kernel.has_fault(Named::MissingLastDevice)
}

fn devices(kernel: &Kernel, gpus: &[Gpu], bmc: bool) -> Vec<Device> {
    let (machine, state) = (kernel.machine(), kernel.state());
    let mut devices: Vec<Device> = Vec::new();
    for (index, gpu) in gpus.iter().enumerate() {
        // After a set the reference tree keeps the devices that it was made with.
        let compute = if machine.quirks.reference_tree {
            machine.compute
        } else {
            state.compute.get(index).copied().unwrap_or(ComputeMode::Spx)
        };
        let sharing = compute.devices(gpu.model.xccs);
        let sizes = split_memory(gpu.vram_total, sharing as usize, state.memory.partitions());
        for partition in 0..sharing {
            let count = u32::try_from(devices.len()).unwrap_or(u32::MAX);
            let number = u8::try_from(partition).unwrap_or(u8::MAX);
            let (minor, node) = if machine.quirks.reference_tree {
                (count, reference::node(gpu, count, number, sharing, machine.memory))
            } else {
                let memory = sizes.get(partition as usize).copied().unwrap_or(Bytes(0));
                let first = cpu_nodes(machine, gpu.model);
                let minor = minor(gpu.model, index, partition);
                let node = KfdNode { render_minor: 128 + minor, ..node(gpu, first + count, number, sharing, memory) };
                (minor, node)
            };
            let card = minor + u32::from(bmc);
            devices.push(Device { gpu: index, partition: number, card, render: 128 + minor, node: Some(node) });
        }
    }
    devices
}

/// The devices in use, and the partitions that the mode in force leaves unused: their nodes exist and cannot be opened.
fn drm_devices(machine: &Machine, gpus: &[Gpu], devices: &[Device], bmc: bool) -> Vec<DrmDevice> {
    if machine.quirks.reference_tree {
        let used = devices.iter().map(|device| DrmDevice {
            gpu: device.gpu,
            partition: device.partition,
            card: device.card,
            render: device.render,
        });
        return used.collect();
    }
    let of_gpu = |(index, gpu): (usize, &Gpu)| {
        let (model, count) = (gpu.model, if gpu.model.partitionable { DRM_DEVICES } else { 1 });
        (0..count).map(move |partition| {
            let minor = minor(model, index, u32::from(partition));
            DrmDevice { gpu: index, partition, card: minor + u32::from(bmc), render: 128 + minor }
        })
    };
    gpus.iter().enumerate().flat_map(of_gpu).collect()
}

/// One process for as many clients as the GPU with the most has; it holds its memory on the first partition of each.
fn clients(kernel: &Kernel, devices: &[Device]) -> Vec<Client> {
    let counts = &kernel.state().clients;
    let most = counts.iter().copied().max().unwrap_or(0);
    let held = |number: u32| {
        let of_client = move |device: &&Device| counts.get(device.gpu).is_some_and(|&count| count > number);
        let memory = |device: &Device| {
            let bytes = if device.partition == 0 { Bytes(CLIENT_MEMORY) } else { Bytes(0) };
            Some((device.node.as_ref()?.gpu_id, bytes))
        };
        devices.iter().filter(of_client).filter_map(memory).collect()
    };
    (0..most).map(|number| Client { pid: FIRST_PID + number, vram: held(number) }).collect()
}

/// Eight DRM devices for each partitionable GPU in every mode, one for any other (facts/partitions.md section 4).
fn minor(model: &Model, gpu: usize, partition: u32) -> u32 {
    let step = if model.partitionable { u32::from(DRM_DEVICES) } else { 1 };
    u32::try_from(gpu).unwrap_or(0) * step + partition
}

fn node(gpu: &Gpu, id: u32, partition: u8, sharing: u32, memory: Bytes) -> KfdNode {
    let simds = gpu.model.xccs * gpu.model.cus_per_xcc * gpu.model.simds_per_cu;
    KfdNode {
        id,
        // Stands for the driver's hash: looks like one, and no two nodes below 65521 share it.
        gpu_id: id * 9973 % 65_521,
        simd_count: simds / sharing,
        num_xcc: (gpu.model.xccs / sharing).max(1),
        location_id: u32::from(gpu.bdf.bus) << 8 | u32::from(gpu.bdf.device) << 3 | u32::from(partition),
        unique_id: gpu.unique_id,
        memory,
        hive_id: gpu.hive_id,
        render_minor: 128 + u32::from(partition),
        hidden: false,
    }
}
