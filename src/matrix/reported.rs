//! The reported cells: public reports of what ran on which chip and how it ended. Nobody here measured any of them.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// One public report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// `r1-36`: the family of chips and a number.
    pub id: String,
    /// `RDNA1`, `RDNA2`, or a control of another family.
    pub family: String,
    /// Native ISA of the chip.
    pub arch: String,
    /// The ISA that the runtime pretends to have (`HSA_OVERRIDE_GFX_VERSION`).
    pub effective_isa: String,
    /// Whether the two are the same.
    pub isa_native: bool,
    /// The board.
    pub gpu: String,
    /// Version of ROCm, where the report says it.
    pub rocm: Option<String>,
    /// Version of PyTorch.
    pub torch: Option<String>,
    /// Version of the kernel.
    pub kernel: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// What was run.
    pub operation: String,
    /// Variables, kernel parameters and changes of the stack that were in force.
    pub mitigation: Vec<String>,
    /// How it ended.
    pub outcome: ReportedOutcome,
    /// Signatures that the report shows.
    pub signature: Vec<String>,
    /// How the process ended, in the report's words.
    pub exit: Option<String>,
    /// Where the report is.
    pub source: String,
    /// When it was made.
    pub date: Option<String>,
    /// How sure it is that the report says this.
    pub confidence: String,
    /// What else is worth knowing.
    pub notes: Option<String>,
}

macro_rules! outcomes {
    ($($variant:ident $name:literal $what:literal;)+) => {
        /// How a reported run ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ReportedOutcome {
            $(#[doc = $what] #[serde(rename = $name)] $variant),+
        }

        impl ReportedOutcome {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As facts/rdna-matrix.json spells it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// In words.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what),+ }
            }
        }
    };
}

outcomes! {
    Works "works" "completed, no fault reported";
    WrongResult "wrong_result" "completed with bad numbers or images";
    Hang "hang" "no progress, killed";
    GpuHang "gpu_hang" "a hang that the driver declared (HW Exception)";
    GpuReset "gpu_reset" "amdgpu reset the GPU";
    GpuCrash "gpu_crash" "the GPU crashed, detail unknown";
    PageFault "crash_page_fault" "memory access fault, SIGABRT";
    Aperture "crash_aperture" "aperture violation, SIGABRT";
    Segfault "crash_segv" "SIGSEGV on the host";
    NoCodeForArch "error_no_code_for_arch" "invalid device function, or no binary for the chip";
    LibraryMissing "error_library_missing" "rocBLAS or hipBLASLt has no library for the chip";
    KernelBuild "error_kernel_build" "a kernel could not be compiled";
    PcieAtomics "error_pcie_atomics" "the board lacks PCIe atomics";
    SystemFreeze "system_freeze" "the host froze";
    SystemReboot "system_reboot" "the host rebooted";
    SystemCrash "system_crash" "the host crashed";
}

#[derive(Debug, Deserialize)]
struct File {
    cells: Vec<Reported>,
}

/// Every reported cell, in the order of the file.
///
/// # Panics
/// When the embedded file is not valid: a mistake in the source, which the tests find.
#[expect(clippy::panic, reason = "embedded data, read by the unit tests; nothing from outside comes here")]
pub fn reported() -> &'static [Reported] {
    static CELLS: LazyLock<Vec<Reported>> =
        LazyLock::new(|| match serde_json::from_str::<File>(include_str!("../../facts/rdna-matrix.json")) {
            Ok(file) => file.cells,
            Err(problem) => panic!("the embedded facts/rdna-matrix.json is not valid: {problem}"),
        });
    &CELLS
}

/// The cell of this id.
pub fn reported_cell(id: &str) -> Option<&'static Reported> {
    reported().iter().find(|cell| cell.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::facts::signature;

    #[test]
    fn there_are_seventy_nine_cells_each_with_a_source_and_known_signatures() {
        assert_eq!(reported().len(), 79);
        let ids: BTreeSet<&str> = reported().iter().map(|cell| cell.id.as_str()).collect();
        assert_eq!(ids.len(), 79);
        for cell in reported() {
            assert!(!cell.source.is_empty() && !cell.confidence.is_empty(), "{}", cell.id);
            assert_eq!(cell.isa_native, cell.arch == cell.effective_isa, "{}", cell.id);
            for id in &cell.signature {
                assert!(signature(id).is_some(), "{}: {id}", cell.id);
            }
        }
        let outcomes: BTreeSet<_> = reported().iter().map(|cell| cell.outcome).collect();
        assert_eq!(outcomes.len(), ReportedOutcome::ALL.len(), "an outcome without a report");
    }
}
