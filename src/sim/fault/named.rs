//! The faults that need nothing but their name, each with what it does and who reported it.

use super::reported::reported;

/// Where a fault acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Below the tool: the files and the driver differ, and every witness sees it.
    Kernel,
    /// In the tool: only amd-smi's answer differs.
    Tool,
    /// In the tool's process: how it prints, ends, or does not.
    Process,
}

macro_rules! named {
    ($($variant:ident $name:literal $layer:ident $what:literal, $source:literal;)+) => {
        reported! {
            /// A fault without a parameter.
            Named { $($variant $name $what, $source;)+ }
        }

        impl Named {
            /// Where it acts.
            pub const fn layer(self) -> Layer {
                match self { $(Self::$variant => Layer::$layer),+ }
            }
        }
    };
}

named! {
    DriverMissing "driver_missing" Kernel
        "No amdgpu module is loaded.", "facts/amd-smi.md 3.3";
    DriverLoadedZeroGpus "driver_loaded_zero_gpus" Kernel
        "The driver is live and drives no GPU.", "facts/amd-smi.md 3.3";
    InitstateGoing "initstate_going" Kernel
        "The module is being unloaded: initstate says `going`.", "transcripts fakesys-initstate_going-*";
    AmdgpuBuiltin "amdgpu_builtin_no_initstate" Kernel
        "The driver is built into the kernel: its module folder has no initstate.", "ROCm/amdsmi#172";
    KernelLogDenied "kernel_log_denied" Kernel
        "The kernel's log cannot be read.", "kernel.dmesg_restrict; containers";
    KfdMissing "kfd_missing" Kernel
        "/sys/class/kfd is missing.", "facts/amd-smi.md 3.3";
    UnknownPartitionMode "unknown_partition_mode" Kernel
        "The current partition files say UNKNOWN.", "facts/amd-smi.md 3.3, section 5";
    EmptyComputePartitionFile "empty_compute_partition_file" Kernel
        "current_compute_partition is empty.", "facts/amd-smi.md 3.3";
    SpxNotAvailable "spx_not_available" Kernel
        "available_compute_partition lists only QPX and CPX.", "transcripts fakesys-mi300x-*-set-C-SPX-not-available-at-NPS4";
    InReset "in_reset" Kernel
        "The GPU is in reset: partition files answer EPERM to reads and writes.", "facts/amd-smi.md 3.3 (kernel patches)";
    MissingLastDevice "missing_last_device" Kernel
        "The last logical device is missing (63 of 64): a BMC video card took a DRM minor.", "ROCm/amdsmi#99, ROCm#4750";
    NoDrm "no_drm" Kernel
        "Render nodes cannot be opened: DRM facts are N/A, and 24.x prints uninitialised memory.", "facts/amd-smi.md section 4 no 15";
    SetIgnored "set_ignored" Kernel
        "Writes of partition modes succeed and change nothing.", "facts/partitions.md section 5: SUCCESS on -M does not mean applied";
    ReloadBusy "reload_busy" Kernel
        "A leaked handle keeps the driver from being unloaded.", "gpu-operator release notes";
    RestartErr "restart_err" Kernel
        "Reloading the driver fails (AMDGPU_RESTART_ERR).", "ROCm#4439";
    IndexOrder "index_order" Kernel
        "The tool finds the GPUs in another order than HIP numbers them.", "facts/amd-smi.md section 4 no 19 (MI325X capture)";
    NumPartitionsZero "num_partitions_zero" Kernel
        "gpu_metrics has no clock of any XCC, so the CPX profile shows 0 partitions.", "ROCm/amdsmi#132, rocm-systems#4516";
    EmptyMemoryCaps "empty_memory_caps" Kernel
        "available_memory_partition is empty, and so is the tool's cell.", "facts/amd-smi.md 2.2 (6.4.0 on MI300A)";
    VramUsedStuck "vram_used_stuck" Kernel
        "Used VRAM stays as at idle although a client holds memory.", "ROCm/amdsmi#175";
    UnknownPart "unknown_part" Kernel
        "The PCI device id is in no table: a part that came later.", "facts/partitions.md section 9 step 4";
    HiveIdStale "hive_id_stale" Kernel
        "KFD shows another hive id than sysfs for the last GPU.", "made up: a node that was made before the hive";
    MemoryModeMixed "memory_mode_mixed" Kernel
        "The last GPU shows another memory mode than its hive.", "facts/partitions.md section 5 (Hive: mixed NPS)";
    ComputeFileStale "compute_file_stale" Kernel
        "current_compute_partition names another mode than KFD's nodes are made for.", "facts/partitions.md section 5 (EIO: KFD re-init failure)";
    RenderMinorSwapped "render_minor_swapped" Kernel
        "KFD names the render nodes of the first and the last device the wrong way round.", "made up: a device that moved";
    RenderMinorShared "render_minor_shared" Kernel
        "KFD names one render node for the first and the last device.", "made up: a device that moved";
    RenderMinorMissing "render_minor_missing" Kernel
        "KFD names a render node that is not there, for the last device.", "facts/partitions.md section 4 (unused render nodes)";
    RenderMinorTaken "render_minor_taken" Kernel
        "Another card holds a DRM minor after those of the first GPU.", "facts/partitions.md section 4 (other DRM cards shift the base)";
    NodeOrder "node_order" Kernel
        "KFD numbers the GPUs in another order than their PCI addresses.", "facts/partitions.md section 4 (MI355X capture)";
    KfdHidden "kfd_hidden" Kernel
        "A cgroup hides the last GPU from KFD: gpu_id of its nodes answers EPERM.", "facts/partitions.md section 4 (Containers)";
    MemoryLeaked "memory_leaked" Kernel
        "A tenth of the VRAM stays used though no process holds the GPU.", "made up: memory of a dead process";
    PagesLimitRaised "pages_limit_raised" Kernel
        "The limit of memory for GPUs was doubled after the driver had split it (MI300A).", "facts/partitions.md 3.4";
    InitramfsStale "initramfs_stale" Kernel
        "The driver was loaded by an initramfs that holds none of the modprobe.d of now.", "facts/rdna.md section 3 (Reading the truth)";
    FragmentLoggedOtherwise "fragment_logged_otherwise" Kernel
        "The driver logs another fragment size than its parameter makes.", "made up: a second load with other parameters";
    UdevAccess "udev_access" Kernel
        "udev lets a user outside of the groups use the device files.", "ROCm/amdsmi#125";
    StaleModes "stale_modes" Tool
        "amd-smi goes on showing SPX and NPS1.", "facts/amd-smi.md 1.4: the reported mode may stay the old one";
    ToolMissesLast "tool_misses_last" Tool
        "amd-smi does not list the last device, which KFD shows.", "facts/partitions.md section 4 (cgroups restrict amd-smi)";
    AsksFirst "asks_first" Tool
        "The tool asks whether it may go on, whatever was asked of it, and reads a line.", "facts/amd-smi.md 1.4 (one prompt per process, on stdout even with --json)";
    LibraryMissing "library_missing" Tool
        "libamd_smi.so is not there.", "transcripts missing-library-*";
    InitHang "init_hang" Tool
        "The driver hangs while the tool starts.", "facts/amd-smi.md 3.3";
    WholeGpuMemory "whole_gpu_memory" Tool
        "amd-smi shows the whole GPU's memory for every partition.", "ROCm#4750, ROCm/amdsmi#97";
    SecondariesNa "secondaries_na" Tool
        "amd-smi shows N/A for every partition but the first of a GPU.", "ROCm/amdsmi#100";
    UuidShared "uuid_shared" Tool
        "All partitions of a GPU show the same UUID.", "facts/amd-smi.md section 4 no 16";
    TooManyOpenFiles "too_many_open_files" Tool
        "`set -M` ends in OSError 24 although it worked.", "amdgpu-docs, gpu-partitioning/mi300x/troubleshooting";
    MissingGroups "missing_groups" Tool
        "The caller is not in the groups render and video.", "ROCm/amdsmi#125";
    SetChoicesOneString "set_choices_one_string" Tool
        "`set -C` compares its choices character by character.", "ROCm/amdsmi#132";
    SetAttributeError "set_attribute_error" Tool
        "`set` crashes where the partition flags are not registered.", "facts/amd-smi.md section 0 (fixed in 7.2.1)";
    AbortOnVersion "abort_on_version" Process
        "`amd-smi version` aborts (SIGABRT, 134 in a shell).", "ROCm#5632";
    ExitZeroOnFailure "exit_zero_on_failure" Process
        "Exit code 0 whatever failed.", "rocm-systems#6088, #6862, #8624";
    NonzeroOnSuccess "nonzero_on_success" Process
        "Exit code 1 although the call succeeded.", "made up: the other direction of exit_zero_on_failure";
    LegendText "legend_text" Process
        "`Legend` text follows the JSON.", "rocm-systems#667 (25.5.1)";
    VersionLine "version_line" Process
        "A version line comes before the JSON.", "facts/amd-smi.md 3.3 (26.2.1 without a driver)";
    JsonPrintsNothing "json_prints_nothing" Process
        "With --json nothing is printed.", "ROCm/amdsmi#168";
    SeveralDocuments "several_documents" Process
        "JSON comes as several documents one after the other.", "rocm-systems#667, amdsmi PR#114";
    InvalidUtf8 "invalid_utf8" Process
        "Bytes that are not UTF-8 stand in the output.", "facts/amd-smi.md section 4 no 15";
    Garbage "garbage" Process
        "The output is bytes that mean nothing.", "made up: the worst case for a parser";
    Hang "hang" Process
        "The tool never answers.", "facts/amd-smi.md 3.3";
    IgnoreSigterm "ignore_sigterm" Process
        "The tool ignores SIGTERM and SIGINT.", "made up: a process stuck in a driver";
}
