//! Uses of memory, as every engine with a device does them, on the memory of a simulated machine.

use super::vram::{Allocated, Vram};
use crate::domain::Bytes;
use crate::probe::protocol::{MemoryReport, Neighbour, Outcome, Raised};
use crate::probe::spec::Memory;
use crate::sim::fault::MemoryFault;

/// What is written to the neighbour before the first device is filled.
const BESIDE: Bytes = Bytes(64 << 20);

/// Parts of the memory that the largest block of a growth is.
const PARTS: u64 = 64;

/// Of how many allocations of a churn one is read back.
const EACH: u32 = 64;

/// Uses the memory once, and gives all of it back.
pub fn use_memory(vram: &mut Vram, operation: &Memory, fault: Option<MemoryFault>) -> Outcome {
    if vram.count() == 0 {
        return unsupported("uses of memory need a GPU");
    }
    let total = vram.total();
    let mut report = MemoryReport { free: Some(vram.free_now()), ..MemoryReport::begun(total) };
    match operation {
        &Memory::Ladder { percent } => {
            let blocks = grow(vram, share(total, percent), None, &mut report);
            check(vram, &blocks, &mut report);
        }
        &Memory::Isolation { percent } => {
            let Some(beside) = beside(vram) else { return unsupported("isolation needs two devices") };
            let blocks = grow(vram, share(total, percent), None, &mut report);
            check(vram, &blocks, &mut report);
            report.neighbour = Some(look_at(vram, beside));
        }
        Memory::PastLimit => {
            let beside = beside(vram);
            let each = Bytes(total.0 / PARTS);
            let blocks = grow(vram, Bytes(total.0.saturating_mul(2)), Some(each), &mut report);
            let ends: Vec<_> = blocks.first().into_iter().chain(blocks.last()).copied().collect();
            check(vram, &ends[..blocks.len().min(2)], &mut report);
            report.neighbour = beside.map(|beside| look_at(vram, beside));
        }
        Memory::OutOfMemory => match vram.allocate(0, Bytes(total.0.saturating_mul(2))) {
            Ok(_) => report.allocated = vram.taken(),
            Err(text) => report.refused = Some(text),
        },
        &Memory::Churn { bytes, times } => {
            for turn in 0..times {
                if !once(vram, bytes, turn.is_multiple_of(EACH), &mut report) {
                    break;
                }
            }
        }
        &Memory::Copy { bytes, .. } => {
            once(vram, bytes, true, &mut report);
        }
    }
    vram.free_all();
    if fault == Some(MemoryFault::GarbledReport) {
        report.mismatches = u64::MAX;
    }
    Outcome::Memory(report)
}

fn unsupported(text: &str) -> Outcome {
    Outcome::Raised { kind: Raised::Unsupported, text: text.to_owned() }
}

fn share(total: Bytes, percent: u8) -> Bytes {
    Bytes(total.0 / 100 * u64::from(percent))
}

/// Takes blocks of the first device and writes to each until it has so much or refuses: of this size, or of growing ones.
fn grow(vram: &mut Vram, wanted: Bytes, each: Option<Bytes>, report: &mut MemoryReport) -> Vec<Allocated> {
    let largest = report.total.0 / PARTS;
    let mut blocks = Vec::new();
    while vram.taken() < wanted {
        let taken = vram.taken().0;
        let next = each.map_or((taken / 8).clamp(1 << 20, largest.max(1 << 20)), |each| each.0.max(1));
        match vram.allocate(0, Bytes(next.min(wanted.0 - taken))) {
            Ok(block) => {
                vram.write(block);
                blocks.push(block);
            }
            Err(text) => {
                report.refused = Some(text);
                break;
            }
        }
    }
    report.allocated = vram.taken();
    blocks
}

/// Reads blocks back.
fn check(vram: &Vram, blocks: &[Allocated], report: &mut MemoryReport) {
    for &block in blocks {
        report.checked.0 += vram.size(block).0;
        report.mismatches += vram.mismatches(block);
    }
}

/// Takes, writes and frees one block; false where the device refuses it.
fn once(vram: &mut Vram, bytes: Bytes, checked: bool, report: &mut MemoryReport) -> bool {
    match vram.allocate(0, bytes) {
        Ok(block) => {
            vram.write(block);
            report.allocated = report.allocated.max(vram.taken());
            if checked {
                check(vram, &[block], report);
            }
            vram.free(block);
            true
        }
        Err(text) => {
            report.refused = Some(text);
            false
        }
    }
}

/// Data on the second device, where there is one.
fn beside(vram: &mut Vram) -> Option<Allocated> {
    let block = vram.allocate(1, BESIDE).ok()?;
    vram.write(block);
    Some(block)
}

fn look_at(vram: &Vram, block: Allocated) -> Neighbour {
    Neighbour { checked: vram.size(block), mismatches: vram.mismatches(block) }
}
