//! In which order cells run: what is likely to take the machine down runs last.

use std::fmt;

use super::cell::{Cell, dtype, operation};
use super::reported::{Reported, ReportedOutcome, reported_cell};
use super::reproduction::{How, Play, reproductions};

/// What was reported of cells like one, from the harmless to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Nothing bad.
    None,
    /// An error, or wrong numbers: the process lives or ends by itself.
    Errors,
    /// The process dies.
    Dies,
    /// It hangs, and is stopped.
    Hangs,
    /// The GPU is reset, and whoever uses it with it.
    ResetsGpu,
    /// The machine goes down.
    TakesMachine,
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none reported",
            Self::Errors => "errors",
            Self::Dies => "dies",
            Self::Hangs => "hangs",
            Self::ResetsGpu => "resets the GPU",
            Self::TakesMachine => "takes the machine down",
        })
    }
}

impl From<ReportedOutcome> for Risk {
    fn from(outcome: ReportedOutcome) -> Self {
        match outcome {
            ReportedOutcome::Works => Self::None,
            ReportedOutcome::WrongResult
            | ReportedOutcome::NoCodeForArch
            | ReportedOutcome::LibraryMissing
            | ReportedOutcome::KernelBuild
            | ReportedOutcome::PcieAtomics => Self::Errors,
            ReportedOutcome::PageFault | ReportedOutcome::Aperture | ReportedOutcome::Segfault => Self::Dies,
            ReportedOutcome::Hang => Self::Hangs,
            ReportedOutcome::GpuHang | ReportedOutcome::GpuReset | ReportedOutcome::GpuCrash => Self::ResetsGpu,
            ReportedOutcome::SystemFreeze | ReportedOutcome::SystemReboot | ReportedOutcome::SystemCrash => {
                Self::TakesMachine
            }
        }
    }
}

/// What may happen in a cell on a chip, and the report that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// How bad it can get.
    pub risk: Risk,
    /// The worst report of a cell like it, where there is one.
    pub report: Option<&'static Reported>,
}

/// The worst that was reported of the same operation in the same format on the same chip, or on a chip of its family.
/// `arch` is the native ISA; without one every report counts.
pub fn expected(cell: &Cell, arch: Option<&str>) -> Expected {
    let alike = reproductions().iter().filter_map(|each| {
        let report = reported_cell(&each.id)?;
        match &each.how {
            How::Played(play) if like(cell, play) && arch.is_none_or(|arch| same_family(arch, &report.arch)) => {
                Some(report)
            }
            How::Played(_) | How::NotRepresentable { .. } => None,
        }
    });
    let worst = alike.max_by_key(|report| Risk::from(report.outcome));
    Expected { risk: worst.map_or(Risk::None, |report| report.outcome.into()), report: worst }
}

fn like(cell: &Cell, play: &Play) -> bool {
    operation(&play.probe) == cell.operation() && dtype(&play.probe) == dtype(&cell.probe)
}

/// gfx1010 to gfx1013 are one family, gfx1030 to gfx1036 another: all but the last digit is the same.
fn same_family(left: &str, right: &str) -> bool {
    let stem = |arch: &str| arch.get(..arch.len().saturating_sub(1)).unwrap_or_default().to_owned();
    stem(left) == stem(right)
}

/// The cells in the order in which they are to run: those that need another kernel command line after the others and
/// together, as each such group costs a reboot; the harmless first; else as they were.
pub fn ordered(mut cells: Vec<Cell>, arch: Option<&str>) -> Vec<(Cell, Expected)> {
    cells.sort_by_cached_key(|cell| (cell.setting.kernel.clone(), expected(cell, arch).risk));
    cells.into_iter().map(|cell| (expected(&cell, arch), cell)).map(|(expected, cell)| (cell, expected)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::setting::Setting;

    fn cell(probe: &str) -> Cell {
        let (class, worker) = ("c".to_owned(), "torch".to_owned());
        Cell { probe: probe.parse().unwrap(), class, setting: Setting::none(), worker }
    }

    #[test]
    fn the_risk_of_a_cell_is_the_worst_that_was_reported_of_one_like_it() {
        let conv16 = "conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward";
        for (probe, arch, risk, report) in [
            (conv16, Some("gfx1010"), Risk::ResetsGpu, Some("r1-13")),
            (conv16, Some("gfx1012"), Risk::ResetsGpu, Some("r1-13")),
            ("conv2d/f32/1x16x44x44/32x3x3/s1p1d1g1/forward", Some("gfx90a"), Risk::Dies, Some("x-01")),
            ("matmul/f32/64x64x64", Some("gfx1010"), Risk::Errors, Some("r1-14")),
            ("softmax/f32/64x64", Some("gfx1010"), Risk::None, None),
            (conv16, Some("gfx942"), Risk::None, None),
        ] {
            let found = expected(&cell(probe), arch);
            assert_eq!((found.risk, found.report.map(|report| report.id.as_str())), (risk, report), "{probe} {arch:?}");
        }
    }

    #[test]
    fn what_may_take_the_machine_down_runs_last_and_reboots_are_few() {
        let kernel = |probe: &str, value: &str| {
            let kernel = [("amdgpu.noretry".to_owned(), value.to_owned())].into();
            Cell { setting: Setting { name: format!("noretry={value}"), kernel, ..Setting::none() }, ..cell(probe) }
        };
        let conv16 = "conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward";
        let cells = vec![
            kernel("softmax/f32/8x8", "0"),
            cell(conv16),
            kernel("softmax/f32/8x8", "1"),
            kernel(conv16, "0"),
            cell("matmul/f32/64x64x64"),
            cell("softmax/f32/8x8"),
        ];
        let order: Vec<String> = ordered(cells, Some("gfx1010")).iter().map(|(cell, _)| cell.id()).collect();
        assert_eq!(
            order,
            [
                "softmax/f32/8x8::none::torch",
                "matmul/f32/64x64x64::none::torch",
                "conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward::none::torch",
                "softmax/f32/8x8::noretry=0::torch",
                "conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward::noretry=0::torch",
                "softmax/f32/8x8::noretry=1::torch",
            ]
        );
    }
}
