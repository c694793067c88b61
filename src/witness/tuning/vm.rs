//! The line that the driver logs for each GPU when it is loaded: the geometry of its page tables, as it really is.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::Reading;

/// Begins a load of the driver: lines before it are of an earlier one.
const LOADED: &str = "amdgpu kernel modesetting enabled";

/// `vm size is 262144 GB, 4 levels, block size is 9-bit, fragment size is 9-bit`. Source: facts/rdna.md section 3,
/// `amdgpu_vm_adjust_size`.
#[allow(clippy::expect_used)]
static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"vm size is (\d+) GB, (\d+) levels, block size is (\d+)-bit, fragment size is (\d+)-bit")
        .expect("a constant pattern")
});

/// Page tables of one GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VmLine {
    /// Address space of a process, in GiB (the log says GB).
    pub size_gib: u64,
    /// Levels of the table.
    pub levels: u32,
    /// Bits of a block.
    pub block_bits: u32,
    /// Bits of a fragment: 4 KiB x 2^bits.
    pub fragment_bits: u32,
}

/// Of a kernel log in any format, the lines of the last load. `NotReported`: it holds none, as after the ring moved on.
pub fn read_vm_lines(log: Result<Vec<u8>, String>) -> Reading<Vec<VmLine>> {
    let bytes = match log {
        Ok(bytes) => bytes,
        Err(problem) => return Reading::malformed("", format!("the kernel log cannot be read: {problem}")),
    };
    let text = String::from_utf8_lossy(&bytes);
    let start = text.rfind(LOADED).unwrap_or(0);
    let lines: Vec<VmLine> = LINE
        .captures_iter(&text[start..])
        .filter_map(|found| {
            Some(VmLine {
                size_gib: found[1].parse().ok()?,
                levels: found[2].parse().ok()?,
                block_bits: found[3].parse().ok()?,
                fragment_bits: found[4].parse().ok()?,
            })
        })
        .collect();
    if lines.is_empty() { Reading::NotReported } else { Reading::Value(lines) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_load_counts_in_any_format_of_the_log() {
        let log = "[    3.1] [drm] amdgpu kernel modesetting enabled.\n\
                   [    4.0] [drm] vm size is 256 GB, 2 levels, block size is 10-bit, fragment size is 4-bit\n\
                   6,900,90000,-;[drm] amdgpu kernel modesetting enabled.\n\
                   6,901,90001,-;amdgpu 0000:0c:00.0: amdgpu: vm size is 262144 GB, 4 levels, block size is 9-bit, fragment size is 9-bit\n";
        let line = VmLine { size_gib: 262_144, levels: 4, block_bits: 9, fragment_bits: 9 };
        assert_eq!(read_vm_lines(Ok(log.into())), Reading::Value(vec![line]));
    }

    #[test]
    fn a_log_without_the_line_or_that_cannot_be_read_gives_no_geometry() {
        for log in [
            "",
            "amdgpu: fragment size is 9-bit",
            "vm size is 99999999999999999999 GB, 4 levels, block size is 9-bit, fragment size is 9-bit",
        ] {
            assert_eq!(read_vm_lines(Ok(log.into())), Reading::NotReported, "{log}");
        }
        let refused = read_vm_lines(Err("Operation not permitted".to_owned()));
        assert!(refused.absence().unwrap().contains("not permitted"));
    }
}
