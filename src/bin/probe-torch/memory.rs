//! Uses of a device's memory: blocks are tensors of 32-bit integers, written with a pattern that is another one at every
//! place, and compared on the device that they lie on. The part for GPUs was never run.
#![expect(clippy::disallowed_methods, reason = "copies on the CPU are timed, and the machine says what memory it has")]

use std::io;
use std::time::Instant;

use rocvet::domain::Bytes;
use rocvet::probe::protocol::{MemoryReport, Neighbour, Outcome, Raised};
use rocvet::probe::spec::{CopyPath, Memory};
use tch::{Cuda, Device, Kind, TchError, Tensor};

use crate::caught::{caught, words};
use crate::fork;
use crate::runtime::Runtime;

/// Where a probe runs.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// libtorch's name of it.
    pub device: Device,
    /// What drives it; `None` for the CPU.
    pub runtime: Option<Runtime>,
    /// GPUs that are there.
    pub devices: u32,
}

/// Bytes that are written and compared at once: what the comparison itself needs beside a block stays small.
const PIECE: u64 = 32 << 20;

/// The smallest block of a ladder.
const FIRST: u64 = 1 << 20;

/// A ladder's largest block is this part of the memory.
const LARGEST: u64 = 32;

/// Allocations past a limit are this part of the memory each.
const STEP: u64 = 64;

/// What is written to a neighbour.
const NEIGHBOUR: u64 = 64 << 20;

/// Of repeated allocations every so many-th is checked.
const CHECKED: u32 = 64;

/// Makes libtorch ask the driver for every allocation and give it back: it caches freed memory otherwise, and a probe would
/// test the cache. Before libtorch allocates.
///
/// # Errors
/// This process has other threads already.
pub fn without_cache() -> io::Result<()> {
    fork::set("PYTORCH_NO_CUDA_MEMORY_CACHING", "1")?;
    fork::set("PYTORCH_NO_HIP_MEMORY_CACHING", "1")
}

/// Bytes of device memory that the driver counts for this process, as KFD says; `None` for another driver.
pub fn driver_counts() -> Option<u64> {
    let folder = format!("/sys/class/kfd/kfd/proc/{}", std::process::id());
    let counts = std::fs::read_dir(folder).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let is_count = entry.file_name().to_string_lossy().starts_with("vram_");
        is_count.then(|| std::fs::read_to_string(entry.path()).ok()?.trim().parse::<u64>().ok()).flatten()
    });
    Some(counts.sum())
}

/// Does it once.
///
/// # Errors
/// libtorch's; a refusal that belongs to the operation is a part of the report.
pub fn run(operation: &Memory, place: Place) -> Result<Outcome, TchError> {
    let (free, total) = free_and_total(place);
    let mut report = MemoryReport { free: free.map(Bytes), ..MemoryReport::begun(Bytes(total)) };
    match operation {
        // What the host has it lends to everybody: to fill it would take others down and show nothing of a GPU.
        Memory::Ladder { .. } | Memory::OutOfMemory | Memory::Isolation { .. } | Memory::PastLimit
            if place.runtime.is_none() =>
        {
            return Ok(unsupported("fills a GPU's memory, and this is the CPU"));
        }
        Memory::Copy { path: CopyPath::HostToDevice | CopyPath::DeviceToHost, .. } if place.runtime.is_none() => {
            return Ok(unsupported("copies between host and GPU, and this is the CPU"));
        }
        Memory::Isolation { .. } if place.devices < 2 => return Ok(unsupported("needs two devices")),
        Memory::Ladder { percent } => fill(place.device, total, *percent, &mut report)?,
        Memory::Churn { bytes, times } => churn(place.device, bytes.0, *times, &mut report)?,
        Memory::OutOfMemory => match block(place.device, total.saturating_mul(2)) {
            Ok(_) => report.allocated = Bytes(total.saturating_mul(2)),
            Err(error) => report.refused = Some(refusal(error)?),
        },
        Memory::Isolation { percent } => {
            let beside = written(Device::Cuda(1), NEIGHBOUR, 0)?;
            fill(place.device, total, *percent, &mut report)?;
            report.neighbour = Some(neighbour(&beside)?);
        }
        Memory::PastLimit => {
            let beside = if place.devices > 1 { Some(written(Device::Cuda(1), NEIGHBOUR, 0)?) } else { None };
            past_limit(place.device, total, &mut report)?;
            report.neighbour = beside.as_ref().map(neighbour).transpose()?;
        }
        Memory::Copy { bytes, path } => copy(place, bytes.0, *path, &mut report)?,
    }
    Ok(Outcome::Memory(report))
}

fn unsupported(text: &str) -> Outcome {
    Outcome::Raised { kind: Raised::Unsupported, text: text.to_owned() }
}

/// What is free of the device's memory, and all of it; of the host's, all of it.
fn free_and_total(place: Place) -> (Option<u64>, u64) {
    match place.runtime {
        Some(runtime) => runtime.memory(0).map_or((None, 0), |(free, total)| (Some(free), total)),
        None => {
            let text = std::fs::read_to_string("/proc/meminfo").ok();
            (None, text.and_then(|text| host_memory(&text)).unwrap_or(0))
        }
    }
}

/// `MemTotal:  24689764 kB`.
fn host_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The words of an allocation that was refused.
///
/// # Errors
/// It was something else.
fn refusal(error: TchError) -> Result<String, TchError> {
    let text = words(&error);
    if text.contains("out of memory") || text.contains("can't allocate memory") {
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    Err(error)
}

/// A block of at least so many bytes, with nothing written to it.
fn block(device: Device, bytes: u64) -> Result<Tensor, TchError> {
    Tensor::f_empty([length(bytes)], (Kind::Int, device))
}

/// How many 32-bit integers so many bytes take.
fn length(bytes: u64) -> i64 {
    i64::try_from(bytes.div_ceil(4)).unwrap_or(i64::MAX)
}

/// What a piece is written with: element `i` is `(i + seed) * -1640531535` in 32 bits that wrap, so that neither a piece in
/// another's place nor one that moved within itself looks right.
fn pattern(device: Device, length: i64, seed: i64) -> Result<Tensor, TchError> {
    const ODD: i64 = -1_640_531_535;
    Tensor::f_arange_start(seed, seed + length, (Kind::Int, device))?.f_mul_scalar_(ODD)
}

/// Each piece of a block with its own seed; `number` is the block's.
fn pieces(block: &Tensor, number: u32) -> Result<Vec<(Tensor, i64)>, TchError> {
    let (all, step) = (block.size()[0], length(PIECE));
    let mut found = Vec::new();
    let mut from = 0;
    while from < all {
        let length = step.min(all - from);
        // Below 2^31 together with the length of a piece.
        let seed = (from / step + i64::from(number) * 131) % 100_000 * 11_003;
        found.push((block.f_narrow(0, from, length)?, seed));
        from += length;
    }
    Ok(found)
}

fn write(block: &Tensor, number: u32) -> Result<(), TchError> {
    for (mut piece, seed) in pieces(block, number)? {
        let pattern = pattern(block.device(), piece.size()[0], seed)?;
        piece.f_copy_(&pattern)?;
    }
    Ok(())
}

/// Bytes that are not as they were written.
fn mismatches(block: &Tensor, number: u32) -> Result<u64, TchError> {
    let mut wrong = 0;
    for (piece, seed) in pieces(block, number)? {
        let pattern = pattern(block.device(), piece.size()[0], seed)?;
        let differs = piece.f_view_dtype(Kind::Uint8)?.f_ne_tensor(&pattern.f_view_dtype(Kind::Uint8)?)?;
        wrong += u64::try_from(differs.f_sum(Kind::Int64)?.f_int64_value(&[])?).unwrap_or(0);
    }
    Ok(wrong)
}

fn written(device: Device, bytes: u64, number: u32) -> Result<Tensor, TchError> {
    caught(|| {
        let made = block(device, bytes)?;
        write(&made, number)?;
        Ok(made)
    })
}

fn size(block: &Tensor) -> u64 {
    u64::try_from(block.size()[0]).unwrap_or(0) * 4
}

fn check(block: &Tensor, number: u32, report: &mut MemoryReport) -> Result<(), TchError> {
    report.mismatches += mismatches(block, number)?;
    report.checked.0 += size(block);
    Ok(())
}

fn neighbour(block: &Tensor) -> Result<Neighbour, TchError> {
    Ok(Neighbour { checked: Bytes(size(block)), mismatches: mismatches(block, 0)? })
}

/// Allocates blocks of growing size up to this share, writes each, and then checks all of them.
fn fill(device: Device, total: u64, percent: u8, report: &mut MemoryReport) -> Result<(), TchError> {
    let wanted = total / 100 * u64::from(percent);
    let mut blocks = Vec::new();
    let mut next = FIRST;
    while report.allocated.0 < wanted {
        // The last is as large as what is missing, so that the share is met and not passed.
        let bytes = next.min(wanted - report.allocated.0).max(4);
        match written(device, bytes, u32::try_from(blocks.len()).unwrap_or(u32::MAX)) {
            Ok(made) => {
                report.allocated.0 += size(&made);
                blocks.push(made);
            }
            Err(error) => {
                report.refused = Some(refusal(error)?);
                // So that there is room for the comparison.
                if let Some(last) = blocks.pop() {
                    drop::<Tensor>(last);
                }
                break;
            }
        }
        next = (next * 2).min((total / LARGEST).max(FIRST));
    }
    blocks.iter().zip(0..).try_for_each(|(block, number)| check(block, number, report))
}

fn churn(device: Device, bytes: u64, times: u32, report: &mut MemoryReport) -> Result<(), TchError> {
    for number in 0..times {
        let made = written(device, bytes, number)?;
        report.allocated = Bytes(size(&made).max(report.allocated.0));
        if number % CHECKED == 0 {
            check(&made, number, report)?;
        }
    }
    Ok(())
}

/// Allocates until it is refused, or twice the memory is there, and checks the first and the last.
fn past_limit(device: Device, total: u64, report: &mut MemoryReport) -> Result<(), TchError> {
    let mut blocks: Vec<Tensor> = Vec::new();
    while report.allocated.0 < total.saturating_mul(2) {
        match written(device, (total / STEP).max(FIRST), u32::try_from(blocks.len()).unwrap_or(u32::MAX)) {
            Ok(made) => {
                report.allocated.0 += size(&made);
                blocks.push(made);
            }
            Err(error) => {
                report.refused = Some(refusal(error)?);
                break;
            }
        }
    }
    let last = blocks.len().saturating_sub(1);
    // So that there is room for the comparison.
    let ends: Vec<(u32, Tensor)> = (0..).zip(blocks).filter(|(at, _)| [0, last].contains(&(*at as usize))).collect();
    ends.iter().try_for_each(|(number, block)| check(block, *number, report))
}

fn copy(place: Place, bytes: u64, path: CopyPath, report: &mut MemoryReport) -> Result<(), TchError> {
    let (from, to) = match path {
        CopyPath::HostToDevice => (Device::Cpu, place.device),
        CopyPath::DeviceToHost => (place.device, Device::Cpu),
        CopyPath::DeviceToDevice => (place.device, place.device),
    };
    let source = written(from, bytes, 0)?;
    // Other numbers, so that a copy that did nothing shows.
    let mut target = written(to, bytes, 1)?;
    wait(place);
    let start = Instant::now();
    target.f_copy_(&source)?;
    wait(place);
    report.copying = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
    report.allocated = Bytes(size(&source) + size(&target));
    check(&target, 0, report)
}

/// Until the device is done.
fn wait(place: Place) {
    if place.runtime.is_some() {
        Cuda::synchronize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: Place = Place { device: Device::Cpu, runtime: None, devices: 0 };

    fn report(operation: &Memory) -> MemoryReport {
        match run(operation, CPU).unwrap() {
            Outcome::Memory(report) => report,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_block_that_was_written_is_as_it_was_written_and_a_changed_byte_shows() {
        // More than one piece, and the last one short.
        let block = written(Device::Cpu, PIECE + 4004, 3).unwrap();
        assert_eq!(mismatches(&block, 3).unwrap(), 0);
        assert!(mismatches(&block, 4).unwrap() > PIECE / 2, "another block's pattern is another one");
        for at in [0, length(PIECE) - 1, length(PIECE) + 7] {
            let mut one = block.narrow(0, at, 1);
            let before = one.int64_value(&[0]);
            let _ = one.fill_(before ^ 0x0100);
            assert_eq!(mismatches(&block, 3).unwrap(), 1);
            let _ = one.fill_(before);
        }
    }

    #[test]
    fn a_fill_meets_its_share_and_checks_all_of_it() {
        let mut found = report(&Memory::Churn { bytes: Bytes(64), times: 1 });
        (found.allocated, found.checked) = (Bytes(0), Bytes(0));
        fill(Device::Cpu, 200 << 20, 50, &mut found).unwrap();
        assert_eq!((found.allocated, found.checked), (Bytes(100 << 20), Bytes(100 << 20)));
        assert_eq!((found.mismatches, found.refused), (0, None));
    }

    #[test]
    fn churn_and_copies_are_checked_and_what_would_fill_the_host_is_not_done() {
        let churned = report(&Memory::Churn { bytes: Bytes(4096), times: 200 });
        assert_eq!((churned.allocated, churned.checked, churned.mismatches), (Bytes(4096), Bytes(4 * 4096), 0));
        let copied = report(&Memory::Copy { bytes: Bytes(1 << 20), path: CopyPath::DeviceToDevice });
        assert_eq!((copied.checked, copied.mismatches), (Bytes(1 << 20), 0));
        assert!(copied.copying > 0 && copied.total.0 > 1 << 20);
        for operation in [
            Memory::Ladder { percent: 90 },
            Memory::OutOfMemory,
            Memory::PastLimit,
            Memory::Isolation { percent: 50 },
            Memory::Copy { bytes: Bytes(64), path: CopyPath::HostToDevice },
        ] {
            let outcome = run(&operation, CPU).unwrap();
            assert!(matches!(outcome, Outcome::Raised { kind: Raised::Unsupported, .. }), "{outcome:?}");
        }
    }

    #[test]
    fn an_allocation_that_nobody_can_give_is_a_refusal_and_nothing_else_is() {
        let refused = block(Device::Cpu, 1 << 60).unwrap_err();
        assert!(refusal(refused).unwrap().contains("allocate memory"));
        assert!(refusal(TchError::Torch("illegal memory access".to_owned())).is_err());
        assert_eq!(host_memory("MemTotal:       24689764 kB\n"), Some(24_689_764 * 1024));
    }
}
