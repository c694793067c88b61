//! Physical GPUs, put together from sysfs and KFD: the ground that checks, doctor and partition plans stand on.
//!
//! Grouped by PCI address, not by `unique_id` (its meaning changes with ROCm 7) and not by amd-smi's index
//! (facts/partitions.md section 9).

use std::collections::BTreeMap;

use crate::domain::{Bdf, ComputeMode, MemoryMode, Reading};
use crate::facts::{self, Part};
use crate::witness::{KfdNode, Snapshot, SysfsGpu};

/// One physical GPU.
pub struct Socket<'a> {
    /// Address of the physical function.
    pub bdf: Bdf,
    /// What sysfs shows of it.
    pub sysfs: Option<&'a SysfsGpu>,
    /// Its KFD nodes, by partition.
    pub nodes: Vec<&'a KfdNode>,
}

impl Socket<'_> {
    /// Name for reports.
    pub fn name(&self) -> String {
        format!("GPU {}", self.bdf)
    }

    /// PCI device id, from sysfs, else from KFD.
    pub fn device_id(&self) -> Option<u16> {
        let from_sysfs = self.sysfs.and_then(|gpu| gpu.device_id.value().copied());
        from_sysfs.or_else(|| self.nodes.iter().find_map(|node| node.device_id.value().copied()))
    }

    /// Parts with this device id (two RDNA cards may share one), and whether it is the id of a virtual function.
    pub fn parts(&self) -> (Vec<&'static Part>, bool) {
        let Some(id) = self.device_id() else { return (Vec::new(), false) };
        let physical: Vec<_> = facts::parts().iter().filter(|part| part.pci_ids.contains(&id)).collect();
        if !physical.is_empty() {
            return (physical, false);
        }
        let guests: Vec<_> = facts::parts().iter().filter(|part| part.vf_pci_ids.contains(&id)).collect();
        let virtual_function = !guests.is_empty();
        (guests, virtual_function)
    }

    /// Compute mode by sysfs. A part that cannot be partitioned is one device, as in SPX.
    pub fn compute(&self) -> Reading<ComputeMode> {
        self.sysfs.map_or(Reading::NotReported, |gpu| self.or_by_design(&gpu.compute, ComputeMode::Spx))
    }

    /// Memory mode by sysfs. A part that cannot be partitioned has one memory partition, as in NPS1.
    pub fn memory(&self) -> Reading<MemoryMode> {
        self.sysfs.map_or(Reading::NotReported, |gpu| self.or_by_design(&gpu.memory, MemoryMode::Nps1))
    }

    /// A file that is absent by design means the one mode that the part has.
    fn or_by_design<T: Copy>(&self, reading: &Reading<T>, only: T) -> Reading<T> {
        let absent = matches!(reading, Reading::NotReported);
        if absent && self.unpartitionable() { Reading::Value(only) } else { reading.as_ref().map(|mode| *mode) }
    }

    /// The driver that holds this GPU for guests: there all witnesses see it, here sysfs alone (facts/partitions.md
    /// section 6).
    pub fn holder(&self) -> Option<&str> {
        let driver = self.sysfs?.driver.value()?;
        (driver != "amdgpu" && self.nodes.is_empty()).then_some(driver)
    }

    /// Every part it can be has no partition files by design.
    pub fn unpartitionable(&self) -> bool {
        let (parts, _) = self.parts();
        !parts.is_empty() && parts.iter().all(|part| !part.partitionable)
    }
}

/// The sockets that this machine has for itself, in PCI order.
pub fn own_sockets(look: &Snapshot) -> Vec<Socket<'_>> {
    sockets(look).into_iter().filter(|socket| socket.holder().is_none()).collect()
}

/// All sockets of a look, in PCI order.
pub fn sockets(look: &Snapshot) -> Vec<Socket<'_>> {
    let mut by_address: BTreeMap<Bdf, Socket<'_>> = BTreeMap::new();
    for gpu in look.sysfs.iter().flatten() {
        by_address
            .entry(gpu.bdf.socket())
            .or_insert_with(|| Socket { bdf: gpu.bdf.socket(), sysfs: None, nodes: Vec::new() })
            .sysfs = Some(gpu);
    }
    for node in look.kfd.iter().flatten() {
        if let Some(bdf) = node.bdf.value() {
            by_address
                .entry(bdf.socket())
                .or_insert_with(|| Socket { bdf: bdf.socket(), sysfs: None, nodes: Vec::new() })
                .nodes
                .push(node);
        }
    }
    let mut all: Vec<_> = by_address.into_values().collect();
    for socket in &mut all {
        socket.nodes.sort_by_key(|node| node.bdf.value().map(|bdf| bdf.function));
    }
    all
}
