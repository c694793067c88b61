//! `/sys/class/kfd`: the compute topology.

use crate::sim::{Errno, FileAnswer, Gpu, KfdNode, Machine, View};

use super::Tree;
use super::user::LIST;

const TOPOLOGY: &str = "sys/class/kfd/kfd/topology";

/// Cores of one simulated CPU socket.
const CORES: u32 = 96;

pub(super) fn write(tree: &mut Tree, view: &View, machine: &Machine) {
    if !view.kfd {
        return;
    }
    tree.text(format!("{TOPOLOGY}/generation_id"), 2);
    tree.text(
        format!("{TOPOLOGY}/system_properties"),
        "platform_oem 4777524452235890003\nplatform_id 85015745549651\nplatform_rev 2",
    );
    processes(tree, view, machine);
    for socket in 0..view.cpu_nodes {
        let folder = node_folder(tree, socket, &Ok("0".to_owned()), b"");
        tree.text(format!("{folder}/properties"), cpu_properties(socket));
    }
    for device in &view.devices {
        let (Some(node), Some(gpu)) = (&device.node, view.gpus.get(device.gpu)) else { continue };
        let sharing = view.devices.iter().filter(|other| other.gpu == device.gpu).count();
        let gpu_id = if node.hidden { Err(Errno::EPERM) } else { Ok(node.gpu_id.to_string()) };
        let folder = node_folder(tree, node.id, &gpu_id, b"ip discovery\n");
        let sharing = u32::try_from(sharing).unwrap_or(1).max(1);
        tree.text(format!("{folder}/properties"), gpu_properties(gpu, node, sharing));
        let bank = format!("heap_type 1\nsize_in_bytes {}\nflags 0\nwidth 8192\nmem_clk_max 1300", node.memory.0);
        tree.text(format!("{folder}/mem_banks/0/properties"), bank);
    }
}

/// KFD's list of the processes that hold its device. The reference tree was made with nobody there.
fn processes(tree: &mut Tree, view: &View, machine: &Machine) {
    tree.dir(LIST);
    for client in view.clients.iter().filter(|_| !machine.quirks.reference_tree) {
        let folder = format!("{LIST}/{}", client.pid);
        tree.dir(format!("{folder}/queues"));
        tree.read_only(format!("{folder}/pasid"), 0x8000 + client.pid);
        for (gpu_id, bytes) in &client.vram {
            tree.read_only(format!("{folder}/vram_{gpu_id}"), bytes.0);
            tree.read_only(format!("{folder}/sdma_{gpu_id}"), 0);
        }
    }
}

fn node_folder(tree: &mut Tree, id: u32, gpu_id: &FileAnswer, name: &[u8]) -> String {
    let folder = format!("{TOPOLOGY}/nodes/{id}");
    tree.answer(format!("{folder}/gpu_id"), gpu_id, 0o644);
    tree.bytes(format!("{folder}/name"), name.to_vec(), 0o644);
    for part in ["mem_banks", "io_links", "p2p_links", "caches"] {
        tree.dir(format!("{folder}/{part}"));
    }
    folder
}

fn cpu_properties(socket: u32) -> String {
    format!(
        "cpu_cores_count {CORES}\nsimd_count 0\nmem_banks_count 1\ncaches_count 0\nio_links_count 0\n\
         p2p_links_count 0\ncpu_core_id_base {}\nsimd_id_base 0\nlocation_id 0\ndomain 0\ndrm_render_minor 0\n\
         unique_id 0",
        socket * CORES
    )
}

/// Counts, ids and addresses are the machine's; clocks, firmware versions and queue counts are placeholders that
/// no check reads.
fn gpu_properties(gpu: &Gpu, node: &KfdNode, sharing: u32) -> String {
    let properties: [(&str, u64); 38] = [
        ("cpu_cores_count", 0),
        ("simd_count", node.simd_count.into()),
        ("mem_banks_count", 1),
        ("caches_count", 0),
        ("io_links_count", 0),
        ("p2p_links_count", 0),
        ("cpu_core_id_base", 0),
        ("simd_id_base", 2_147_487_744 + u64::from(node.id) * 100),
        ("max_waves_per_simd", 8),
        ("lds_size_in_kb", 64),
        ("gds_size_in_kb", 0),
        ("num_gws", 64),
        ("wave_front_size", 64),
        ("array_count", (32 / sharing).into()),
        ("simd_arrays_per_engine", 1),
        ("cu_per_simd_array", 10),
        ("simd_per_cu", gpu.model.simds_per_cu.into()),
        ("max_slots_scratch_cu", 32),
        ("gfx_target_version", gpu.model.gfx_target_version.into()),
        ("vendor_id", 0x1002),
        ("device_id", gpu.device_id.into()),
        ("location_id", node.location_id.into()),
        ("domain", gpu.bdf.domain.into()),
        ("drm_render_minor", node.render_minor.into()),
        ("hive_id", node.hive_id),
        ("num_sdma_engines", 2),
        ("num_sdma_xgmi_engines", 14),
        ("num_sdma_queues_per_engine", 8),
        ("num_cp_queues", 24),
        ("max_engine_clk_fcompute", 2100),
        ("local_mem_size", 0),
        ("fw_version", 177),
        ("capability", 2_893_521_536),
        ("debug_prop", 1511),
        ("sdma_fw_version", 24),
        ("unique_id", node.unique_id),
        ("num_xcc", node.num_xcc.into()),
        ("max_engine_clk_ccompute", 2750),
    ];
    let lines = properties.iter().map(|(key, value)| format!("{key} {value}"));
    lines.collect::<Vec<_>>().join("\n")
}
