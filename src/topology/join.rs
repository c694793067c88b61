//! Which logical device each of amd-smi's indexes is: its index is an order of discovery and says nothing by itself.

use std::collections::BTreeSet;

use crate::domain::Bdf;
use crate::witness::Snapshot;
use crate::witness::amd_smi::ListRow;

use super::Socket;

/// Addresses of the devices that KFD shows, grouped by GPU in PCI order: the order in which amd-smi finds them on most
/// machines. The function digit is the partition.
pub fn kfd_devices(sockets: &[Socket<'_>]) -> Vec<Bdf> {
    sockets.iter().flat_map(|socket| &socket.nodes).filter_map(|node| node.bdf.value().copied()).collect()
}

/// The device behind each of these indexes, by what `list` says of it: its address where every device has its own, else
/// its KFD ids (older tools give every partition the address of its GPU). `None` unless all are different, each on one of
/// these GPUs: 24.x can print addresses out of memory that nobody wrote.
pub fn by_identity(look: &Snapshot, indexes: &[u32], sockets: &[Socket<'_>]) -> Option<Vec<Bdf>> {
    let rows = look.list.as_ref()?.answer.value.value()?;
    let each = |found: &dyn Fn(&ListRow) -> Option<Bdf>| {
        let device = |index: &u32| {
            let bdf = found(rows.iter().find(|row| row.gpu == *index)?)?;
            sockets.iter().any(|socket| socket.bdf == bdf.socket()).then_some(bdf)
        };
        let devices: Option<Vec<Bdf>> = indexes.iter().map(device).collect();
        devices.filter(|devices| devices.iter().collect::<BTreeSet<_>>().len() == indexes.len())
    };
    each(&|row| row.bdf.value().copied()).or_else(|| each(&|row| by_kfd_id(look, row)))
}

/// As [`by_identity`]; else by order, where as many devices are known as there are indexes.
pub fn devices(look: &Snapshot, indexes: &[u32], sockets: &[Socket<'_>], known: &[Bdf]) -> Vec<Option<Bdf>> {
    if let Some(devices) = by_identity(look, indexes, sockets) {
        return devices.into_iter().map(Some).collect();
    }
    let in_order = known.len() == indexes.len();
    indexes.iter().enumerate().map(|(at, _)| known.get(at).copied().filter(|_| in_order)).collect()
}

fn by_kfd_id(look: &Snapshot, row: &ListRow) -> Option<Bdf> {
    let id = row.kfd_id.value()?;
    let node = look.kfd.as_ref()?.iter().find(|node| node.gpu_id == *id)?;
    node.bdf.value().copied()
}
