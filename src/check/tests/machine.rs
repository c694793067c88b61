//! A healthy machine as its witnesses show it, and short ways to spoil it.

use std::time::Duration;

use crate::domain::{Bdf, Bytes, ComputeMode, Ended, MemoryMode, Provenance, Reading};
use crate::facts;
use crate::witness::amd_smi::{
    Answer, Format, ListRow, PartitionReport, ProfileRow, Query, ResourceRow, SetOutcome, SetRequest, SetRow,
    StaticPartitionRow, ToolError, VersionReport, VramRow,
};
use crate::witness::tuning::{Options, VmLine};
use crate::witness::{
    Access, Asked, Call, DeviceAccess, DriverFacts, HipDevice, KernelFacts, KfdNode, ModuleState, Observations,
    RenderNode, RenderParent, SetDone, Snapshot, SysfsGpu, TuningFacts,
};

/// Addresses of the two GPUs.
pub(super) const GPUS: [&str; 2] = ["0000:05:00.0", "0000:26:00.0"];

const COMPUTE: ComputeMode = ComputeMode::Dpx;
const MEMORY: MemoryMode = MemoryMode::Nps1;

/// Two MI300X in DPX/NPS1: four devices of equal size; every query asked, and a probe run on the GPU and on the CPU.
pub(super) fn healthy() -> Observations {
    Observations {
        provenance: Provenance::Simulated,
        before: None,
        sets: Vec::new(),
        runs: Vec::new(),
        probes: super::probes::well(),
        after: look(),
    }
}

pub(super) fn look() -> Snapshot {
    let part = facts::part("mi300x").unwrap();
    let sizes = facts::memory_per_device(part, COMPUTE, MEMORY).unwrap();
    let addresses: Vec<Bdf> = GPUS.iter().map(|text| text.parse().unwrap()).collect();
    let devices: Vec<(u32, Bdf)> =
        (0..).zip(addresses.iter().flat_map(|bdf| [0, 1].map(|function| Bdf { function, ..*bdf }))).collect();
    let list = devices.iter().map(|&(gpu, bdf)| ListRow {
        gpu,
        bdf: Reading::Value(bdf),
        uuid: Reading::Value(format!("uuid-{gpu}")),
        kfd_id: Reading::Value(100 + gpu),
        node_id: Reading::Value(2 + gpu),
        partition_id: Reading::Value(u32::from(bdf.function)),
    });
    let modes = devices.iter().map(|&(gpu, bdf)| StaticPartitionRow {
        gpu,
        compute: Reading::Value(COMPUTE),
        memory: Reading::Value(MEMORY),
        partition_id: Reading::Value(u32::from(bdf.function)),
    });
    let sizes_of = devices.iter().map(|&(gpu, bdf)| VramRow {
        gpu,
        total: Reading::Value(sizes[usize::from(bdf.function)]),
        used: Reading::NotReported,
    });
    let nodes = devices.iter().map(|&(gpu, bdf)| KfdNode {
        node: 2 + gpu,
        gpu_id: 100 + gpu,
        bdf: Reading::Value(bdf),
        device_id: Reading::Value(part.pci_ids[0]),
        gfx_target_version: Reading::Value(part.gfx_target_version),
        num_xcc: Reading::Value(4),
        simd_count: Reading::Value(608),
        unique_id: Reading::Value(u64::from(gpu / 2)),
        hive_id: Reading::Value(7),
        render_minor: Reading::Value(minor(bdf)),
        memory: Reading::Value(sizes[usize::from(bdf.function)]),
    });
    let hip = devices.iter().map(|&(index, bdf)| HipDevice {
        index,
        bdf: Reading::Value(bdf.socket()),
        total: Reading::Value(sizes[usize::from(bdf.function)]),
        free: Reading::Value(Bytes(sizes[usize::from(bdf.function)].0 / 100 * 98)),
    });
    let sysfs = addresses.iter().map(|&bdf| SysfsGpu {
        bdf,
        device_id: Reading::Value(part.pci_ids[0]),
        compute: Reading::Value(COMPUTE),
        available_compute: Reading::Value(part.compute_modes().to_vec()),
        memory: Reading::Value(MEMORY),
        available_memory: Reading::Value(part.memory_modes.clone()),
        vram_total: Reading::Value(Bytes(sizes.iter().map(|size| size.0).sum())),
        vram_used: Reading::Value(Bytes(297_078_784)),
        alloc_mode: Reading::NotReported,
        profiles: Reading::Value(part.compute_modes().to_vec()),
        profile_selected: Reading::Value(COMPUTE),
        unique_id: Reading::Value(u64::from(bdf.bus)),
        hive_id: Reading::Value(7),
        driver: Reading::Value("amdgpu".to_owned()),
        physical_function: None,
        virtual_functions: Vec::new(),
    });
    Snapshot {
        version: Some(asked(
            Query::Version,
            VersionReport {
                tool: Reading::Value("27.1.0".parse().unwrap()),
                library: Reading::NotReported,
                rocm: Reading::NotReported,
                driver: Reading::NotReported,
            },
        )),
        list: Some(asked(Query::List, list.collect())),
        static_partition: Some(asked(Query::StaticPartition, modes.collect())),
        partition: Some(asked(
            Query::Partition,
            PartitionReport {
                current: Reading::NotReported,
                memory: Reading::NotReported,
                profiles: Reading::Value([0, 2].into_iter().flat_map(profiles).collect()),
            },
        )),
        vram: None,
        memory_use: Some(asked(Query::MetricMemory, sizes_of.collect())),
        sysfs: Some(sysfs.collect()),
        kfd: Some(nodes.collect()),
        kfd_hidden: Vec::new(),
        render: Some(devices.iter().map(|&(_, bdf)| render(bdf)).collect()),
        driver: Some(driver()),
        kernel: Some(kernel()),
        processes: Some(Reading::Value(Vec::new())),
        access: Some(
            std::iter::once("/dev/kfd".to_owned())
                .chain(devices.iter().map(|&(_, bdf)| format!("/dev/dri/renderD{}", minor(bdf))))
                .map(|path| DeviceAccess { path, access: Access::Granted })
                .collect(),
        ),
        hip: Some(Reading::Value(hip.collect())),
        tuning: Some(tuning()),
    }
}

/// Eight minors for each GPU.
fn minor(bdf: Bdf) -> u32 {
    let first = if bdf.bus == 5 { 128 } else { 136 };
    first + u32::from(bdf.function)
}

fn render(bdf: Bdf) -> RenderNode {
    let parent = match bdf.function {
        0 => RenderParent::Pci { bdf, vendor: Reading::Value(0x1002) },
        partition => RenderParent::Partition { number: u32::from(partition) },
    };
    RenderNode { minor: minor(bdf), parent }
}

fn driver() -> DriverFacts {
    DriverFacts {
        module: ModuleState::Live,
        version: Reading::NotReported,
        pages_limit: Reading::NotReported,
        numa_nodes: Reading::NotReported,
    }
}

fn kernel() -> KernelFacts {
    KernelFacts {
        release: Reading::Value("6.8.0-60-generic".to_owned()),
        cmdline: Reading::Value("root=/dev/sda1 ro".to_owned()),
        hypervisor: Reading::Value(false),
        boot_id: Reading::NotReported,
    }
}

/// Nothing is set.
fn tuning() -> TuningFacts {
    let module = facts::parameters().iter().filter(|each| each.name.starts_with("amdgpu."));
    let untouched = |each: &facts::Parameter| {
        let shown = each.unset.clone().unwrap_or_else(|| "0".to_owned());
        (each.name.clone(), Reading::Value(shown))
    };
    let line = VmLine { size_gib: 262_144, levels: 4, block_bits: 9, fragment_bits: 9 };
    TuningFacts {
        options: Reading::Value(Options::default()),
        parameters: Reading::Value(module.map(untouched).collect()),
        vm: Reading::Value(vec![line; GPUS.len()]),
        environment: Reading::Value(std::collections::BTreeMap::new()),
        rocm: vec!["6.2.0-66".to_owned()],
    }
}

fn profiles(gpu: u32) -> Vec<ProfileRow> {
    let part = facts::part("mi300x").unwrap();
    let row = |profile: facts::Profile| ProfileRow {
        gpu,
        index: Reading::Value(profile.index),
        caps: Reading::Value(profile.memory_caps),
        mode: Reading::Value(profile.compute),
        current: profile.compute == COMPUTE,
        partitions: Reading::Value(profile.compute.devices(part.xccs)),
        resources: vec![ResourceRow {
            kind: Reading::Value("XCC".to_owned()),
            instances: Reading::Value(facts::xccs_per_device(part, profile.compute)),
            shared: Reading::Value(1),
        }],
    };
    facts::profiles(part).into_iter().map(row).collect()
}

fn asked<T>(query: Query, value: T) -> Asked<T> {
    Asked { call: call(query.args(Format::Json)), answer: answer(Reading::Value(value)) }
}

pub(super) fn answer<T>(value: Reading<T>) -> Answer<T> {
    Answer { documents: 1, stray: None, failure: None, value }
}

pub(super) fn call(args: Vec<String>) -> Call {
    let ended = Ended::Exited { code: 0 };
    Call { args, ended, stdout: b"{}".to_vec(), stderr: Vec::new(), took: Duration::ZERO }
}

pub(super) fn failure(status: Option<&str>, text: &str) -> ToolError {
    ToolError { code: None, status: status.map(str::to_owned), text: text.to_owned() }
}

/// A request that every GPU says it carried out, once the driver is loaded again where it is about memory.
pub(super) fn set(request: SetRequest) -> SetDone {
    let sentence = match request {
        SetRequest::Compute { .. } => "Successfully set",
        SetRequest::Memory { .. } => "Successfully set; reload the driver",
    };
    let call = call(request.args(Format::Json));
    let said = |gpu| SetRow { gpu, outcome: Reading::Value(SetOutcome::Said { sentence: sentence.into() }) };
    let asked = Asked { call, answer: answer(Reading::Value(vec![said(0), said(2)])) };
    SetDone { request, asked, reload: None }
}

/// The rows behind an answer, to be spoilt.
pub(super) fn rows<T>(asked: &mut Option<Asked<T>>) -> &mut T {
    known(&mut asked.as_mut().unwrap().answer.value)
}

/// The value of a reading that has one.
pub(super) fn known<T>(reading: &mut Reading<T>) -> &mut T {
    match reading {
        Reading::Value(value) => value,
        Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. } => panic!("there is no value"),
    }
}

impl Observations {
    pub(super) fn list(&mut self) -> &mut Vec<ListRow> {
        rows(&mut self.after.list)
    }

    pub(super) fn modes(&mut self) -> &mut Vec<StaticPartitionRow> {
        rows(&mut self.after.static_partition)
    }

    pub(super) fn sizes(&mut self) -> &mut Vec<VramRow> {
        rows(&mut self.after.memory_use)
    }

    pub(super) fn profiles(&mut self) -> &mut Vec<ProfileRow> {
        known(&mut rows(&mut self.after.partition).profiles)
    }

    pub(super) fn sysfs(&mut self) -> &mut Vec<SysfsGpu> {
        self.after.sysfs.as_mut().unwrap()
    }

    pub(super) fn render(&mut self) -> &mut Vec<RenderNode> {
        self.after.render.as_mut().unwrap()
    }

    pub(super) fn access(&mut self) -> &mut Vec<DeviceAccess> {
        self.after.access.as_mut().unwrap()
    }

    pub(super) fn driver(&mut self) -> &mut DriverFacts {
        self.after.driver.as_mut().unwrap()
    }

    pub(super) fn hip(&mut self) -> &mut Vec<HipDevice> {
        known(self.after.hip.as_mut().unwrap())
    }

    pub(super) fn kfd(&mut self) -> &mut Vec<KfdNode> {
        self.after.kfd.as_mut().unwrap()
    }

    /// Makes every GPU another part, by its PCI device id; amd-smi and the modes stay.
    pub(super) fn become_part(&mut self, id: u16) {
        self.sysfs().iter_mut().for_each(|gpu| gpu.device_id = Reading::Value(id));
        self.kfd().iter_mut().for_each(|node| node.device_id = Reading::Value(id));
    }
}
