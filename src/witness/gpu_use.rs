//! Witness GPU use: what KFD and DRM count for one process, its children included, while it lives.
//!
//! Sources: `kfd_procfs_show`, `kfd_procfs_queue_show` and `kfd_procfs_stats_show` of Linux
//! `drivers/gpu/drm/amd/amdkfd/kfd_process.c` (certain: `vram_*` in bytes, `sdma_*` in microseconds, `queues/*/type` of
//! `enum kfd_queue_type`, 0 for compute; `cu_occupancy` only where the chip tells, which gfx10 does not), and
//! `Documentation/gpu/drm-usage-stats.rst` (certain). Work of KFD's queues is no job of DRM and not in `drm-engine-*`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::{Bytes, Reading};

use super::files::{absent, start, text};
use super::tree::Tree;

const LIST: &str = "class/kfd/kfd/proc";

/// Most open files of a process that are looked at.
const FILES: usize = 512;

/// Most that is read of what the kernel says of an open file.
const FILE_LIMIT: usize = 4 << 10;

/// Most queues of a process that are looked at.
const QUEUES: usize = 256;

/// `enum kfd_queue_type`: a queue of kernels.
const COMPUTE: &str = "0";

/// Where a machine shows its processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trees {
    /// sysfs.
    pub sys: PathBuf,
    /// procfs.
    pub proc: PathBuf,
    /// Whether KFD counts processes as this process does; a container's numbers are others.
    pub same_pids: bool,
}

/// What the drivers count for a process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GpuUse {
    /// KFD's counters, by its number of the GPU.
    pub kfd: BTreeMap<u32, KfdUse>,
    /// DRM's counters, by PCI address.
    pub drm: BTreeMap<String, DrmUse>,
}

/// What KFD counts on one GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KfdUse {
    /// Device memory.
    pub vram: Bytes,
    /// Queues of kernels.
    pub compute_queues: u32,
    /// Time of the copying engines, in microseconds.
    pub sdma: u64,
    /// Compute units with waves of it; 0 too where the chip does not tell.
    pub occupied: u32,
}

/// What DRM counts on one GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DrmUse {
    /// Device memory.
    pub vram: Bytes,
    /// Time of all engines, in nanoseconds.
    pub engines: u64,
}

impl GpuUse {
    /// Whether it computed on a GPU, as far as counters tell: something ran, or there was a queue for it, and memory.
    pub fn is_work(&self) -> bool {
        let kfd = |each: &KfdUse| each.occupied > 0 || each.sdma > 0 || each.compute_queues > 0 && each.vram.0 > 0;
        self.kfd.values().any(kfd) || self.drm.values().any(|each| each.engines > 0)
    }

    /// Whether every counter is 0: not even memory, or a queue. A device may have been opened.
    pub fn is_nothing(&self) -> bool {
        self.kfd.values().all(|each| *each == KfdUse::default())
            && self.drm.values().all(|each| *each == DrmUse::default())
    }

    /// The most of both, counter by counter.
    pub fn raise(&mut self, other: &Self) {
        for (gpu, more) in &other.kfd {
            let most = self.kfd.entry(*gpu).or_default();
            most.vram = most.vram.max(more.vram);
            most.compute_queues = most.compute_queues.max(more.compute_queues);
            most.sdma = most.sdma.max(more.sdma);
            most.occupied = most.occupied.max(more.occupied);
        }
        for (gpu, more) in &other.drm {
            let most = self.drm.entry(gpu.clone()).or_default();
            most.vram = most.vram.max(more.vram);
            most.engines = most.engines.max(more.engines);
        }
    }
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Numbers that the kernel has at hand.
    AtHand,
    /// Also those for which it asks the GPU, and may wait for it: only of a process that has just shown to be alive.
    AskingTheGpu,
}

/// What is counted now for the process `leader` and those of its process group. `NotReported` where KFD has no list of
/// processes, or numbers them otherwise and DRM knows nothing of it.
pub fn read_gpu_use(trees: &Trees, leader: u32, depth: Depth) -> Reading<GpuUse> {
    let proc = Tree::open(&trees.proc).ok();
    let list = Tree::open(&trees.sys).and_then(|sys| sys.below(LIST));
    let mut found = GpuUse::default();
    let mut group = vec![leader];
    let listed = list.and_then(|list| Ok((list.names("")?, list)));
    let problem = match listed {
        Ok((names, list)) if trees.same_pids => {
            let pids = names.iter().filter_map(|name| name.parse().ok());
            let ours =
                |pid: &u32| *pid == leader || proc.as_ref().is_some_and(|proc| group_of(proc, *pid) == Some(leader));
            let mut listed = false;
            for pid in pids.filter(ours) {
                listed = true;
                kfd(&list, pid, depth, &mut found.kfd);
                if pid != leader {
                    group.push(pid);
                }
            }
            // Kernels before 5.8 list a process without its counters.
            (listed && found.kfd.is_empty()).then_some(Reading::NotReported)
        }
        Ok(_) => Some(Reading::NotReported),
        Err(error) if absent(&error.problem) => Some(Reading::NotReported),
        Err(error) => Some(Reading::malformed("", format!("cannot be read: {}", error.problem))),
    };
    if let (Depth::AskingTheGpu, Some(proc)) = (depth, &proc) {
        group.iter().for_each(|pid| drm(proc, *pid, &mut found.drm));
    }
    match problem {
        Some(problem) if found.is_nothing() => problem,
        Some(_) | None => Reading::Value(found),
    }
}

/// Whether a process is there, and more than the memory of one.
pub fn is_alive(trees: &Trees, pid: u32) -> bool {
    let stat = Tree::open(&trees.proc).map(|proc| stat(&proc, pid));
    stat.ok().flatten().is_some_and(|(state, _)| !matches!(state, 'Z' | 'X' | 'x'))
}

fn kfd(list: &Tree, pid: u32, depth: Depth, uses: &mut BTreeMap<u32, KfdUse>) {
    let number = |path: &str| text(list, path).value().and_then(|text| text.parse::<u64>().ok());
    // A process may go while its files are read: what is not there any more adds nothing.
    for name in list.names(&pid.to_string()).unwrap_or_default() {
        let Some((what, gpu)) = name.split_once('_') else { continue };
        let Ok(gpu) = gpu.parse() else { continue };
        match (what, depth) {
            ("vram", _) => {
                let most = &mut uses.entry(gpu).or_default().vram;
                most.0 = most.0.saturating_add(number(&format!("{pid}/{name}")).unwrap_or_default());
            }
            ("sdma", Depth::AskingTheGpu) => {
                let most = &mut uses.entry(gpu).or_default().sdma;
                *most = most.saturating_add(number(&format!("{pid}/{name}")).unwrap_or_default());
            }
            ("stats", Depth::AskingTheGpu) => {
                let units = number(&format!("{pid}/{name}/cu_occupancy")).unwrap_or_default();
                let most = uses.entry(gpu).or_default();
                most.occupied = most.occupied.saturating_add(u32::try_from(units).unwrap_or(u32::MAX));
            }
            _ => {}
        }
    }
    for queue in list.names(&format!("{pid}/queues")).unwrap_or_default().iter().take(QUEUES) {
        let field = |name: &str| text(list, &format!("{pid}/queues/{queue}/{name}"));
        let gpu = field("gpuid").value().and_then(|gpu| gpu.parse().ok());
        if let (Some(gpu), Some(COMPUTE)) = (gpu, field("type").value().map(String::as_str)) {
            let most = uses.entry(gpu).or_default();
            most.compute_queues = most.compute_queues.saturating_add(1);
        }
    }
}

/// A client of DRM may have several open files: each client counts once.
fn drm(proc: &Tree, pid: u32, uses: &mut BTreeMap<String, DrmUse>) {
    let folder = format!("{pid}/fdinfo");
    let mut clients = Vec::new();
    for name in proc.names(&folder).unwrap_or_default().iter().take(FILES) {
        let Some(info) = start(proc, &format!("{folder}/{name}"), FILE_LIMIT).value().map(|text| fdinfo(text)) else {
            continue;
        };
        let Some((client, gpu, used)) = info else { continue };
        if clients.contains(&(gpu.clone(), client.clone())) {
            continue;
        }
        let most = uses.entry(gpu.clone()).or_default();
        most.vram.0 = most.vram.0.saturating_add(used.vram.0);
        most.engines = most.engines.saturating_add(used.engines);
        clients.push((gpu, client));
    }
}

/// Client, PCI address and counters of an open file of amdgpu.
fn fdinfo(text: &str) -> Option<(String, String, DrmUse)> {
    let mut used = DrmUse::default();
    let (mut amdgpu, mut client, mut gpu) = (false, String::new(), None);
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match key {
            "drm-driver" => amdgpu = value == "amdgpu",
            "drm-client-id" => value.clone_into(&mut client),
            "drm-pdev" => gpu = Some(value.to_owned()),
            "drm-memory-vram" => used.vram = Bytes(bytes(value)),
            key if key.starts_with("drm-engine-") && !key.starts_with("drm-engine-capacity-") => {
                let time: u64 = value.strip_suffix("ns").and_then(|time| time.trim().parse().ok()).unwrap_or_default();
                used.engines = used.engines.saturating_add(time);
            }
            _ => {}
        }
    }
    gpu.filter(|_| amdgpu).map(|gpu| (client, gpu, used))
}

/// `64 KiB`, `1 MiB` or `17`.
fn bytes(text: &str) -> u64 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let scale = match unit.trim() {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => 1,
    };
    number.parse::<u64>().unwrap_or_default().saturating_mul(scale)
}

fn group_of(proc: &Tree, pid: u32) -> Option<u32> {
    stat(proc, pid).map(|(_, group)| group)
}

/// State and process group. The name between brackets may hold anything, brackets too.
fn stat(proc: &Tree, pid: u32) -> Option<(char, u32)> {
    let text = start(proc, &format!("{pid}/stat"), FILE_LIMIT);
    let (_, after) = text.value()?.rsplit_once(')')?;
    let mut fields = after.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests;
