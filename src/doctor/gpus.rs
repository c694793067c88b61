//! The GPUs of a machine, one line each.

use serde::Serialize;

use crate::domain::{AllocMode, Bdf, Bytes, ComputeMode, MemoryMode, Reading};
use crate::topology::Socket;

/// One physical GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpuSummary {
    /// Address of the physical function.
    pub bdf: Bdf,
    /// Parts with its PCI id: two cards may share one. Empty where none is known.
    pub parts: Vec<String>,
    /// Native ISA of the part.
    pub gfx: Option<String>,
    /// PCI device id.
    pub device_id: Reading<u16>,
    /// Whether that is the id of a virtual function.
    pub virtual_function: bool,
    /// Compute mode in force.
    pub compute: Reading<ComputeMode>,
    /// Memory mode in force.
    pub memory: Reading<MemoryMode>,
    /// How much of its memory partition a device may allocate.
    pub alloc_mode: Reading<AllocMode>,
    /// Logical devices that KFD shows.
    pub devices: usize,
    /// Logical devices that the mode makes of this part; absent where either is not known.
    pub expected_devices: Option<usize>,
    /// Memory of its devices together, by KFD; absent where one cannot be read.
    pub memory_total: Option<Bytes>,
    /// The driver that holds it.
    pub driver: Reading<String>,
}

impl GpuSummary {
    /// Of a socket.
    pub(super) fn of(socket: &Socket<'_>) -> Self {
        let (parts, virtual_function) = socket.parts();
        let compute = socket.compute_in_force();
        let sizes = socket.nodes.iter().map(|node| node.memory.value().map(|bytes| bytes.0));
        let total: Option<u64> = sizes.sum();
        // A guest sees the devices of its function, and not those that the mode makes of the part.
        let part = parts.first().filter(|_| !virtual_function);
        let expected = part.and_then(|part| Some(compute.value()?.devices(part.xccs)));
        Self {
            bdf: socket.bdf,
            parts: parts.iter().map(|part| part.id.clone()).collect(),
            gfx: parts.first().map(|part| part.gfx.clone()),
            device_id: socket.device_id().map_or(Reading::NotReported, Reading::Value),
            virtual_function,
            compute,
            memory: socket.memory_in_force(),
            alloc_mode: socket.sysfs.map_or(Reading::NotReported, |gpu| gpu.alloc_mode.clone()),
            devices: socket.nodes.len(),
            expected_devices: expected.and_then(|devices| usize::try_from(devices).ok()),
            memory_total: total.filter(|_| !socket.nodes.is_empty()).map(Bytes),
            driver: socket.sysfs.map_or(Reading::NotReported, |gpu| gpu.driver.clone()),
        }
    }

    /// What it is called: `MI300X`, `RX 6800 XT or RX 6900 XT`, `unknown part`.
    pub fn name(&self) -> String {
        match (self.parts.as_slice(), self.virtual_function) {
            ([], _) => "unknown part".to_owned(),
            (parts, false) => parts.join(" or "),
            (parts, true) => format!("virtual function of {}", parts.join(" or ")),
        }
    }
}
