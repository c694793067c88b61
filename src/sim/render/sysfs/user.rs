//! What the kernel shows of a process that uses a GPU: `/sys/class/kfd/kfd/proc/PID` and `/proc/PID`. The process is a
//! real one, the worker of a probe; the machine is not.

use crate::domain::Bytes;
use crate::sim::View;

/// The folder of KFD's list, below a host.
pub const LIST: &str = "sys/class/kfd/kfd/proc";

/// Files of a process with this number that has so much memory on the first GPU, and a queue for it; by path below the
/// host. Empty where the compute driver shows no GPU.
pub fn user(view: &View, pid: u32, used: Bytes) -> Vec<(String, String)> {
    let shown = |device: &&crate::sim::Device| device.node.as_ref().is_some_and(|node| !node.hidden);
    let Some(device) = view.devices.iter().find(shown).filter(|_| view.kfd) else { return Vec::new() };
    let Some(node) = &device.node else { return Vec::new() };
    let gpu_id = node.gpu_id;
    let kfd = |name: &str, value: String| (format!("{LIST}/{pid}/{name}"), format!("{value}\n"));
    vec![
        kfd("pasid", (0x8000 + pid % 0x8000).to_string()),
        kfd(&format!("vram_{gpu_id}"), used.0.to_string()),
        kfd(&format!("sdma_{gpu_id}"), "120".to_owned()),
        kfd(&format!("stats_{gpu_id}/evicted_ms"), "0".to_owned()),
        kfd("queues/0/gpuid", gpu_id.to_string()),
        kfd("queues/0/size", "4096".to_owned()),
        kfd("queues/0/type", "0".to_owned()),
    ]
}

/// `/proc/PID/stat` of a process that lives and leads its group.
pub fn alive(pid: u32) -> (String, String) {
    (format!("proc/{pid}/stat"), format!("{pid} (validate) R 1 {pid} {pid} 0 -1\n"))
}
