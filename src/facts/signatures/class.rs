//! The classes of death: what happened to a process that used a GPU, as far as anything told.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! classes {
    ($($variant:ident $name:literal $what:literal, $advice:literal;)+) => {
        /// What happened to a process, or what a line that it left behind is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum Class {
            $(#[doc = $what] #[serde(rename = $name)] $variant),+
        }

        impl Class {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its word in reports and files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What it means.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what),+ }
            }

            /// What to do next.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice),+ }
            }
        }
    };
}

classes! {
    PageFault "page-fault"
        "A GPU access went to an address that is not mapped, or not so.",
        "Run again with AMD_SERIALIZE_KERNEL=3: the message comes from a helper thread and does not name the operation.";
    ApertureViolation "aperture-violation"
        "A wave touched an address outside every aperture.",
        "Compare the effective ISA with the native one (HSA_OVERRIDE_GFX_VERSION) before suspecting the board.";
    IllegalInstruction "illegal-instruction"
        "A wave ran an instruction that the GPU does not have.",
        "Look for code objects of another ISA: unset HSA_OVERRIDE_GFX_VERSION, or install libraries built for this target.";
    InvalidIsa "invalid-isa"
        "A dispatch asked for more registers than the GPU has.",
        "Look for code objects of another ISA, as with illegal-instruction.";
    Exception "exception"
        "A wave aborted, trapped, or had a mathematical error.",
        "Look for a device-side assertion in the program; repeat the operation alone.";
    InvalidCodeObject "invalid-code-object"
        "A dispatch named no valid kernel.",
        "Check that the libraries belong together and were built for this target.";
    ScratchOom "scratch-oom"
        "Private memory of waves could not be had, and the runtime aborted: out of memory with the face of a crash.",
        "Free memory of the device, or make the operation smaller; then repeat.";
    QueueError "queue-error"
        "A queue of the GPU stopped with another error.",
        "Read its status in the evidence; repeat the operation alone.";
    GpuHang "gpu-hang"
        "The driver found the GPU hanging and told every process on it.",
        "Read the kernel log of the window; repeat the operation alone to see whether it is the cause.";
    NoCodeForArch "no-code-for-arch"
        "A library has no code for this GPU: a matter of builds, not of stability.",
        "Compare the library's list of targets with the GPU's; install a build for it.";
    PcieAtomics "pcie-atomics"
        "A kernel needs PCIe atomics and the platform has none.",
        "Use another slot or board, or builds that print through buffers (-mprintf-kind=buffered).";
    IllegalAddress "illegal-address"
        "A call of HIP reported an illegal memory access.",
        "Run again with AMD_SERIALIZE_KERNEL=3 to see which operation it was.";
    LaunchFailure "launch-failure"
        "A kernel could not be launched or failed without saying why.",
        "Run again with AMD_LOG_LEVEL=1 and read the kernel log.";
    GpuOom "gpu-oom"
        "The allocator could not get memory and raised: a matter of capacity, not of stability.",
        "Make the operation smaller, or see who holds the memory.";
    NoDevice "no-device"
        "The program found no GPU that it can use.",
        "Check /dev/kfd, the group render, ROCR_VISIBLE_DEVICES, and that the libraries are a ROCm build.";
    Setup "setup"
        "The machine or the installation is not set up for this program.",
        "Do what the message says, then repeat.";
    LibraryMissingArch "library-missing-arch"
        "rocBLAS or hipBLASLt has no library for this GPU.",
        "Install a build for this target; hipBLASLt is built for no gfx10.";
    MiopenError "miopen-error"
        "MIOpen gave up on an operation.",
        "Run again with MIOPEN_ENABLE_LOGGING_CMD=1: it prints a command that repeats the operation.";
    KernelBuildFailed "kernel-build-failed"
        "A kernel could not be compiled for this GPU.",
        "Read the compiler's message; pin another solver to see whether one is to blame.";
    HostHeapCorruption "host-heap-corruption"
        "The C library found the process's own memory damaged.",
        "Run under a memory checker; suspect libraries that do not belong together.";
    UncaughtCxxException "uncaught-cxx-exception"
        "A C++ exception reached the end of the stack.",
        "Read its text in the evidence.";
    RustPanic "rust-panic"
        "The worker panicked.",
        "Read the panic's text in the evidence.";
    PythonException "python-exception"
        "The worker ended with a Python exception that matches nothing known.",
        "Read the traceback in the evidence.";
    RingTimeout "ring-timeout"
        "A job of a graphics ring timed out, often the desktop's, starved by compute.",
        "Run on a GPU without a display.";
    GpuReset "gpu-reset"
        "The GPU was reset.",
        "Trust no later result of this run before the device was opened again; repeat the operation alone.";
    GpuLost "gpu-lost"
        "The GPU is gone, or stays hung, until something is done about it.",
        "Stop; reboot the machine.";
    HwsHang "hws-hang"
        "The scheduler of the GPU could not take a compute queue away.",
        "Read the kernel log of the window; repeat the operation alone.";
    KfdException "kfd-exception"
        "The driver had an exception for a process that did not listen for it.",
        "Read the kernel log of the window.";
    WaveException "wave-exception"
        "A wave raised an exception interrupt.",
        "Read the details of the interrupt in the kernel log.";
    HostOom "host-oom"
        "The kernel killed the process because the host's memory was used up.",
        "Give the machine or its container more memory, or make the operation smaller.";
    Segfault "segfault"
        "The process died of a bad address on the host.",
        "On RDNA1 and RDNA2 first suspect missing code objects: see which library the kernel's line names.";
    HostFault "host-fault"
        "A mapping of the process went away (SIGBUS), often after a reset, or /dev/shm is full.",
        "Read the kernel log of the window; look at the free space of /dev/shm.";
    HostIllegalInstruction "host-illegal-instruction"
        "The CPU lacks an instruction that the program needs.",
        "Use a build for this CPU (AVX2 and AVX-512 are the usual ones).";
    MachineCheck "machine-check"
        "The CPU reported a hardware error.",
        "Stop; look at power supply, memory and PCIe before the GPU.";
    IommuFault "iommu-fault"
        "The IOMMU blocked an access by a device.",
        "Record the IOMMU's mode (iommu=pt); read the kernel log of the window.";
    Hang "hang"
        "The process neither went on nor ended, and nothing says why.",
        "Repeat with a longer deadline: a first compilation takes minutes.";
    Unkillable "gpu-hang-unkillable"
        "The process could not be killed: it is stuck in a driver.",
        "Stop; the GPU is quarantined. Reboot the machine.";
    OutputFlood "output-flood"
        "The process printed more than its cap and was stopped for that.",
        "Lower AMD_LOG_LEVEL and MIOPEN_LOG_LEVEL.";
    Killed "killed"
        "Somebody else killed the process, and nothing says who.",
        "Look for a supervisor of the machine or the container; read the kernel log.";
    AbortUnexplained "abort-unexplained"
        "The process aborted, and nothing that is known says why.",
        "Run again with AMD_LOG_LEVEL=1.";
    Unknown "unknown"
        "How it ended, and what it printed, match nothing known.",
        "Read the evidence, which holds it word for word.";
    PageFaultDetail "page-fault-detail" "Detail of a page fault.", "Read it with the fault.";
    RingTimeoutDetail "ring-timeout-detail" "Detail of a ring's timeout.", "Read it with the timeout.";
    GpuResetDetail "gpu-reset-detail" "Detail of a reset.", "Read it with the reset.";
    Artifact "artifact" "A file that a crash left behind.", "Delete it, or open it in a debugger.";
    PerfWarning "perf-warning" "Something will be slower than it could be.", "Allow minutes for the first run.";
    BenignTeardown "benign-teardown" "Follows every killed GPU process; never the cause.", "Look for what came before.";
    Info "info" "Says how the machine is set up.", "Nothing.";
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_class_is_the_one_in_files() {
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
            assert_eq!(class.to_string(), class.name());
        }
    }
}
