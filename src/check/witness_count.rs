//! `witness.count`: every witness counts as many devices.

use crate::domain::{CheckId, Confidence, Reading};
use crate::topology::{Socket, own_sockets};
use crate::witness::amd_smi::Query;
use crate::witness::{Observations, RenderNode, RenderParent, Snapshot};

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::{Collector, Evaluation, GapKind};
use super::voices::Voices;

pub(super) const ABOUT: About = About {
    id: CheckId::WitnessCount,
    what: "Logical devices by the modes in sysfs, by KFD's nodes, by the render nodes that belong to them, by amd-smi and by HIP.",
    why: "63 of 64 is a working node with a hole; a witness that counts otherwise shifts every index after it.",
    source: "facts/partitions.md section 4; facts/amd-smi.md section 4 row 5 (amdsmi#99, ROCm/ROCm#4750, #4759)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List], sysfs: true, kfd: true, system: true, hip: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "one-short",
            what: "One device fewer than the modes make: typically a BMC video card took a DRM minor and the kernel dropped a partition (63 of 64).",
            next: "believe KFD: the device is not there (amdsmi#99, ROCm#4750, #4759); unload the BMC video driver (ast), reload amdgpu; kernel log: `Skip xcp node`",
        },
        FindingAbout {
            id: "modes-differ",
            what: "KFD has another number of nodes than the modes in sysfs make, by more than one.",
            next: "believe KFD: its nodes are what jobs get; reload the driver and count again",
        },
        FindingAbout {
            id: "render-differs",
            what: "There are fewer render nodes than KFD nodes: a device that nobody can open.",
            next: "believe KFD for the number, and /dev/dri for what can be used: witness.render-nodes says which is missing",
        },
        FindingAbout {
            id: "amd-smi-differs",
            what: "amd-smi lists another number of devices than KFD has.",
            next: "believe KFD; a container, a cgroup or a stale index in amd-smi hides devices",
        },
        FindingAbout {
            id: "hip-differs",
            what: "HIP counts another number of devices than KFD has.",
            next: "believe KFD for what there is, and HIP for what a job gets: a device file that cannot be opened, or a cgroup, hides the rest",
        },
    ],
};

const SUBJECT: &str = "the machine";

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let sockets = own_sockets(look);
    let counts = Counts {
        // Nodes that a container hides are no hole.
        modes: by_modes(&sockets).filter(|_| look.kfd_hidden.is_empty()),
        kfd: look.kfd.as_ref().map(Vec::len),
        render: by_render_nodes(look),
        amd_smi: calls::rows(&mut collector, Query::List, look.list.as_ref()).map(Vec::len),
    };
    let mut voices = Voices::default();
    for (who, count) in [
        ("modes in sysfs", counts.modes),
        ("KFD", counts.kfd),
        ("render nodes", counts.render),
        ("amd-smi", counts.amd_smi),
    ] {
        voices.hear(who, &count.map_or(Reading::NotReported, Reading::Value));
    }
    if !look.kfd_hidden.is_empty() {
        voices.miss("hidden KFD nodes", look.kfd_hidden.len().to_string());
    }
    let hip = match &look.hip {
        None => {
            voices.miss("HIP", "not asked");
            None
        }
        Some(devices) => {
            let count = devices.as_ref().map(Vec::len);
            voices.hear("HIP", &count);
            count.value().copied()
        }
    };
    if !voices.too_few(&mut collector, SUBJECT) {
        judge(&mut collector, &counts, hip, &voices);
    }
    collector.finish()
}

/// Devices, by everybody but HIP.
struct Counts {
    modes: Option<usize>,
    kfd: Option<usize>,
    render: Option<usize>,
    amd_smi: Option<usize>,
}

fn judge(collector: &mut Collector, counts: &Counts, hip: Option<usize>, voices: &Voices) {
    let Some((believed, who)) =
        counts.kfd.map(|kfd| (kfd, "KFD")).or(counts.modes.map(|modes| (modes, "modes in sysfs")))
    else {
        collector.gap(GapKind::NotReported, SUBJECT, format!("neither KFD nor sysfs counts: {}", voices.text()));
        return;
    };
    let mut agreed = true;
    let mut differs = |id, expected: String, observed: String| {
        agreed = false;
        collector.unmet(id, SUBJECT, expected, observed);
    };
    if let Some(modes) = counts.modes.filter(|modes| *modes != believed) {
        let id = if believed + 1 == modes { "one-short" } else { "modes-differ" };
        differs(id, format!("{modes} (modes in sysfs)"), format!("{believed} ({who}, believed)"));
    }
    if let Some(render) = counts.render.filter(|render| *render != believed) {
        differs("render-differs", format!("{believed} ({who}, believed)"), format!("{render} (render nodes)"));
    }
    if let Some(amd_smi) = counts.amd_smi.filter(|amd_smi| *amd_smi != believed) {
        // Without KFD the kernel's hole shows in amd-smi only.
        let id = if counts.kfd.is_none() && amd_smi + 1 == believed { "one-short" } else { "amd-smi-differs" };
        differs(id, format!("{believed} ({who}, believed)"), format!("{amd_smi} (amd-smi list)"));
    }
    if let Some(hip) = hip.filter(|hip| *hip != believed) {
        differs("hip-differs", format!("{believed} ({who}, believed)"), format!("{hip} (HIP)"));
    }
    if agreed {
        collector.met(SUBJECT, format!("{believed} ({who})"), voices.text());
    }
}

/// What the modes make of known parts; a guest sees its own slice only, so that its mode does not tell.
fn by_modes(sockets: &[Socket<'_>]) -> Option<usize> {
    if sockets.is_empty() {
        return None;
    }
    let of_socket = |socket: &Socket<'_>| {
        let (parts, virtual_function) = socket.parts();
        let part = parts.first().filter(|_| !virtual_function)?;
        usize::try_from(socket.compute().value()?.devices(part.xccs)).ok()
    };
    sockets.iter().map(of_socket).sum()
}

/// Render nodes that KFD's nodes name. Those of unused partitions exist and cannot be opened (facts/partitions.md
/// section 4), so the others do not count.
fn by_render_nodes(look: &Snapshot) -> Option<usize> {
    let (nodes, render) = (look.kfd.as_ref()?, look.render.as_ref()?);
    let minors: Option<Vec<u32>> = nodes.iter().map(|node| node.render_minor.value().copied()).collect();
    Some(
        render
            .iter()
            .filter(|node| of_amd(node))
            .filter(|node| minors.as_ref().is_some_and(|all| all.contains(&node.minor)))
            .count(),
    )
    .filter(|_| minors.is_some())
}

/// Whether a render node can be one of an AMD GPU.
pub(super) fn of_amd(node: &RenderNode) -> bool {
    const AMD: u16 = 0x1002;
    match &node.parent {
        RenderParent::Pci { vendor, .. } => vendor.value() == Some(&AMD),
        RenderParent::Partition { .. } => true,
        RenderParent::Other(_) => false,
    }
}
