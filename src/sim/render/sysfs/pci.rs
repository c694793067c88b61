//! The PCI devices: identity, memory counters, partition files.

use crate::sim::{Gpu, Machine, PartitionFiles, Profile, Resource, ResourceKind, View};

use super::{Tree, gpu_metrics};

/// The bridge that every simulated GPU sits behind.
const BRIDGE: &str = "devices/pci0000:00/0000:00:01.1";

/// Folder of a GPU below `sys`.
pub(super) fn folder(gpu: &Gpu) -> String {
    format!("{BRIDGE}/{}", gpu.bdf)
}

pub(super) fn write(tree: &mut Tree, view: &View, machine: &Machine) {
    for (index, gpu) in view.gpus.iter().enumerate() {
        let below_sys = folder(gpu);
        let dir = format!("sys/{below_sys}");
        identity(tree, &dir, gpu, machine);
        memory(tree, &dir, gpu);
        link_state(tree, &dir, gpu);
        if let Some(files) = &gpu.partition {
            partition(tree, &dir, gpu, files, machine);
        }
        let sharing = view.devices.iter().filter(|device| device.gpu == index).count();
        if let Some(metrics) = &gpu.metrics {
            tree.bytes(format!("{dir}/gpu_metrics"), gpu_metrics::blob(metrics, gpu, sharing), 0o644);
        }
        tree.text(format!("{dir}/hwmon/hwmon{}/name", index + 3), "amdgpu");
        tree.link(format!("sys/bus/pci/devices/{}", gpu.bdf), format!("../../../{below_sys}"));
        tree.link(format!("sys/module/amdgpu/drivers/pci:amdgpu/{}", gpu.bdf), format!("../../../../{below_sys}"));
        tree.link(format!("{dir}/driver"), "../../../../bus/pci/drivers/amdgpu");
        if !machine.quirks.reference_tree {
            // 26.3 and later take a built-in driver for loaded by these.
            tree.link(format!("sys/bus/pci/drivers/amdgpu/{}", gpu.bdf), format!("../../../../{below_sys}"));
            hive(tree, view, index, gpu);
        }
    }
    tree.dir("sys/bus/pci/drivers/amdgpu");
}

/// The hive's folder hangs on its first GPU; the others link to it.
fn hive(tree: &mut Tree, view: &View, index: usize, gpu: &Gpu) {
    if gpu.hive_id == 0 {
        return;
    }
    let place = format!("sys/{}/xgmi_hive_info", folder(gpu));
    match view.gpus.iter().take(index).find(|other| other.hive_id == gpu.hive_id) {
        None => tree.read_only(format!("{place}/xgmi_hive_id"), gpu.hive_id),
        Some(first) => tree.link(place, format!("../{}/xgmi_hive_info", first.bdf)),
    }
}

fn identity(tree: &mut Tree, dir: &str, gpu: &Gpu, machine: &Machine) {
    // The reference tree calls every GPU an accelerator; a card with a display is one in the files too.
    let accelerator = machine.quirks.reference_tree || gpu.product_name.is_some();
    tree.text(format!("{dir}/vendor"), "0x1002");
    tree.text(format!("{dir}/device"), format_args!("0x{:04x}", gpu.device_id));
    tree.text(format!("{dir}/subsystem_vendor"), "0x1002");
    tree.text(format!("{dir}/subsystem_device"), format_args!("0x{:04x}", gpu.subsystem_device));
    tree.text(format!("{dir}/revision"), format_args!("0x{:02x}", gpu.revision));
    tree.text(format!("{dir}/class"), if accelerator { "0x120000" } else { "0x030000" });
    tree.text(format!("{dir}/numa_node"), gpu.numa_node);
    tree.text(format!("{dir}/unique_id"), format_args!("{:016x}", gpu.unique_id));
    let (device, subsystem, slot) = (gpu.device_id, gpu.subsystem_device, gpu.bdf);
    let uevent = format!(
        "DRIVER=amdgpu\nPCI_CLASS=38000\nPCI_ID=1002:{device:04X}\nPCI_SUBSYS_ID=1002:{subsystem:04X}\n\
         PCI_SLOT_NAME={slot}"
    );
    tree.text(format!("{dir}/uevent"), uevent);
    let fru =
        [("product_name", &gpu.product_name), ("product_number", &gpu.product_number), ("serial_number", &gpu.serial)];
    for (name, value) in fru {
        if let Some(value) = value {
            tree.text(format!("{dir}/{name}"), value);
        }
    }
}

fn memory(tree: &mut Tree, dir: &str, gpu: &Gpu) {
    let counters = [
        ("vram_total", gpu.vram_total),
        ("vram_used", gpu.vram_used),
        ("gtt_total", gpu.gtt_total),
        ("gtt_used", gpu.gtt_used),
        ("vis_vram_total", gpu.vram_total),
        ("vis_vram_used", gpu.vram_used),
    ];
    for (name, value) in counters {
        tree.text(format!("{dir}/mem_info_{name}"), value.0);
    }
    if let Some(vendor) = &gpu.vram_vendor {
        tree.text(format!("{dir}/mem_info_vram_vendor"), vendor);
    }
}

fn link_state(tree: &mut Tree, dir: &str, gpu: &Gpu) {
    tree.text(format!("{dir}/gpu_busy_percent"), gpu.metrics.map_or(0, |metrics| metrics.gfx_activity));
    for state in ["current", "max"] {
        tree.text(format!("{dir}/{state}_link_speed"), format_args!("{}.0 GT/s PCIe", gpu.max_link_speed));
        tree.text(format!("{dir}/{state}_link_width"), gpu.max_link_width);
    }
}

fn partition(tree: &mut Tree, dir: &str, gpu: &Gpu, files: &PartitionFiles, machine: &Machine) {
    let current = if gpu.virtual_function { 0o444 } else { 0o644 };
    tree.answer(format!("{dir}/current_compute_partition"), &files.current_compute, current);
    tree.answer(format!("{dir}/available_compute_partition"), &files.available_compute, 0o444);
    tree.answer(format!("{dir}/current_memory_partition"), &files.current_memory, current);
    tree.answer(format!("{dir}/available_memory_partition"), &files.available_memory, 0o444);
    tree.answer(format!("{dir}/compute_partition_mem_alloc_mode"), &files.mem_alloc_mode, 0o644);
    let named = |profile: &&Profile| match files.selected {
        Some(selected) => profile.mode == selected,
        None => files.current_compute.as_deref() == Ok(profile.mode.name()),
    };
    let Some(profile) = files.profiles.iter().find(named).or_else(|| files.profiles.first()) else { return };
    let config = format!("{dir}/compute_partition_config");
    let modes: Vec<_> = files.profiles.iter().map(|profile| profile.mode.name()).collect();
    tree.read_only(format!("{config}/supported_xcp_configs"), modes.join(", "));
    tree.read_only(format!("{config}/supported_nps_configs"), &profile.memory_caps);
    tree.text(format!("{config}/xcp_config"), profile.mode);
    for resource in &profile.resources {
        let (instances, shared) = shown(resource, profile, gpu, machine);
        let name = resource_folder(resource.kind);
        tree.read_only(format!("{config}/{name}/num_inst"), instances);
        tree.read_only(format!("{config}/{name}/num_shared"), shared);
    }
}

/// The driver's table, but for the JPEG engines of the reference tree: until somebody writes `xcp_config` it shares
/// out all 32 evenly.
fn shown(resource: &Resource, profile: &Profile, gpu: &Gpu, machine: &Machine) -> (u32, u32) {
    match resource.kind {
        ResourceKind::Jpeg if machine.quirks.reference_tree => (32 / profile.mode.devices(gpu.model.xccs).max(1), 1),
        ResourceKind::Jpeg | ResourceKind::Xcc | ResourceKind::Decoder | ResourceKind::Dma => {
            (resource.instances, resource.shared)
        }
    }
}

const fn resource_folder(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Xcc => "xcc",
        ResourceKind::Decoder => "dec",
        ResourceKind::Dma => "dma",
        ResourceKind::Jpeg => "jpeg",
    }
}
