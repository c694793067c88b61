//! `witness.render-nodes`: each device's render node is there and hangs on that device.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{CheckId, Confidence};
use crate::topology::{Socket, own_sockets};
use crate::witness::{KfdNode, Observations, RenderNode, RenderParent};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind, need};
use super::voices::few;

pub(super) const ABOUT: About = About {
    id: CheckId::WitnessRenderNodes,
    what: "Each KFD node's drm_render_minor is in class/drm, hangs on that GPU (partition 0) or on a partition device (the others), and the GPUs stand eight minors apart.",
    why: "Containers are given /dev/dri/renderD*: one that hangs on another device runs the job there.",
    source: "facts/partitions.md section 4 (render nodes); facts/amd-smi.md section 5",
    confidence: Confidence::Certain,
    needs: Needs { sysfs: true, kfd: true, system: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "missing",
            what: "KFD names a render node that class/drm does not have.",
            next: "believe class/drm: the device cannot be opened; in a container hand the node in, else reload the driver",
        },
        FindingAbout {
            id: "wrong-device",
            what: "The render node that KFD names hangs on another device.",
            next: "believe class/drm: a job that opens this node runs there; reload the driver, and hand out no render nodes till then",
        },
        FindingAbout {
            id: "shared",
            what: "KFD gives two devices the same render node.",
            next: "believe neither: only one of the two can be behind it; reload the driver",
        },
        FindingAbout {
            id: "step-differs",
            what: "The first render nodes of the GPUs are not eight apart, or those of one GPU do not follow each other: another card took minors (63 of 64).",
            next: "believe KFD's drm_render_minor, never 128 + 8 x GPU + partition; a BMC's video card takes minors (amdsmi#99)",
        },
    ],
};

/// DRM devices that the driver makes for each partitionable GPU, whatever its mode. Source: facts/partitions.md section 4.
const STEP: u32 = 8;

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let sockets = own_sockets(look);
    if sockets.iter().all(|socket| socket.nodes.is_empty()) {
        collector.gap(
            GapKind::NotReported,
            "the machine",
            "KFD shows no device: nothing says which render nodes there must be",
        );
        return collector.finish();
    }
    let Some(render) = &look.render else {
        collector.gap(GapKind::NotReported, "class/drm", "the host shows no render nodes");
        return collector.finish();
    };
    let by_minor: BTreeMap<u32, &RenderNode> = render.iter().map(|node| (node.minor, node)).collect();
    let mut used: BTreeMap<u32, u32> = BTreeMap::new();
    let mut right = BTreeSet::new();
    for (socket, node) in sockets.iter().flat_map(|socket| socket.nodes.iter().map(move |node| (socket, *node))) {
        let subject = format!("node {}", node.node);
        let Some(minor) = need(&mut collector, &subject, "drm_render_minor", &node.render_minor).copied() else {
            continue;
        };
        if let Some(other) = used.insert(minor, node.node) {
            let observed = format!("renderD{minor} for nodes {other} and {}", node.node);
            collector.unmet("shared", subject, "a render node for each device", observed);
        } else if hangs_right(&mut collector, socket, node, minor, by_minor.get(&minor).copied()) {
            right.insert(minor);
        }
    }
    if !right.is_empty() {
        let unused = render.len() - by_minor.keys().filter(|minor| used.contains_key(minor)).count();
        let observed = format!("{} (KFD, class/drm); {unused} that KFD does not name are skipped", right.len());
        collector.met("the machine", "each on its device", observed);
    }
    steps(&mut collector, &sockets);
    collector.finish()
}

/// Whether the render node of a KFD node is there and hangs on its device.
fn hangs_right(
    collector: &mut Collector,
    socket: &Socket<'_>,
    node: &KfdNode,
    minor: u32,
    found: Option<&RenderNode>,
) -> bool {
    let partition = node.bdf.value().map_or(0, |bdf| bdf.function);
    let subject = format!("{} partition {partition}", socket.name());
    let Some(found) = found else {
        collector.unmet("missing", subject, format!("renderD{minor} (KFD)"), "not in class/drm");
        return false;
    };
    let expected =
        if partition == 0 { format!("{}", socket.bdf) } else { "a partition device (amdgpu_xcp)".to_owned() };
    let right = match &found.parent {
        RenderParent::Pci { bdf, .. } => partition == 0 && *bdf == socket.bdf,
        RenderParent::Partition { .. } => partition > 0,
        RenderParent::Other(_) => false,
    };
    if !right {
        let observed = format!("renderD{minor} hangs on {} (class/drm)", parent(&found.parent));
        collector.unmet("wrong-device", subject, format!("renderD{minor} on {expected} (KFD)"), observed);
    }
    right
}

fn parent(parent: &RenderParent) -> String {
    match parent {
        RenderParent::Pci { bdf, .. } => bdf.to_string(),
        RenderParent::Partition { number } => format!("amdgpu_xcp_{number}"),
        RenderParent::Other(folder) => folder.clone(),
    }
}

/// The pattern by which people compute minors. It is no rule: KFD's word is.
fn steps(collector: &mut Collector, sockets: &[Socket<'_>]) {
    let known = sockets.iter().all(|socket| !socket.parts().0.is_empty());
    if !known || sockets.iter().any(|socket| socket.parts().1) {
        // How many minors an unknown part or a guest's function takes is nowhere written.
        return;
    }
    let mut expected: Option<u32> = None;
    let (mut devices, mut off) = (0, Vec::new());
    for socket in sockets {
        let step = if socket.unpartitionable() { 1 } else { STEP };
        let first = socket.nodes.iter().find_map(|node| {
            let (minor, bdf) = (*node.render_minor.value()?, node.bdf.value()?);
            minor.checked_sub(u32::from(bdf.function))
        });
        let Some(first) = first else { continue };
        if let Some(expected) = expected.filter(|expected| *expected != first) {
            off.push(format!("{} from renderD{first}, not {expected}", socket.name()));
        }
        for node in &socket.nodes {
            let (Some(minor), Some(bdf)) = (node.render_minor.value(), node.bdf.value()) else { continue };
            devices += 1;
            if *minor != first.saturating_add(u32::from(bdf.function)) {
                off.push(format!("{} partition {} at renderD{minor}", socket.name(), bdf.function));
            }
        }
        expected = first.checked_add(step);
    }
    let rule = format!("{STEP} minors for each partitionable GPU, one for each partition");
    if off.is_empty() {
        collector.met("render minors", rule, format!("{devices} in step (KFD)"));
    } else {
        collector.doubtful("step-differs", "render minors", rule, format!("{} (KFD)", few(&off)));
    }
}
