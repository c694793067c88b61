//! What goes wrong in the worker of a probe: it dies as a known signature says, hangs, or gives wrong numbers.

use super::reported::reported;
use crate::facts::{Signature, signature, signatures};

reported! {
    /// A way of a worker to be wrong that has no text of its own; it is spelt after `probe=`.
    Misbehaviour {
        Hang "hang"
            "The operation of a probe never ends, and nothing says why.", "facts/rdna.md section 1 (conv from 44 px on)";
        HangUnmoved "hang_unmoved"
            "The same, in a worker that ignores SIGTERM.", "facts/rdna.md section 2";
        NoBye "no_bye"
            "The worker of a probe exits with 0 before it is done.", "made up: a worker that gives up in silence";
        Garbage "garbage"
            "The worker of a probe prints what is no message.", "made up: a library that prints to standard output";
        Flood "flood"
            "The worker of a probe prints to standard error without end.", "facts/rdna.md section 2 (AMD_LOG_LEVEL)";
        HeldPipe "held_pipe"
            "The worker of a probe exits and leaves a process behind that holds its pipes.", "made up: a compiler's daemon";
        DiesAfterBye "dies_after_bye"
            "The worker of a probe says everything and dies while its libraries are unloaded.", "made up: SIGSEGV at exit";
        WrongNumber "wrong_number"
            "One number of a probe's result is wrong.", "MIOpen#3540 (ConvOclBwdWrW53)";
        NotFinite "not_finite"
            "One number of a probe's result is NaN.", "A1111#10296";
        Zeros "zeros"
            "Every number of a probe's result is zero.", "MIOpen's tests look for it";
        Unwritten "unwritten"
            "The last numbers of a probe's result were never written.", "made up: a kernel with too small a grid";
        OomRaised "oom_raised"
            "The engine raises for want of memory, and the worker says so and lives.", "facts/rdna.md section 2 (the other face is an abort)";
        NoBackend "no_backend"
            "The worker was linked without what drives a GPU, and computes on the CPU.", "tch-rs#1015";
        NoDevice "no_device"
            "The worker finds no GPU, and computes on the CPU.", "facts/rdna.md section 5";
        Elsewhere "elsewhere"
            "The worker has a GPU, and the operation runs on the CPU all the same.", "facts/rdna.md section 5";
        ClaimsGpu "claims_gpu"
            "The worker of a probe says on the GPU, with times and bytes, and the driver never saw it there.", "made up: a wrapper that reports what it was asked for";
        Reboot "reboot"
        "The machine reboots while a probe runs, and takes down what supervised it.", "ROCm#2935";
    Oops "oops"
            "The kernel has an oops while a probe runs well, and taints itself.", "made up: a driver's bug in another process";
        FallsOff "falls_off"
            "The GPU is gone from the bus while a probe runs well.", "facts/rdna.md section 2 (device lost from bus)";
        EnvironmentReset "environment_reset"
            "The worker of a probe is started by a wrapper that takes the variables of ROCm and torch away.", "facts/rdna.md section 4 (InvokeAI#3967: set, and not exported)";
        AnothersReset "anothers_reset"
            "Another process's page fault resets the GPU, and the worker of a probe dies with it.", "facts/rdna.md section 2";
    }
}

reported! {
    /// A way of a device's memory to be wrong; it is spelt after `probe=` and shows in probes that use memory.
    MemoryFault {
        PatternBroken "pattern_broken"
            "One byte of each block of a device's memory does not hold what was written to it.", "facts/rdna.md section 6 (memtest_vulkan's bit flips)";
        NeighbourOverwritten "neighbour_overwritten"
            "Writing to a device that is more than half full changes the next device's data.", "facts/partitions.md 3.5 (what partitions share)";
        NeverRefuses "never_refuses"
            "The device grants more memory than there is.", "facts/partitions.md 3.5 (no protection against over-commit)";
        RefusesEarly "refuses_early"
            "The device refuses memory from half of what it reports on.", "made up: memory that is fragmented or leaked";
        PastCap "past_cap"
            "The device gives out all that its memory partition shares, though it is held to its own.", "facts/partitions.md 3.5 (CAPPING)";
        WholeGpuTotal "whole_gpu_total"
            "The runtime reports the whole GPU's memory for a partition.", "ROCm#4750 (rocm-smi and amd-smi do)";
        GarbledReport "garbled_report"
            "The worker of a probe that uses memory reports numbers that contradict each other.", "made up: a worker that counts wrong";
    }
}

/// What goes wrong in a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeFault {
    /// `probe=hsa_hw_exception`: it ends as this signature says, with its text.
    Signature(&'static Signature),
    /// `probe=hang`: another way.
    Other(Misbehaviour),
    /// `probe=past_cap`: its device's memory is wrong.
    Memory(MemoryFault),
}

impl ProbeFault {
    /// Its spelling after `probe=`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature(signature) => &signature.id,
            Self::Other(other) => other.name(),
            Self::Memory(memory) => memory.name(),
        }
    }

    /// What is spelled so.
    pub fn named(name: &str) -> Option<Self> {
        let other = Misbehaviour::ALL.iter().find(|other| other.name() == name).copied().map(Self::Other);
        let memory = || MemoryFault::ALL.iter().find(|memory| memory.name() == name).copied().map(Self::Memory);
        other.or_else(memory).or_else(|| signature(name).map(Self::Signature))
    }

    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        let others = Misbehaviour::ALL.iter().copied().map(Self::Other);
        let memory = MemoryFault::ALL.iter().copied().map(Self::Memory);
        others.chain(memory).chain(signatures().iter().map(Self::Signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_be_wrong_is_found_by_its_own_name() {
        for fault in ProbeFault::all() {
            assert_eq!(ProbeFault::named(fault.name()), Some(fault), "{}", fault.name());
        }
        assert_eq!(ProbeFault::named("tea"), None);
    }
}
