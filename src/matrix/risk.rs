//! In which order cells run: what is likely to take the machine down runs last.

use std::fmt;

use crate::probe::ProbeSpec;
use crate::tuning::effective_isa;

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
    /// The report is of the same computation in the same setting, and not of one like it.
    pub same: bool,
}

/// How near a report is to a cell, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    /// The same computation in the same setting.
    Same,
    /// Another shape in the same setting, and how far away: none that was reported is nearer in size.
    Shape(u32),
    /// Another shape in another setting, in which code for the same ISA runs.
    Isa,
}

impl Expected {
    /// Of a cell that plays a report.
    pub fn of(report: Option<&'static Reported>) -> Self {
        Self { risk: report.map_or(Risk::None, |report| report.outcome.into()), report, same: true }
    }
}

/// What was reported of the cells nearest to one: the same operation, direction and format on the same chip or one of its
/// family, with code for the same ISA. The same computation in the same setting counts before other shapes, of which the
/// nearest in size counts, and those before other settings. Of equally near ones the worst counts. `arch` is the native ISA;
/// without one every chip counts. What was seen with a patched stack or kernel was seen there only.
pub fn expected(cell: &Cell, arch: Option<&str>) -> Expected {
    let alike = reproductions().iter().filter_map(|each| {
        let report = reported_cell(&each.id)?;
        match &each.how {
            How::Played(play) => Some((near(cell, play, report, arch)?, report)),
            How::NotRepresentable { .. } => None,
        }
    });
    let alike: Vec<(Near, &'static Reported)> = alike.collect();
    let Some(nearest) = alike.iter().map(|(near, _)| *near).min() else {
        return Expected { risk: Risk::None, report: None, same: false };
    };
    let nearest_ones = alike.iter().filter(|(near, _)| *near == nearest).map(|(_, report)| *report);
    let worst = nearest_ones.max_by_key(|report| Risk::from(report.outcome));
    Expected { same: nearest == Near::Same, ..Expected::of(worst) }
}

fn near(cell: &Cell, play: &Play, report: &Reported, arch: Option<&str>) -> Option<Near> {
    let chip = arch.is_none_or(|arch| same_family(arch, &report.arch));
    let native = arch.unwrap_or(&report.arch);
    let runs_as = effective_isa(&cell.setting.env, None).unwrap_or_else(|| native.to_owned());
    let isa = report.effective_isa.split('/').any(|isa| same_family(isa, &runs_as));
    let kind = operation(&play.probe) == cell.operation()
        && dtype(&play.probe) == dtype(&cell.probe)
        && direction(&play.probe) == direction(&cell.probe);
    if !chip || !isa || !kind || play.patched.is_some() {
        return None;
    }
    let setting = play.env == cell.setting.env && play.kernel == cell.setting.kernel;
    Some(match setting {
        true if play.probe.id() == cell.probe.id() => Near::Same,
        true => Near::Shape(side(&play.probe).abs_diff(side(&cell.probe))),
        false => Near::Isa,
    })
}

/// `forward`, where a computation has a direction.
fn direction(probe: &ProbeSpec) -> Option<String> {
    let id = probe.id();
    let last = id.rsplit('/').next()?;
    (last == "forward" || last.starts_with("backward")).then(|| last.to_owned())
}

/// The last side of its first tensor, by its name: 44 of `1x16x44x44`.
fn side(probe: &ProbeSpec) -> u32 {
    let id = probe.id();
    let shape = id.split('/').nth(2).unwrap_or_default();
    shape.rsplit('x').next().and_then(|side| side.parse().ok()).unwrap_or(0)
}

/// gfx1010 to gfx1013 are one family, gfx1030 to gfx1036 another: all but the last digit is the same.
pub fn same_family(left: &str, right: &str) -> bool {
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
    fn the_risk_of_a_cell_is_what_was_reported_of_those_nearest_to_it() {
        let conv = |dtype: &str, side: u32| format!("conv2d/{dtype}/1x16x{side}x{side}/32x3x3/s1p1d1g1/forward");
        let (as_gfx1030, as_gfx1100) = ("HSA_OVERRIDE_GFX_VERSION=10.3.0", "HSA_OVERRIDE_GFX_VERSION=11.0.0");
        let gemm_only = "HSA_OVERRIDE_GFX_VERSION=10.3.0 MIOPEN_DEBUG_CONV_IMPLICIT_GEMM=0 MIOPEN_DEBUG_CONV_WINOGRAD=0 \
                         MIOPEN_DEBUG_CONV_DIRECT=0 MIOPEN_DEBUG_CONV_FFT=0";
        for (probe, arch, env, risk, report, same) in [
            // The setting counts: natively it is reported to work.
            (conv("f16", 44), Some("gfx1010"), "", Risk::None, Some("r1-15"), false),
            (conv("f16", 44), Some("gfx1012"), as_gfx1100, Risk::ResetsGpu, Some("r1-13"), false),
            (conv("f32", 44), Some("gfx90a"), "", Risk::Dies, Some("x-01"), false),
            // So does the shape.
            (conv("f32", 44), Some("gfx1010"), gemm_only, Risk::Hangs, Some("r1-36"), true),
            (conv("f32", 44), Some("gfx1010"), as_gfx1030, Risk::Hangs, Some("r1-38"), true),
            (conv("f32", 48), Some("gfx1010"), as_gfx1030, Risk::Hangs, Some("r1-38"), false),
            // Nothing on an unpatched machine was reported to take it down.
            (conv("f32", 32), Some("gfx1010"), as_gfx1030, Risk::Hangs, Some("r1-34"), true),
            (conv("f32", 32), Some("gfx1010"), "", Risk::None, Some("r1-22"), true),
            // Another setting for the same ISA: the worst counts.
            (conv("f32", 32), Some("gfx1010"), "HSA_OVERRIDE_GFX_VERSION=10.3.0 TEA=1", Risk::Hangs, None, false),
            ("matmul/f32/64x64x64".to_owned(), Some("gfx1010"), "", Risk::Errors, Some("r1-14"), true),
            ("softmax/f32/64x64".to_owned(), Some("gfx1010"), "", Risk::None, None, false),
            (conv("f16", 44), Some("gfx942"), "", Risk::None, None, false),
        ] {
            let env = env.split_whitespace().map(|word| word.split_once('=').unwrap());
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let cell = Cell { setting: Setting { env, ..Setting::none() }, ..cell(&probe) };
            let found = expected(&cell, arch);
            let id = found.report.map(|report| report.id.as_str());
            assert_eq!((found.risk, found.same), (risk, same), "{} {arch:?}: {id:?}", cell.id());
            assert!(report.is_none_or(|report| Some(report) == id) || risk == Risk::None, "{} {id:?}", cell.id());
        }
    }

    #[test]
    fn what_may_take_the_machine_down_runs_last_and_reboots_are_few() {
        let kernel = |probe: &str, value: &str| {
            let kernel = [("amdgpu.noretry".to_owned(), value.to_owned())].into();
            Cell { setting: Setting { name: format!("noretry={value}"), kernel, ..Setting::none() }, ..cell(probe) }
        };
        let conv16 = "conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward";
        let spoofed = |mut cell: Cell| {
            cell.setting.env = [("HSA_OVERRIDE_GFX_VERSION".to_owned(), "11.0.0".to_owned())].into();
            cell
        };
        let cells = vec![
            kernel("softmax/f32/8x8", "0"),
            spoofed(cell(conv16)),
            kernel("softmax/f32/8x8", "1"),
            spoofed(kernel(conv16, "0")),
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
