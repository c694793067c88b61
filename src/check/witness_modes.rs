//! `witness.modes`: amd-smi, sysfs and KFD tell the same modes.

use crate::domain::{CheckId, ComputeMode, Confidence, MemoryMode, Reading};
use crate::topology::{Socket, own_sockets};
use crate::witness::Observations;
use crate::witness::amd_smi::{Query, StaticPartitionRow};

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::{Collector, Evaluation, GapKind};
use super::join;
use super::voices::Voices;

pub(super) const ABOUT: About = About {
    id: CheckId::WitnessModes,
    what: "Each GPU's modes by amd-smi, by sysfs, and by KFD's nodes: their XCCs make the compute mode, their sizes the memory mode.",
    why: "One witness may lag behind or be wrong; whoever trusts the wrong one places eight jobs on one device.",
    source: "facts/partitions.md sections 4, 5 and 9; facts/amd-smi.md 1.4 and section 5 (amdsmi#100)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List, Query::StaticPartition], sysfs: true, kfd: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "amd-smi-differs",
            what: "amd-smi shows another mode than sysfs and KFD.",
            next: "believe sysfs: amd-smi only reads these files, and what it shows is stale or of another GPU; ask it again",
        },
        FindingAbout {
            id: "sysfs-differs",
            what: "KFD's nodes are not what the mode in sysfs makes.",
            next: "believe KFD: its nodes are what jobs get; the mode was changed and KFD not built again: reload the driver",
        },
        FindingAbout {
            id: "secondary-not-reported",
            what: "amd-smi shows N/A for the modes of secondary partitions (amdsmi#100, from ROCm 6.4.1 on).",
            next: "believe sysfs: the kernel keeps the partition files on the primary device; read modes from partition 0 (amdsmi#100)",
        },
        FindingAbout {
            id: "profile-selector-moved",
            what: "xcp_config names another mode than the one in force: `amd-smi partition -a` as root writes it, and leaves it on the last profile.",
            next: "believe current_compute_partition: xcp_config only selects what the files beside it describe (facts/amd-smi.md 1.4)",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let sockets = own_sockets(look);
    if sockets.is_empty() {
        collector.gap(GapKind::NotReported, "the machine", "neither sysfs nor KFD shows a GPU to compare amd-smi with");
    }
    let rows = calls::rows(&mut collector, Query::StaticPartition, look.static_partition.as_ref());
    let rows: &[StaticPartitionRow] = rows.map(Vec::as_slice).unwrap_or_default();
    let indexes: Vec<u32> = rows.iter().map(|row| row.gpu).collect();
    let devices = join::devices(look, &indexes, &sockets, &join::kfd_devices(&sockets));
    for socket in &sockets {
        let own: Vec<Row<'_>> = rows
            .iter()
            .zip(&devices)
            .filter_map(|(row, device)| device.filter(|bdf| bdf.socket() == socket.bdf).map(|bdf| (row, bdf)))
            .map(|(row, bdf)| Row { partition: bdf.function, row })
            .collect();
        compute(&mut collector, socket, &own);
        memory(&mut collector, socket, &own);
        secondaries(&mut collector, socket, &own);
        selector(&mut collector, socket);
    }
    collector.finish()
}

/// What amd-smi says of one partition.
struct Row<'a> {
    partition: u8,
    row: &'a StaticPartitionRow,
}

fn compute(collector: &mut Collector, socket: &Socket<'_>, rows: &[Row<'_>]) {
    let subject = format!("{} compute partition", socket.name());
    let (sysfs, made) = (socket.compute(), made_by_nodes(socket));
    let shown: Vec<_> = rows.iter().map(|row| (row.partition, &row.row.compute)).collect();
    let mut voices = Voices::default();
    voices.hear("sysfs", &sysfs);
    match &made {
        Ok(made) => voices.hear("KFD", &Reading::Value(made.names())),
        Err(why) => voices.miss("KFD", why.as_str()),
    }
    hear_amd_smi(&mut voices, socket, &shown);
    if voices.too_few(collector, &subject) {
        return;
    }
    if let (Some(mode), Ok(made)) = (sysfs.value(), &made)
        && !made.modes.contains(mode)
    {
        collector.unmet("sysfs-differs", subject, made.words(), format!("{mode} (sysfs)"));
        return;
    }
    let believed = sysfs.value().copied().map(|mode| (mode, "sysfs"));
    let believed = believed.or_else(|| match made.as_ref().map(|made| made.modes.as_slice()) {
        Ok([only]) => Some((*only, "KFD")),
        Ok(_) | Err(_) => None,
    });
    judge_amd_smi(collector, &subject, believed, &shown, &voices);
}

fn memory(collector: &mut Collector, socket: &Socket<'_>, rows: &[Row<'_>]) {
    if socket.unpartitionable() {
        return;
    }
    let subject = format!("{} memory partition", socket.name());
    let sysfs = socket.memory();
    let shown: Vec<_> = rows.iter().map(|row| (row.partition, &row.row.memory)).collect();
    let by_nodes = memory_by_nodes(socket);
    let mut voices = Voices::default();
    voices.hear("sysfs", &sysfs);
    if let Reading::Value(_) = by_nodes {
        voices.hear("KFD", &by_nodes);
    }
    hear_amd_smi(&mut voices, socket, &shown);
    if voices.too_few(collector, &subject) {
        return;
    }
    if let (Some(mode), Some(made)) = (sysfs.value(), by_nodes.value())
        && mode != made
    {
        let expected = format!("{made} by the sizes of the nodes (KFD, believed)");
        collector.unmet("sysfs-differs", subject, expected, format!("{mode} (sysfs)"));
        return;
    }
    let believed = sysfs.value().map(|mode| (*mode, "sysfs")).or(by_nodes.value().map(|mode| (*mode, "KFD")));
    judge_amd_smi(collector, &subject, believed, &shown, &voices);
}

/// amd-smi's word on a GPU is that on its first partition; the other rows repeat it, or say nothing.
fn hear_amd_smi<T: ToString>(voices: &mut Voices, socket: &Socket<'_>, shown: &[(u8, &Reading<T>)]) {
    match shown.iter().find(|(partition, _)| *partition == 0) {
        Some((_, reading)) => voices.hear("amd-smi", reading),
        None if socket.unpartitionable() => voices.miss("amd-smi", "this part has no partitions"),
        None => voices.miss("amd-smi", "no row of this GPU's first partition"),
    }
}

fn judge_amd_smi<T: PartialEq + ToString>(
    collector: &mut Collector,
    subject: &str,
    believed: Option<(T, &str)>,
    shown: &[(u8, &Reading<T>)],
    voices: &Voices,
) {
    let Some((mode, who)) = believed else {
        collector.gap(GapKind::NotReported, subject, format!("nothing to believe: {}", voices.text()));
        return;
    };
    let wrong: Vec<_> = shown
        .iter()
        .filter_map(|(partition, reading)| Some((partition, reading.value()?)))
        .filter(|(_, value)| **value != mode)
        .collect();
    for (partition, value) in &wrong {
        let expected = format!("{} ({who}, believed)", mode.to_string());
        let observed = format!("{} (amd-smi, partition {partition})", value.to_string());
        collector.unmet("amd-smi-differs", subject, expected, observed);
    }
    if wrong.is_empty() {
        collector.met(subject, format!("{} ({who})", mode.to_string()), voices.text());
    }
}

fn secondaries(collector: &mut Collector, socket: &Socket<'_>, rows: &[Row<'_>]) {
    let silent: Vec<String> = rows
        .iter()
        .filter(|row| row.partition > 0)
        .filter(|row| matches!((&row.row.compute, &row.row.memory), (Reading::NotApplicable, Reading::NotApplicable)))
        .map(|row| row.partition.to_string())
        .collect();
    if !silent.is_empty() {
        let observed = format!("N/A for partition {} (amd-smi)", silent.join(", "));
        collector.doubtful("secondary-not-reported", socket.name(), "the modes of its GPU", observed);
    }
}

fn selector(collector: &mut Collector, socket: &Socket<'_>) {
    let Some(selected) = socket.sysfs.and_then(|gpu| gpu.profile_selected.value().copied()) else { return };
    let Some(mode) = socket.compute().value().copied() else { return };
    let subject = format!("{} xcp_config", socket.name());
    let expected = format!("{mode} (current_compute_partition, believed)");
    if selected == mode {
        collector.met(subject, mode.to_string(), format!("{selected} (xcp_config)"));
    } else {
        collector.doubtful("profile-selector-moved", subject, expected, format!("{selected} (xcp_config)"));
    }
}

/// What the KFD nodes of a GPU can be the result of.
struct Made {
    nodes: usize,
    modes: Vec<ComputeMode>,
}

impl Made {
    fn names(&self) -> String {
        let modes: Vec<_> = self.modes.iter().map(|mode| mode.name()).collect();
        if modes.is_empty() { "no mode".to_owned() } else { modes.join(" or ") }
    }

    fn words(&self) -> String {
        let nodes = if self.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", self.nodes) };
        format!("{} by {nodes} (KFD, believed)", self.names())
    }
}

/// The mode by the XCCs of each node, where the part is known, for a node can be missing; else, and in a guest, the modes
/// that make so many nodes of the XCCs that they have together.
fn made_by_nodes(socket: &Socket<'_>) -> Result<Made, String> {
    let nodes = socket.nodes.len();
    if nodes == 0 {
        return Err("no node of this GPU".to_owned());
    }
    let by_part = socket.compute_by_nodes();
    let modes = match &by_part {
        Reading::Value(mode) => vec![*mode],
        Reading::Malformed { problem, .. } => return Err(problem.clone()),
        Reading::NotApplicable | Reading::NotReported => {
            let xccs: Option<Vec<u32>> = socket.nodes.iter().map(|node| node.num_xcc.value().copied()).collect();
            let xccs = xccs.ok_or("num_xcc not reported")?;
            if xccs.iter().any(|other| Some(other) != xccs.first()) {
                return Err("its nodes have different numbers of XCCs".to_owned());
            }
            let whole = xccs.iter().fold(0_u32, |sum, each| sum.saturating_add(*each));
            let makes = |mode: &ComputeMode| usize::try_from(mode.devices(whole)) == Ok(nodes);
            ComputeMode::ALL.into_iter().filter(makes).collect()
        }
    };
    Ok(Made { nodes, modes })
}

/// The memory mode by the sizes of a GPU's nodes. Where the part has one mode only they tell nothing.
fn memory_by_nodes(socket: &Socket<'_>) -> Reading<MemoryMode> {
    let (parts, _) = socket.parts();
    let several = parts.first().is_some_and(|part| part.memory_modes.len() > 1);
    if several && !socket.nodes.is_empty() { socket.memory_by_nodes() } else { Reading::NotReported }
}
