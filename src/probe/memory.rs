//! What a worker found when it used memory, held against what the operation asks for and what the machine says it has.
//!
//! A device gives out what it reports and no more (`CAPPING`, and every driver that has no such mode), or as much as the
//! memory partition holds that it shares with others (`ALL`); what it reports is the same either way
//! (facts/partitions.md 3.5). A size is as the machine says it when it is within the tolerance of facts/partitions.md 3.6:
//! the whole GPU's memory on a partition is not.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::judgement::worst;
use super::protocol::MemoryReport;
use super::spec::Memory;
use crate::domain::{AllocMode, Bytes, Status};
use crate::facts::nominal_tolerance;

/// What is known of a device's memory by others than the worker that uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// What the kernel gives the device; `None` where nobody can tell.
    pub memory: Option<Bytes>,
    /// Whether it is held to that; `None` where the driver has no such mode, and holds it.
    pub mode: Option<AllocMode>,
}

/// What came of judging a use of memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "memory", rename_all = "kebab-case")]
pub enum MemoryUse {
    /// It went as it must.
    Right {
        /// What was found.
        report: MemoryReport,
    },
    /// It did not.
    Wrong {
        /// How; at least one.
        problems: Vec<Problem>,
        /// What was found.
        report: MemoryReport,
    },
}

/// One way to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "kebab-case")]
pub enum Problem {
    /// Memory does not hold what was written to it.
    PatternBroken {
        /// Bytes that came back otherwise.
        mismatches: u64,
        /// Of so many.
        checked: Bytes,
    },
    /// The data of the device beside it was changed.
    NeighbourChanged {
        /// Bytes that came back otherwise.
        mismatches: u64,
        /// Of so many.
        checked: Bytes,
    },
    /// The data of the device beside it was to be looked at, and was not.
    NeighbourUnchecked,
    /// Less was allocated than the share that was asked for.
    FellShort {
        /// What was allocated.
        allocated: Bytes,
        /// What was asked for.
        wanted: Bytes,
        /// In the runtime's words, where it refused.
        refused: Option<String>,
    },
    /// An allocation was refused long before the device's memory was used up.
    RefusedEarly {
        /// What was allocated.
        allocated: Bytes,
        /// What the device has.
        limit: Bytes,
        /// In the runtime's words.
        refused: String,
    },
    /// More than there is was granted.
    NotRefused {
        /// What was allocated.
        allocated: Bytes,
        /// What the device has.
        limit: Bytes,
    },
    /// The device gave out more than it is held to.
    PastLimit {
        /// What was allocated.
        allocated: Bytes,
        /// What it is held to.
        limit: Bytes,
    },
    /// The runtime reports another size than the machine gives the device.
    OtherTotal {
        /// The runtime's.
        total: Bytes,
        /// The machine's.
        capacity: Bytes,
    },
    /// Less was read back than was to be.
    CheckedLess {
        /// What was read back.
        checked: Bytes,
        /// What was to be.
        wanted: Bytes,
    },
    /// The report contradicts itself: nothing is known of the device.
    Impossible {
        /// How.
        what: String,
    },
}

/// Parts of the whole that one block may be, in which a ladder climbs and a limit is looked for.
const BLOCKS: u64 = 64;

/// Checks of a churn: each 64th allocation, at least.
const CHURN_CHECKS: u64 = 64;

/// Share of a device's memory, in percent, that nothing but a lack may refuse. Of an idle device 95 % are free
/// (facts/partitions.md 3.6); a runtime takes some for itself.
const FREE: u64 = 90;

/// Judges a use of memory.
pub fn judge(operation: &Memory, report: &MemoryReport, known: &Capacity) -> MemoryUse {
    let report = report.clone();
    if let Some(what) = impossible(operation, &report) {
        return MemoryUse::Wrong { problems: vec![Problem::Impossible { what }], report };
    }
    let mut problems = data(&report);
    problems.extend(
        known
            .memory
            .filter(|capacity| is_other(report.total, *capacity))
            .map(|capacity| Problem::OtherTotal { total: report.total, capacity }),
    );
    let held = Held { limit: known.memory.unwrap_or(report.total), firmly: known.mode != Some(AllocMode::All) };
    match operation {
        &Memory::Ladder { percent } => {
            problems.extend(filled(percent, &report, held));
            // What could not be allocated any more may have cost the last block, for the room to compare.
            let spared = if report.refused.is_some() { report.total.0 / BLOCKS } else { 0 };
            let (checked, wanted) = (report.checked, Bytes(report.allocated.0.saturating_sub(spared)));
            problems.extend((checked < wanted).then_some(Problem::CheckedLess { checked, wanted }));
        }
        &Memory::Isolation { percent } => {
            problems.extend(filled(percent, &report, held));
            let seen = report.neighbour.is_some_and(|neighbour| neighbour.checked > Bytes(0));
            problems.extend((!seen).then_some(Problem::NeighbourUnchecked));
        }
        &Memory::Churn { bytes, times } => {
            let checks = (u64::from(times) / CHURN_CHECKS).max(1);
            problems.extend(granted(bytes, bytes.0.saturating_mul(checks), &report));
        }
        &Memory::Copy { bytes, .. } => problems.extend(granted(bytes, bytes.0, &report)),
        Memory::OutOfMemory => {
            let refused = report.refused.is_some() || !held.firmly;
            let (allocated, limit) = (report.allocated, held.limit);
            problems.extend((!refused).then_some(Problem::NotRefused { allocated, limit }));
        }
        Memory::PastLimit => problems.extend(grown(&report, held)),
    }
    if problems.is_empty() { MemoryUse::Right { report } } else { MemoryUse::Wrong { problems, report } }
}

/// What a device may give out.
#[derive(Debug, Clone, Copy)]
struct Held {
    limit: Bytes,
    /// Whether more is a fault.
    firmly: bool,
}

fn is_other(total: Bytes, capacity: Bytes) -> bool {
    total.0.abs_diff(capacity.0) > nominal_tolerance(capacity).0
}

/// What cannot be, whatever the device does.
fn impossible(operation: &Memory, report: &MemoryReport) -> Option<String> {
    let MemoryReport { total, free: _, allocated, checked, mismatches, refused, neighbour, copying: _ } = report;
    let at_once = match operation {
        Memory::Churn { .. } | Memory::Copy { .. } => false,
        Memory::Ladder { .. } | Memory::OutOfMemory | Memory::Isolation { .. } | Memory::PastLimit => true,
    };
    if *total == Bytes(0) {
        Some("a device without memory".to_owned())
    } else if *mismatches > checked.0 {
        Some(format!("{mismatches} bytes that came back otherwise, of {} that were read back", checked.0))
    } else if at_once && checked > allocated {
        Some(format!("{checked} read back of {allocated} that were allocated"))
    } else if refused.as_ref().is_some_and(|text| text.trim().is_empty()) {
        Some("a refusal without a word".to_owned())
    } else {
        let beyond = neighbour.filter(|neighbour| neighbour.mismatches > neighbour.checked.0)?;
        let (mismatches, checked) = (beyond.mismatches, beyond.checked.0);
        Some(format!("{mismatches} bytes of the neighbour that came back otherwise, of {checked} that were read back"))
    }
}

/// Data that is not what was written.
fn data(report: &MemoryReport) -> Vec<Problem> {
    let own = (report.mismatches > 0)
        .then_some(Problem::PatternBroken { mismatches: report.mismatches, checked: report.checked });
    let beside = report
        .neighbour
        .filter(|neighbour| neighbour.mismatches > 0)
        .map(|neighbour| Problem::NeighbourChanged { mismatches: neighbour.mismatches, checked: neighbour.checked });
    own.into_iter().chain(beside).collect()
}

/// Of a share of the memory that is filled.
fn filled(percent: u8, report: &MemoryReport, held: Held) -> Vec<Problem> {
    let wanted = share(report.total, percent.into());
    let allocated = report.allocated;
    let mut problems = Vec::new();
    if allocated.0 < wanted.0.saturating_sub(report.total.0 / BLOCKS) {
        problems.push(Problem::FellShort { allocated, wanted, refused: report.refused.clone() });
    }
    if held.firmly && allocated > held.limit {
        problems.push(Problem::PastLimit { allocated, limit: held.limit });
    }
    problems
}

/// Of allocations of one size, of which so many bytes are read back.
fn granted(size: Bytes, read_back: u64, report: &MemoryReport) -> Vec<Problem> {
    let (allocated, checked, wanted) = (report.allocated, report.checked, Bytes(read_back));
    match &report.refused {
        Some(refused) => {
            vec![Problem::RefusedEarly { allocated, limit: report.total, refused: refused.clone() }]
        }
        None if allocated < size => vec![Problem::FellShort { allocated, wanted: size, refused: None }],
        None if checked < wanted => vec![Problem::CheckedLess { checked, wanted }],
        None => Vec::new(),
    }
}

/// Of growth until the device refuses.
fn grown(report: &MemoryReport, held: Held) -> Vec<Problem> {
    let (allocated, limit) = (report.allocated, held.limit);
    let mut problems = Vec::new();
    if allocated > Bytes(0) && report.checked == Bytes(0) {
        problems.push(Problem::CheckedLess { checked: report.checked, wanted: Bytes(report.total.0 / BLOCKS) });
    }
    if !held.firmly {
        // The others may have taken any part of what they share.
        return problems;
    }
    match &report.refused {
        _ if allocated > limit => problems.push(Problem::PastLimit { allocated, limit }),
        None => problems.push(Problem::NotRefused { allocated, limit }),
        Some(refused) if allocated < share(limit, FREE) => {
            problems.push(Problem::RefusedEarly { allocated, limit, refused: refused.clone() });
        }
        Some(_) => {}
    }
    problems
}

fn share(of: Bytes, percent: u64) -> Bytes {
    // At most 100 percent of 64 bits: it fits.
    Bytes(u64::try_from(u128::from(of.0) * u128::from(percent) / 100).unwrap_or(u64::MAX))
}

impl MemoryUse {
    /// The status of a probe whose memory was used like this; `None` where that was right.
    pub fn failing(&self) -> Option<Status> {
        match self {
            Self::Right { .. } => None,
            Self::Wrong { problems, .. } => worst(problems.iter().map(Problem::failing).collect()),
        }
    }
}

impl Problem {
    /// What it makes of a probe. Of a worker that contradicts itself, or did not look, nothing follows for the device.
    fn failing(&self) -> Status {
        match self {
            Self::PatternBroken { .. } | Self::NeighbourChanged { .. } => Status::NumericError,
            Self::FellShort { .. }
            | Self::RefusedEarly { .. }
            | Self::NotRefused { .. }
            | Self::PastLimit { .. }
            | Self::OtherTotal { .. } => Status::Fail,
            Self::NeighbourUnchecked | Self::CheckedLess { .. } | Self::Impossible { .. } => {
                Status::Error { problem: self.to_string() }
            }
        }
    }
}

impl fmt::Display for MemoryUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right { report } => {
                let MemoryReport { total, allocated, checked, refused, neighbour, copying, .. } = report;
                write!(f, "memory is right: {allocated} of {total} allocated, {checked} read back as written")?;
                if let Some(neighbour) = neighbour {
                    write!(f, ", {} of the neighbour intact", neighbour.checked)?;
                }
                if *copying > 0 {
                    let rate = checked.0 as f64 / *copying as f64;
                    write!(f, ", copied at {rate:.1} GB/s")?;
                }
                refused.iter().try_for_each(|text| write!(f, "; then refused: {}", first_line(text)))
            }
            Self::Wrong { problems, .. } => {
                let problems: Vec<_> = problems.iter().map(Problem::to_string).collect();
                write!(f, "memory is wrong: {}", problems.join("; "))
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PatternBroken { mismatches, checked } => {
                write!(f, "{mismatches} bytes of {checked} do not hold what was written to them")
            }
            Self::NeighbourChanged { mismatches, checked } => {
                write!(f, "{mismatches} bytes of {checked} of the neighbouring device were changed")
            }
            Self::NeighbourUnchecked => f.write_str("the neighbouring device's data was not looked at"),
            Self::FellShort { allocated, wanted, refused } => {
                write!(f, "{allocated} allocated where {wanted} were asked for")?;
                refused.iter().try_for_each(|text| write!(f, " ({})", first_line(text)))
            }
            Self::RefusedEarly { allocated, limit, refused } => {
                write!(f, "refused after {allocated} of {limit} ({})", first_line(refused))
            }
            Self::NotRefused { allocated, limit } => {
                write!(f, "{allocated} granted where there are {limit}, and nothing refused")
            }
            Self::PastLimit { allocated, limit } => {
                write!(f, "{allocated} granted on a device that is held to {limit}")
            }
            Self::OtherTotal { total, capacity } => {
                write!(f, "the runtime reports {total} where the machine gives the device {capacity}")
            }
            Self::CheckedLess { checked, wanted } => write!(f, "{checked} read back where {wanted} were to be"),
            Self::Impossible { what } => write!(f, "a report that cannot be: {what}"),
        }
    }
}

/// What a runtime says may be a page.
fn first_line(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests;
