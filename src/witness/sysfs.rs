//! Witness sysfs: partition files of each GPU that the driver holds.

use std::path::Path;

use super::SysfsGpu;

/// Every AMD GPU below a sysfs root (`/sys`, or `HOST/sys`), by PCI address.
pub fn read_sysfs(_root: &Path) -> Vec<SysfsGpu> {
    todo!()
}
