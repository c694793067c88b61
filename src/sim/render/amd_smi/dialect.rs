//! What differs between tool generations, as data.
//!
//! A dialect holds from its first tool version up to the next row's. Rows without transcripts of the real tool copy
//! their nearest verified neighbour and change only what a fact or a capture states; they are [`Evidence::Unverified`].

use crate::domain::ToolVersion;

/// How sure the text of a dialect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Compared byte for byte with the real tool over the reference tree.
    Bytes,
    /// Follows facts and captures only.
    Unverified,
}

/// One rule that a dialect changes against the row before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What is different.
    pub rule: &'static str,
    /// Where that is known from.
    pub source: &'static str,
}

/// What the tool says of partitions other than the first of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secondaries {
    /// The first partition's modes and the whole GPU's memory.
    AsPrimary,
    /// N/A for all but the total memory.
    NotApplicable,
}

/// How `partition` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionCommand {
    /// There is no such subcommand.
    Absent,
    /// 24.7: one document for each section, `GPU_ID` 13 wide, no resources.
    Separate {
        /// What stands in place of the profile that could not be read: 0 in 24.7.0, N/A in 24.7.1.
        unreadable: Unreadable,
    },
    /// 25.x: the tables of 26.x, one document for each, and the legend in every format.
    Several,
    /// 26.0 and later: one JSON object.
    Combined,
}

/// What 24.7 prints for an accelerator profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// The number 0.
    Zero,
    /// N/A.
    NotApplicable,
}

/// What `static --asic` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsicKeys {
    /// `subsystem_id`.
    pub subsystem: bool,
    /// `chip_rev_id`, `external_rev_id`, `physical_acc_id`.
    pub revisions: bool,
    /// `num_compute_units`, `target_graphics_version`.
    pub target: bool,
    /// Width of `rev_id`: `0x0` or `0x00`.
    pub revision_digits: usize,
    /// Reads sysfs and KFD where DRM does not answer; later generations give N/A throughout.
    pub without_drm: bool,
}

/// What `static --vram` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VramKeys {
    /// `bit_width`.
    pub bit_width: bool,
    /// `bit_width` when it is not known: 4294967295 in 24.7, N/A later.
    pub bit_width_unknown: Option<u64>,
    /// `max_bandwidth`.
    pub max_bandwidth: bool,
    /// Reads sysfs where DRM does not answer.
    pub without_drm: bool,
}

/// What `version` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionKeys {
    /// Tool, library (four numbers) and ROCm.
    Three,
    /// And the amdgpu and HSMP drivers, each where asked for, under this label.
    Drivers {
        /// What stands before the HSMP driver's version in text.
        hsmp_label: &'static str,
        /// What stands in place of the amdgpu version when it cannot be read.
        unreadable: &'static str,
    },
    /// And the NIC driver; JSON and CSV always have all keys.
    Nic,
}

/// The rules of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// First tool version that follows it.
    pub from: ToolVersion,
    /// How sure it is.
    pub evidence: Evidence,
    /// What changed against the row before.
    pub changes: &'static [Change],
    /// `version`.
    pub version: VersionKeys,
    /// `list` has `kfd_id`, `node_id`, `partition_id`; `static -p` has `partition_id`.
    pub partition_ids: bool,
    /// `list -e` has `oam_id`, `physical_acc_id`.
    pub enumeration_oam: bool,
    /// `list -e` finds the render node and card of secondaries.
    pub enumeration_of_secondaries: bool,
    /// The second byte of a UUID is the partition number instead of 0xff.
    pub uuid_with_partition: bool,
    /// BDF and UUID come from uninitialised memory when render nodes cannot be opened.
    pub needs_drm_for_identity: bool,
    /// Function digit of the BDF is the partition number.
    pub bdf_with_partition: bool,
    /// JSON of `static` and `metric` lies in `{"gpu_data": [...]}`.
    pub gpu_data: bool,
    /// Key of the compute mode in `static -p`.
    pub compute_key: &'static str,
    /// `static -p` has `compute_partition_mem_alloc_mode`.
    pub mem_alloc_mode: bool,
    /// Modes of secondaries.
    pub secondaries: Secondaries,
    /// Memory of secondaries.
    pub secondary_memory: Secondaries,
    /// `partition`.
    pub partition: PartitionCommand,
    /// A GPU without memory partition capabilities has an empty cell in place of N/A.
    pub empty_caps: bool,
    /// The current mode is N/A where `compute_partition_config` is absent.
    pub mode_needs_config: bool,
    /// `static --asic`.
    pub asic: AsicKeys,
    /// Name of the VBIOS section.
    pub vbios_key: &'static str,
    /// `static --bus` has `pcie_levels`.
    pub pcie_levels: bool,
    /// `static --bus` reads the link, from `gpu_metrics`, without DRM; otherwise it complains on stdout.
    pub bus_without_drm: bool,
    /// `static --driver`: what stands for name and version when DRM does not answer.
    pub driver_unreadable: &'static str,
    /// `static --driver` has `os_kernel_version`.
    pub driver_kernel: bool,
    /// `static --board` has the product number, and tells primaries from secondaries.
    pub board_from_fru: bool,
    /// `static --board`: `manufacturer_name` when the PCI id database gives none.
    pub manufacturer: &'static str,
    /// `static --vram`.
    pub vram: VramKeys,
    /// The bare command prints the table of 27.x: one line for each version, and power without a limit.
    pub wide_default_table: bool,
    /// `static` without a flag dies in its power limits, which only DRM could give.
    pub static_dies_without_drm: bool,
    /// Every start of the tool reads the compute mode of every GPU, and reports a failure on stderr.
    pub reads_modes_at_start: bool,
}

/// Known bugs of the tool that can be switched on in any dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bugs {
    /// Every partition shows its whole GPU's memory (ROCm#4750).
    pub whole_gpu_memory: bool,
    /// Every partition but the first of a GPU shows N/A (ROCm/amdsmi#100).
    pub secondaries_na: bool,
    /// All partitions of a GPU show the same UUID (facts/amd-smi.md section 4, 16).
    pub uuid_shared: bool,
}

const V24_5: Dialect = Dialect {
    from: ToolVersion::new(24, 0, 0),
    evidence: Evidence::Bytes,
    changes: &[Change { rule: "the first row", source: "transcripts of 24.5.2 over the reference tree" }],
    version: VersionKeys::Three,
    partition_ids: false,
    enumeration_oam: false,
    enumeration_of_secondaries: false,
    uuid_with_partition: false,
    needs_drm_for_identity: true,
    bdf_with_partition: false,
    gpu_data: false,
    compute_key: "compute_partition",
    mem_alloc_mode: false,
    secondaries: Secondaries::AsPrimary,
    secondary_memory: Secondaries::AsPrimary,
    partition: PartitionCommand::Absent,
    empty_caps: false,
    mode_needs_config: false,
    asic: AsicKeys { subsystem: false, revisions: false, target: false, revision_digits: 1, without_drm: true },
    vbios_key: "vbios",
    pcie_levels: false,
    bus_without_drm: false,
    driver_unreadable: "",
    driver_kernel: false,
    board_from_fru: false,
    manufacturer: "N/A",
    vram: VramKeys { bit_width: false, bit_width_unknown: None, max_bandwidth: false, without_drm: true },
    wide_default_table: false,
    static_dies_without_drm: true,
    reads_modes_at_start: true,
};

const V24_6: Dialect = Dialect {
    from: ToolVersion::new(24, 6, 0),
    evidence: Evidence::Unverified,
    changes: &[Change { rule: "rev_id has two digits", source: "capture mi300x-24.6-static-head" }],
    asic: AsicKeys { revision_digits: 2, ..V24_5.asic },
    ..V24_5
};

const V24_7: Dialect = Dialect {
    from: ToolVersion::new(24, 7, 0),
    evidence: Evidence::Bytes,
    changes: &[Change {
        rule: "KFD, node and partition ids; subsystem, compute units, target; bit width; `partition`",
        source: "transcripts of 24.7.0 over the reference tree",
    }],
    partition_ids: true,
    partition: PartitionCommand::Separate { unreadable: Unreadable::Zero },
    static_dies_without_drm: false,
    asic: AsicKeys { subsystem: true, target: true, ..V24_6.asic },
    manufacturer: "0x1002",
    vram: VramKeys { bit_width: true, bit_width_unknown: Some(0xffff_ffff), ..V24_6.vram },
    ..V24_6
};

const V24_7_1: Dialect = Dialect {
    from: ToolVersion::new(24, 7, 1),
    evidence: Evidence::Unverified,
    changes: &[Change {
        rule: "an unreadable accelerator profile is N/A, with num_partitions 0",
        source: "capture mi300a-24.7.1_rocm6.3.3-partition",
    }],
    partition: PartitionCommand::Separate { unreadable: Unreadable::NotApplicable },
    ..V24_7
};

const V25_3: Dialect = Dialect {
    from: ToolVersion::new(25, 0, 0),
    evidence: Evidence::Unverified,
    changes: &[
        Change {
            rule: "amdgpu and HSMP driver versions, `-g`, `-c`",
            source: "capture mi300a-25.3.0_rocm6.4.0-version",
        },
        Change { rule: "function digit of the BDF is the partition number", source: "facts/amd-smi.md section 4, 17" },
        Change {
            rule: "`partition` in full, several JSON documents, then the legend",
            source: "facts/amd-smi.md 2.1 (ROCm/rocm-systems#667)",
        },
        Change {
            rule: "`list -e`; secondaries without render node and card",
            source: "capture mi300x_cpx-25.4_rocm6.4.1-list-e-before-and-after",
        },
        Change {
            rule: "secondaries show their GPU's modes",
            source: "captures mi300x_cpx_nps1-6.4.0-partition-current, mi300x-25.3.0-static-partition-cpx-nps4",
        },
        Change { rule: "an APU's memory capabilities are an empty cell", source: "facts/amd-smi.md 2.2" },
        Change { rule: "`max_bandwidth`; unknown widths are N/A", source: "facts/amd-smi.md 2.1" },
    ],
    version: VersionKeys::Drivers { hsmp_label: "amd_hsmp version", unreadable: "N/A" },
    needs_drm_for_identity: false,
    bdf_with_partition: true,
    partition: PartitionCommand::Several,
    empty_caps: true,
    vram: VramKeys { bit_width: true, bit_width_unknown: None, max_bandwidth: true, without_drm: true },
    driver_unreadable: "N/A",
    bus_without_drm: true,
    board_from_fru: true,
    reads_modes_at_start: false,
    ..V24_7_1
};

const V25_4: Dialect = Dialect {
    from: ToolVersion::new(25, 4, 0),
    evidence: Evidence::Unverified,
    changes: &[
        Change {
            rule: "secondaries are N/A but for their own total memory",
            source: "facts/amd-smi.md section 4, 4 and 6",
        },
        Change {
            rule: "`list -e` finds render node and card of secondaries",
            source: "capture mi300x_cpx-25.4_rocm6.4.1-list-e-before-and-after",
        },
        Change { rule: "memory capabilities are N/A, not empty", source: "facts/amd-smi.md 2.2 names 6.4.0 only" },
    ],
    enumeration_of_secondaries: true,
    secondaries: Secondaries::NotApplicable,
    secondary_memory: Secondaries::NotApplicable,
    empty_caps: false,
    ..V25_3
};

const V25_5: Dialect = Dialect {
    from: ToolVersion::new(25, 5, 0),
    evidence: Evidence::Unverified,
    changes: &[
        Change { rule: "compute_partition is called accelerator_partition", source: "facts/amd-smi.md 1.2" },
        Change {
            rule: "secondaries stay N/A, although one capture shows them with their GPU's profiles",
            source: "facts/amd-smi.md section 4, 4, against mi300x_dpx_nps1-rocm6.4.3-partition-accelerator",
        },
    ],
    compute_key: "accelerator_partition",
    ..V25_4
};

const V26_0: Dialect = Dialect {
    from: ToolVersion::new(26, 0, 0),
    evidence: Evidence::Unverified,
    changes: &[
        Change { rule: "`gpu_data`; one JSON object for `partition`", source: "facts/amd-smi.md 2.1" },
        Change { rule: "the bare command prints a table", source: "capture mi300x_8gpu-26.0.0_rocm7.0.0-default" },
        Change { rule: "asic and vram come from DRM alone", source: "nearest verified dialect, 26.2" },
    ],
    gpu_data: true,
    partition: PartitionCommand::Combined,
    mode_needs_config: true,
    asic: AsicKeys { without_drm: false, ..V25_5.asic },
    vram: VramKeys { without_drm: false, ..V25_5.vram },
    ..V25_5
};

const V26_1: Dialect = Dialect {
    from: ToolVersion::new(26, 1, 0),
    evidence: Evidence::Unverified,
    changes: &[Change { rule: "vbios is called ifwi", source: "facts/amd-smi.md 2.1" }],
    vbios_key: "ifwi",
    ..V26_0
};

const V26_2: Dialect = Dialect {
    from: ToolVersion::new(26, 2, 0),
    evidence: Evidence::Bytes,
    changes: &[Change {
        rule: "`pcie_levels`; `hsmp version`; an error text in place of the amdgpu version",
        source: "transcripts of 26.2.1 over the reference tree",
    }],
    version: VersionKeys::Drivers {
        hsmp_label: "hsmp version",
        unreadable: "AMDSMI_STATUS_FILE_ERROR - Error opening file",
    },
    pcie_levels: true,
    ..V26_1
};

const V26_4: Dialect = Dialect {
    from: ToolVersion::new(26, 3, 0),
    evidence: Evidence::Unverified,
    changes: &[Change { rule: "none that a query shows", source: "facts/amd-smi.md 1.2" }],
    ..V26_2
};

const V27_0: Dialect = Dialect {
    from: ToolVersion::new(27, 0, 0),
    evidence: Evidence::Unverified,
    changes: &[Change { rule: "as 27.1", source: "facts/amd-smi.md 2.1 (27.x)" }],
    ..V27_1
};

const V27_1: Dialect = Dialect {
    from: ToolVersion::new(27, 1, 0),
    evidence: Evidence::Bytes,
    changes: &[Change {
        rule: "NIC driver; OAM ids; UUID with partition; allocation mode; kernel version; vendor name; wide table",
        source: "transcripts of 27.1.0 over the reference tree",
    }],
    version: VersionKeys::Nic,
    enumeration_oam: true,
    uuid_with_partition: true,
    mem_alloc_mode: true,
    mode_needs_config: false,
    asic: AsicKeys { revisions: true, ..V26_2.asic },
    driver_kernel: true,
    manufacturer: "Advanced Micro Devices, Inc. [AMD/ATI]",
    vram: VramKeys { without_drm: true, ..V26_2.vram },
    wide_default_table: true,
    ..V26_2
};

/// Every row, oldest first.
pub static DIALECTS: [Dialect; 13] =
    [V24_5, V24_6, V24_7, V24_7_1, V25_3, V25_4, V25_5, V26_0, V26_1, V26_2, V26_4, V27_0, V27_1];

impl Dialect {
    /// The rules that a tool version follows: the last row that is not newer, or the oldest.
    pub fn of(tool: ToolVersion) -> &'static Self {
        DIALECTS.iter().rfind(|dialect| dialect.from <= tool).unwrap_or(&DIALECTS[0])
    }

    /// The same rules with these bugs on.
    pub fn with(mut self, bugs: Bugs) -> Self {
        if bugs.secondaries_na {
            self.secondaries = Secondaries::NotApplicable;
            self.secondary_memory = Secondaries::NotApplicable;
        }
        if bugs.whole_gpu_memory {
            self.secondary_memory = Secondaries::AsPrimary;
        }
        self.uuid_with_partition &= !bugs.uuid_shared;
        self
    }
}

/// Whether the text of this very version was compared with the real tool, byte for byte.
pub fn verified(tool: ToolVersion) -> bool {
    const RUN: [ToolVersion; 4] = [
        ToolVersion::new(24, 5, 2),
        ToolVersion::new(24, 7, 0),
        ToolVersion::new(26, 2, 1),
        ToolVersion::new(27, 1, 0),
    ];
    RUN.contains(&tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_say_why_they_differ() {
        for pair in DIALECTS.windows(2) {
            assert!(pair[0].from < pair[1].from, "{} {}", pair[0].from, pair[1].from);
        }
        for dialect in &DIALECTS {
            assert!(!dialect.changes.is_empty(), "{}", dialect.from);
            assert!(dialect.changes.iter().all(|change| !change.source.is_empty()));
        }
    }

    #[test]
    fn a_version_between_rows_follows_the_older_one() {
        let from = |text: &str| Dialect::of(text.parse().unwrap()).from.to_string();
        assert_eq!(from("23.0.0"), "24.0.0");
        assert_eq!(from("24.5.2"), "24.0.0");
        assert_eq!(from("24.7.1"), "24.7.1");
        assert_eq!(from("25.4.2"), "25.4.0");
        assert_eq!(from("26.2.1"), "26.2.0");
        assert_eq!(from("28.0.0"), "27.1.0");
    }

    #[test]
    fn only_versions_that_were_run_are_verified() {
        assert!(verified(ToolVersion::new(26, 2, 1)));
        assert!(!verified(ToolVersion::new(26, 1, 0)));
        for dialect in DIALECTS.iter().filter(|dialect| dialect.evidence == Evidence::Unverified) {
            assert!(!verified(dialect.from), "{}", dialect.from);
        }
    }
}
