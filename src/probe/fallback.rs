//! Whether an operation ran where it was asked to run, and if not, which of the three ways to end up on the CPU it was.

use std::fmt;

use super::protocol::{Conversation, Evidence, Kind};
use super::supervise::Outside;
use crate::domain::Reading;

/// Where an operation ran, against where it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// Where it should.
    AsAsked,
    /// On the CPU, where a GPU was asked for.
    OnCpu(Fallback),
    /// It says on the GPU, and shows nothing that only a GPU could have made.
    Unproven,
    /// It says on the GPU, and the driver has never seen it there.
    Contradicted,
}

/// Why an operation ran on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// The worker has nothing that drives a GPU.
    NoBackend,
    /// It has, and found no GPU.
    NoDevice,
    /// It found one, and the operation ran elsewhere.
    Elsewhere,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoBackend => "the worker is linked without a GPU backend",
            Self::NoDevice => "the worker found no GPU",
            Self::Elsewhere => "the worker has a GPU, and the operation ran on the CPU",
        })
    }
}

/// Where the operations of a conversation ran, by the worker's word and by what the drivers counted for it meanwhile;
/// `None` where there is no answer to say it.
pub fn ran(asked: Kind, said: &Conversation, outside: &Reading<Outside>) -> Option<Ran> {
    let hello = said.hello.as_ref()?;
    if said.answers.is_empty() {
        return None;
    }
    let on_cpu = said.answers.iter().any(|answer| answer.on == Kind::Cpu);
    // KFD counts nothing for a GPU that another driver drives.
    let counted = hello.device.as_ref().is_none_or(|device| device.isa.is_some());
    let outside = outside.value();
    Some(match asked {
        Kind::Cpu => Ran::AsAsked,
        Kind::Gpu if on_cpu && !hello.gpu_backend => Ran::OnCpu(Fallback::NoBackend),
        Kind::Gpu if on_cpu && hello.gpus == 0 => Ran::OnCpu(Fallback::NoDevice),
        Kind::Gpu if on_cpu => Ran::OnCpu(Fallback::Elsewhere),
        Kind::Gpu if counted && outside.is_some_and(Outside::is_nothing) => Ran::Contradicted,
        Kind::Gpu if outside.is_some_and(Outside::is_work) => Ran::AsAsked,
        // What a tensor says of itself is a claim; time on the device's queue and memory that the driver counts are not.
        Kind::Gpu if said.answers.iter().all(|answer| answer.evidence.iter().any(proves)) => Ran::AsAsked,
        Kind::Gpu => Ran::Unproven,
    })
}

fn proves(evidence: &Evidence) -> bool {
    match evidence {
        Evidence::Tensor(_) => false,
        Evidence::EventTime(nanoseconds) => *nanoseconds > 0,
        Evidence::DeviceMemory(bytes) => *bytes > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Bytes;
    use crate::probe::protocol::{Answer, Device, Hello, Outcome, PROTOCOL};
    use crate::witness::gpu_use::{GpuUse, KfdUse};

    fn said(gpu_backend: bool, gpus: u32, on: Kind, evidence: &[Evidence]) -> Conversation {
        let hello = Hello {
            protocol: PROTOCOL,
            engine: "test".to_owned(),
            pid: 1,
            libraries: std::collections::BTreeMap::new(),
            gpu_backend,
            gpus,
            device: None,
            mapped: Vec::new(),
        };
        let answer = Answer { repeat: 0, outcome: Outcome::Same { times: 1 }, on, evidence: evidence.to_vec() };
        Conversation { hello: Some(hello), answers: vec![answer], ..Conversation::default() }
    }

    #[test]
    fn the_three_ways_to_the_cpu_are_told_apart_and_a_claim_is_no_proof() {
        let claim = Evidence::Tensor("cuda:0".to_owned());
        for (backend, gpus, on, evidence, expected) in [
            (false, 0, Kind::Cpu, &[][..], Ran::OnCpu(Fallback::NoBackend)),
            (true, 0, Kind::Cpu, &[], Ran::OnCpu(Fallback::NoDevice)),
            (true, 2, Kind::Cpu, &[Evidence::EventTime(9)], Ran::OnCpu(Fallback::Elsewhere)),
            (true, 1, Kind::Gpu, &[], Ran::Unproven),
            (true, 1, Kind::Gpu, std::slice::from_ref(&claim), Ran::Unproven),
            (true, 1, Kind::Gpu, &[Evidence::EventTime(0), Evidence::DeviceMemory(0)], Ran::Unproven),
            (true, 1, Kind::Gpu, &[claim.clone(), Evidence::EventTime(9)], Ran::AsAsked),
            (true, 1, Kind::Gpu, &[Evidence::DeviceMemory(9)], Ran::AsAsked),
        ] {
            assert_eq!(ran(Kind::Gpu, &said(backend, gpus, on, evidence), &Reading::NotReported), Some(expected));
        }
        assert_eq!(ran(Kind::Cpu, &said(false, 0, Kind::Cpu, &[]), &Reading::NotReported), Some(Ran::AsAsked));
        assert_eq!(ran(Kind::Gpu, &Conversation::default(), &Reading::NotReported), None);
    }

    #[test]
    fn what_the_drivers_count_proves_and_disproves_what_the_worker_says() {
        let kfd = |compute_queues| KfdUse { vram: Bytes(4096), compute_queues, ..KfdUse::default() };
        let outside = |kfd: Option<KfdUse>, after_a_result| {
            let most = GpuUse { kfd: kfd.map(|kfd| (24248, kfd)).into_iter().collect(), ..GpuUse::default() };
            Reading::Value(Outside { most, looks: 1, after_a_result })
        };
        let claims = [Evidence::EventTime(9), Evidence::DeviceMemory(9)];
        for (on, evidence, outside, expected) in [
            (Kind::Gpu, &[][..], outside(Some(kfd(1)), false), Ran::AsAsked),
            (Kind::Gpu, &[], outside(Some(kfd(0)), true), Ran::Unproven),
            (Kind::Gpu, &claims, outside(Some(kfd(0)), true), Ran::AsAsked),
            (Kind::Gpu, &claims, outside(None, true), Ran::Contradicted),
            (Kind::Gpu, &[], outside(None, true), Ran::Contradicted),
            // Nobody looked at the right moment, or nobody could.
            (Kind::Gpu, &claims, outside(None, false), Ran::AsAsked),
            (Kind::Gpu, &claims, Reading::malformed("", "cannot be read"), Ran::AsAsked),
            (Kind::Gpu, &[], Reading::malformed("", "cannot be read"), Ran::Unproven),
            // A context is no computation: the worker's own word that it was on the CPU stands.
            (Kind::Cpu, &[], outside(Some(kfd(1)), true), Ran::OnCpu(Fallback::Elsewhere)),
        ] {
            assert_eq!(
                ran(Kind::Gpu, &said(true, 1, on, evidence), &outside),
                Some(expected),
                "{evidence:?} {outside:?}"
            );
        }
        let mut cuda = said(true, 1, Kind::Gpu, &claims);
        let device = Device { name: "H200".to_owned(), isa: None, bdf: None, memory: Bytes(1) };
        cuda.hello = cuda.hello.map(|hello| Hello { device: Some(device), ..hello });
        assert_eq!(ran(Kind::Gpu, &cuda, &outside(None, true)), Some(Ran::AsAsked), "KFD knows nothing of it");
    }
}
