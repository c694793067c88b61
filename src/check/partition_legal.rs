//! `partition.legal`: compute x memory is a pair that this part, kernel and firmware allow.

use crate::domain::{CheckId, Confidence, KernelRules};
use crate::facts::{self, Legality};
use crate::witness::Observations;

use super::about::{About, FindingAbout, Needs};
use super::evaluation::need;
use super::evaluation::{Collector, Evaluation, GapKind};
use crate::topology::{Socket, sockets};

pub(super) const ABOUT: About = About {
    id: CheckId::PartitionLegal,
    what: "The pair of compute and memory partition in force is one that the kernel allows for this part and its firmware offers.",
    why: "Documents disagree (NPS4 needs CPX, TPX is future, DPX on MI300A); the kernel's own table decides, and it changed over time.",
    source: "facts/partitions.md 2.1 to 2.4 (aqua_vanjaram.c __aqua_vanjaram_get_px_mode_info; amdgpu_xcp.c)",
    confidence: Confidence::Certain,
    needs: Needs { sysfs: true, kfd: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "illegal-pair",
            what: "The kernel's rules do not allow this pair on this part.",
            next: "go to NPS1 first, then to the compute mode, then to the memory mode; `validate explain` on the part lists legal pairs",
        },
        FindingAbout {
            id: "not-offered",
            what: "The machine is in a memory mode that it does not offer itself in available_memory_partition.",
            next: "compare with the firmware's release notes; record the machine",
        },
        FindingAbout {
            id: "unlisted-by-facts",
            what: "The machine offers and uses a memory mode that the facts do not know of for this part.",
            next: "newer firmware may offer it: record the machine, so that the facts can be extended",
        },
        FindingAbout {
            id: "partitions-on-unpartitionable",
            what: "The part has no partitions by design, and sysfs shows partition files.",
            next: "check the PCI device id against the part; record the machine",
        },
    ],
};

pub(super) fn evaluate(rules: KernelRules, seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    for socket in &sockets(&seen.after) {
        judge(&mut collector, rules, socket);
    }
    collector.finish()
}

fn judge(collector: &mut Collector, rules: KernelRules, socket: &Socket<'_>) -> Option<()> {
    let name = socket.name();
    let (parts, virtual_function) = socket.parts();
    if virtual_function {
        collector.gap(GapKind::NotApplicable, name, "a virtual function does not show the host's modes");
        return None;
    }
    let Some(part) = parts.first() else {
        collector.gap(GapKind::Unknown, name, "no facts about this part");
        return None;
    };
    if !part.partitionable {
        if socket.sysfs.is_some_and(|gpu| gpu.compute.value().is_some()) {
            collector.unmet("partitions-on-unpartitionable", name, "no partition files", "partition files in sysfs");
        } else {
            collector.met(name, format!("no partitions on {}", part.id), "none");
        }
        return None;
    }
    let compute = *need(collector, &name, "current_compute_partition", &socket.compute_in_force())?;
    let memory = *need(collector, &name, "current_memory_partition", &socket.memory_in_force())?;
    let pair = format!("{compute}/{memory}");
    let offered = socket.sysfs.and_then(|gpu| gpu.available_memory.value());
    if let Some(offered) = offered.filter(|offered| !offered.contains(&memory)) {
        let names: Vec<_> = offered.iter().map(|mode| mode.name()).collect();
        collector.unmet("not-offered", name, format!("one of {}", names.join(", ")), pair);
        return None;
    }
    match facts::legality(part, compute, memory, rules) {
        Legality::Legal => collector.met(name, format!("a legal pair on {}", part.id), pair),
        Legality::NotOffered { .. } if offered.is_some() => {
            let expected = format!("a memory mode that the facts know for {}", part.id);
            collector.doubtful("unlisted-by-facts", name, expected, pair);
        }
        Legality::NotOffered { .. } => {
            collector.gap(GapKind::Unknown, name, format!("{pair}: nobody says whether the firmware offers it"));
        }
        Legality::Illegal { why } => collector.unmet("illegal-pair", name, format!("a legal pair ({why})"), pair),
    }
    Some(())
}
