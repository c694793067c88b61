//! Faults that might make a machine show what was seen.

use crate::domain::Reading;
use crate::sim::Fault;
use crate::sim::fault::{Layer, Named, PartitionFile};
use crate::topology::{Socket, sockets};
use crate::witness::{Snapshot, SysfsGpu};

/// Errnos that a partition file was seen to answer.
const ERRNOS: [&str; 6] = ["EPERM", "EACCES", "EIO", "EBUSY", "EINVAL", "ENODEV"];

/// Every fault below the tool that has no parameter, then those whose parameter the look tells.
pub fn candidates(look: &Snapshot) -> Vec<Fault> {
    let kernel = Named::ALL.iter().filter(|named| named.layer() == Layer::Kernel).map(|&named| Fault::Named(named));
    let mut all: Vec<Fault> = kernel.collect();
    let nodes: Vec<_> = sockets(look).iter().flat_map(|socket| socket.nodes.clone()).collect();
    if let Some(Reading::Value(memory)) = nodes.first().map(|node| node.memory.clone())
        && nodes.iter().all(|node| node.memory == Reading::Value(memory))
    {
        all.push(Fault::WrongMemory(memory));
    }
    if missing(look) {
        // One more than are there: the last may be the one that is missing.
        let devices = u32::try_from(nodes.len()).unwrap_or(u32::MAX).min(63);
        all.extend((0..=devices).map(Fault::MissingDevice));
    }
    let unreadable = look.sysfs.iter().flatten().any(fails);
    if unreadable {
        for file in PartitionFile::ALL {
            let errnos = ERRNOS.iter().filter_map(|errno| errno.parse().ok());
            all.extend(errnos.map(|errno| Fault::Read { file, errno }));
        }
    }
    all
}

/// Whether a partition file of a GPU cannot be read, or says nothing that can be.
fn fails(gpu: &SysfsGpu) -> bool {
    let malformed = |problem: Option<String>| problem.is_some_and(|problem| problem.starts_with("malformed"));
    let files =
        [gpu.compute.absence(), gpu.memory.absence(), gpu.available_compute.absence(), gpu.available_memory.absence()];
    files.into_iter().any(malformed)
}

/// Whether some GPU has fewer devices than another, or than its partition numbers make.
fn missing(look: &Snapshot) -> bool {
    let sockets = sockets(look);
    let most = sockets.iter().map(|socket| socket.nodes.len()).max().unwrap_or(0);
    let gap = |socket: &Socket<'_>| {
        let xccs = socket.parts().0.first().map_or(0, |part| part.xccs);
        let each = socket.nodes.first().and_then(|node| node.num_xcc.value().copied()).unwrap_or(0);
        let made = xccs.checked_div(each).and_then(|made| usize::try_from(made).ok());
        socket.nodes.len() < most || made.is_some_and(|made| socket.nodes.len() < made)
    };
    sockets.iter().any(gap)
}
