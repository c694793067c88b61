//! `partition show`: what each witness says of each GPU and each of its logical devices, side by side. Nothing is judged
//! but whether two of them say the same.

use serde::Serialize;

use crate::domain::{Bdf, Bytes, Ended, Reading};
use crate::topology::{LogicalDevice, Socket, join, logical_devices};
use crate::witness::amd_smi::{StaticPartitionRow, VramRow};
use crate::witness::{HipDevice, Snapshot};

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// Version of this document.
    pub schema: u32,
    /// Who was asked, and who answered.
    pub witnesses: Vec<Witness>,
    /// The GPUs, in PCI order.
    pub gpus: Vec<GpuRow>,
    /// Where witnesses contradict each other, in words.
    pub differences: Vec<String>,
}

/// One witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// Its name.
    pub name: &'static str,
    /// Whether it answered.
    pub answers: bool,
    /// Its version, or why it is absent.
    pub note: String,
}

/// One physical GPU.
#[derive(Debug, Clone, Serialize)]
pub struct GpuRow {
    /// Place in PCI order: what `--gpu` takes.
    pub index: usize,
    /// Address.
    pub gpu: Bdf,
    /// Parts that its PCI id names.
    pub part: String,
    /// `unique_id` of sysfs.
    pub unique_id: Cell,
    /// Compute mode.
    pub compute: Sides,
    /// Memory mode.
    pub memory: Sides,
    /// Number of logical devices; under sysfs what its compute mode makes.
    pub devices: Sides,
    /// The logical devices, by KFD.
    pub logical: Vec<DeviceRow>,
}

/// One logical device.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceRow {
    /// Address with the partition.
    pub device: Cell,
    /// KFD node.
    pub node: u32,
    /// HIP index.
    pub hip_index: u32,
    /// Render minor by KFD.
    pub render: Cell,
    /// Index of amd-smi.
    pub amd_smi_index: Cell,
    /// UUID by amd-smi.
    pub uuid: Cell,
    /// Memory.
    pub memory: Sides,
}

/// What each witness says of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sides {
    /// amd-smi.
    pub amd_smi: Cell,
    /// sysfs.
    pub sysfs: Cell,
    /// KFD.
    pub kfd: Cell,
    /// HIP.
    pub hip: Cell,
}

/// What one witness says of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub enum Cell {
    /// This, and nobody who is believed before it says otherwise.
    Said(String),
    /// This, in contradiction to the witness that is believed.
    Contradicts(String),
    /// Nothing that can be used, for this reason.
    Silent(String),
    /// It never says anything of this.
    NoWitness,
}

impl Cell {
    fn of<T>(reading: &Reading<T>, text: impl Fn(&T) -> String) -> Self {
        match reading.value() {
            Some(value) => Self::Said(text(value)),
            None => Self::Silent(reading.absence().unwrap_or_default()),
        }
    }

    fn said(&self) -> Option<&str> {
        match self {
            Self::Said(text) | Self::Contradicts(text) => Some(text),
            Self::Silent(_) | Self::NoWitness => None,
        }
    }

    /// Marks a value that is not the one that is believed.
    fn against(self, believed: Option<&str>) -> Self {
        match self {
            Self::Said(text) if believed.is_some_and(|believed| believed != text) => Self::Contradicts(text),
            other @ (Self::Said(_) | Self::Contradicts(_) | Self::Silent(_) | Self::NoWitness) => other,
        }
    }
}

impl Sides {
    /// Holds every side against the first that speaks, in the order of belief: sysfs, KFD, HIP, amd-smi.
    fn compared(self) -> Self {
        let order = [&self.sysfs, &self.kfd, &self.hip, &self.amd_smi];
        let believed = order.into_iter().find_map(Cell::said).map(str::to_owned);
        let against = |cell: Cell| cell.against(believed.as_deref());
        Self {
            amd_smi: against(self.amd_smi),
            sysfs: against(self.sysfs),
            kfd: against(self.kfd),
            hip: against(self.hip),
        }
    }

    /// Each side with its name.
    pub const fn each(&self) -> [(&'static str, &Cell); 4] {
        [("amd-smi", &self.amd_smi), ("sysfs", &self.sysfs), ("KFD", &self.kfd), ("HIP", &self.hip)]
    }

    /// `compute partition: sysfs CPX, amd-smi SPX`, where a side contradicts.
    fn difference(&self, what: &str) -> Option<String> {
        let each = self.each();
        each.iter().any(|(_, cell)| matches!(cell, Cell::Contradicts(_))).then(|| {
            let said: Vec<_> = each.iter().filter_map(|(who, cell)| Some(format!("{who} {}", cell.said()?))).collect();
            format!("{what}: {}", said.join(", "))
        })
    }
}

/// Puts everything side by side. `chosen` are places in `sockets`.
pub fn table(look: &Snapshot, sockets: &[Socket<'_>], chosen: &[usize]) -> Table {
    let logical = logical_devices(look);
    let smi = Smi::of(look, sockets);
    let gpus: Vec<GpuRow> = chosen
        .iter()
        .filter_map(|&index| Some((index, sockets.get(index)?)))
        .map(|(index, socket)| gpu(index, socket, look, &logical, &smi))
        .collect();
    let mut differences = Vec::new();
    for gpu in &gpus {
        let of_gpu =
            [("compute partition", &gpu.compute), ("memory partition", &gpu.memory), ("logical devices", &gpu.devices)];
        let name = |text: String| format!("GPU {}: {text}", gpu.gpu);
        differences.extend(of_gpu.into_iter().filter_map(|(what, sides)| sides.difference(what)).map(name));
        for device in &gpu.logical {
            let name =
                |text: String| format!("{}: {text}", device.device.said().unwrap_or("a device of no known address"));
            differences.extend(device.memory.difference("memory").map(name));
        }
    }
    Table { schema: 1, witnesses: witnesses(look), gpus, differences }
}

/// amd-smi's rows, with the logical device that each is about.
struct Smi<'a> {
    look: &'a Snapshot,
    by_index: Vec<(u32, Option<Bdf>)>,
}

impl<'a> Smi<'a> {
    fn of(look: &'a Snapshot, sockets: &[Socket<'_>]) -> Self {
        let rows = look.list.as_ref().and_then(|list| list.answer.value.value());
        let indexes: Vec<u32> = rows.into_iter().flatten().map(|row| row.gpu).collect();
        let devices = join::devices(look, &indexes, sockets, &join::kfd_devices(sockets));
        Self { look, by_index: indexes.into_iter().zip(devices).collect() }
    }

    fn index(&self, device: Bdf) -> Option<u32> {
        self.by_index.iter().find(|(_, found)| *found == Some(device)).map(|(index, _)| *index)
    }

    fn listed(&self, socket: Bdf) -> usize {
        self.by_index.iter().filter(|(_, found)| found.is_some_and(|found| found.socket() == socket)).count()
    }

    fn modes(&self, index: u32) -> Option<&'a StaticPartitionRow> {
        let rows = self.look.static_partition.as_ref()?.answer.value.value()?;
        rows.iter().find(|row| row.gpu == index)
    }

    fn vram(&self, index: u32) -> Option<&'a VramRow> {
        self.look.vram.as_ref()?.answer.value.value()?.iter().find(|row| row.gpu == index)
    }
}

fn gpu(index: usize, socket: &Socket<'_>, look: &Snapshot, logical: &[LogicalDevice<'_>], smi: &Smi<'_>) -> GpuRow {
    let (parts, _) = socket.parts();
    let names: Vec<_> = parts.iter().map(|part| part.id.as_str()).collect();
    // Modes are read from partition 0: secondaries show N/A on some releases.
    let modes = smi.index(socket.bdf).and_then(|index| smi.modes(index));
    let by_tool = |cell: Option<Cell>| cell.unwrap_or_else(|| Cell::Silent("not reported".to_owned()));
    let name = ToString::to_string;
    let hip = look.hip.as_ref().and_then(Reading::value);
    let expected = socket.compute().value().and_then(|compute| Some(compute.devices(parts.first()?.xccs)));
    let compute = Sides {
        amd_smi: by_tool(modes.map(|row| Cell::of(&row.compute, name))),
        sysfs: Cell::of(&socket.compute(), name),
        kfd: Cell::NoWitness,
        hip: Cell::NoWitness,
    };
    let memory = Sides {
        amd_smi: by_tool(modes.map(|row| Cell::of(&row.memory, ToString::to_string))),
        sysfs: Cell::of(&socket.memory(), ToString::to_string),
        kfd: Cell::NoWitness,
        hip: Cell::NoWitness,
    };
    let count = |known: bool, count: usize| if known { Cell::Said(count.to_string()) } else { absent() };
    let on_socket = |device: &&HipDevice| device.bdf.value().is_some_and(|bdf| bdf.socket() == socket.bdf);
    let devices = Sides {
        amd_smi: count(!smi.by_index.is_empty(), smi.listed(socket.bdf)),
        sysfs: expected.map_or_else(absent, |expected| Cell::Said(expected.to_string())),
        kfd: count(look.kfd.is_some(), socket.nodes.len()),
        hip: count(hip.is_some(), hip.into_iter().flatten().filter(on_socket).count()),
    };
    let of_socket = |device: &&LogicalDevice<'_>| device.node.bdf.value().is_some_and(|bdf| bdf.socket() == socket.bdf);
    let unique_id = socket.sysfs.map_or(Reading::NotReported, |gpu| gpu.unique_id.clone());
    GpuRow {
        index,
        gpu: socket.bdf,
        part: if names.is_empty() { "unknown part".to_owned() } else { names.join(" or ") },
        unique_id: Cell::of(&unique_id, |id| format!("{id:016x}")),
        compute: compute.compared(),
        memory: memory.compared(),
        devices: devices.compared(),
        logical: logical.iter().filter(of_socket).map(|device| logical_row(device, socket, look, smi)).collect(),
    }
}

fn logical_row(device: &LogicalDevice<'_>, socket: &Socket<'_>, look: &Snapshot, smi: &Smi<'_>) -> DeviceRow {
    let node = device.node;
    let index = node.bdf.value().and_then(|bdf| smi.index(*bdf));
    let rows = look.list.as_ref().and_then(|list| list.answer.value.value());
    let listed = rows.into_iter().flatten().find(|row| Some(row.gpu) == index);
    let vram = index.and_then(|index| smi.vram(index));
    let hip = look.hip.as_ref().and_then(Reading::value);
    let hip = hip.and_then(|devices| devices.iter().find(|each| each.index == device.hip_index));
    // amd-smi prints whole MiB, rounded down.
    let mib = |size: &Bytes| format!("{} MiB", size.mib());
    let whole = if let [_] = socket.nodes[..] { socket.sysfs.map(|gpu| Cell::of(&gpu.vram_total, mib)) } else { None };
    let memory = Sides {
        amd_smi: vram.map_or_else(absent, |row| Cell::of(&row.total, mib)),
        // sysfs knows the whole GPU only: a witness of a device where there is but one.
        sysfs: whole.unwrap_or(Cell::NoWitness),
        kfd: Cell::of(&node.memory, mib),
        hip: hip.map_or_else(absent, |device| Cell::of(&device.total, mib)),
    };
    DeviceRow {
        device: Cell::of(&node.bdf, ToString::to_string),
        node: node.node,
        hip_index: device.hip_index,
        render: Cell::of(&node.render_minor, |minor| format!("renderD{minor}")),
        amd_smi_index: index.map_or_else(absent, |index| Cell::Said(index.to_string())),
        uuid: listed.map_or_else(absent, |row| Cell::of(&row.uuid, Clone::clone)),
        memory: memory.compared(),
    }
}

fn absent() -> Cell {
    Cell::Silent("not reported".to_owned())
}

fn witnesses(look: &Snapshot) -> Vec<Witness> {
    let there = |name, answers: bool, note: String| Witness { name, answers, note };
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let tool = match &look.list {
        None => there("amd-smi", false, "not asked".to_owned()),
        Some(asked) => {
            let version = look.version.as_ref().and_then(|asked| asked.answer.value.value());
            let version = version.and_then(|report| report.tool.value()).map(ToString::to_string);
            match (&asked.call.ended, &asked.answer.failure, asked.answer.value.value()) {
                (_, _, Some(rows)) => {
                    let listed = count(rows.len(), "device");
                    there(
                        "amd-smi",
                        true,
                        version.map_or_else(|| listed.clone(), |version| format!("{version}, {listed}")),
                    )
                }
                (Ended::Exited { .. }, Some(failure), None) => there("amd-smi", false, failure.text.clone()),
                (ended, _, None) => there("amd-smi", false, ended.to_string()),
            }
        }
    };
    let sysfs = look.sysfs.as_deref().unwrap_or_default();
    let kfd = match &look.kfd {
        Some(nodes) => there("KFD", true, count(nodes.len(), "GPU node")),
        None => there("KFD", false, "no topology".to_owned()),
    };
    let hip = match &look.hip {
        Some(Reading::Value(devices)) => there("HIP", true, count(devices.len(), "device")),
        Some(Reading::NotReported) => there("HIP", false, "no HIP runtime here".to_owned()),
        Some(absent @ (Reading::NotApplicable | Reading::Malformed { .. })) => {
            there("HIP", false, absent.absence().unwrap_or_default())
        }
        None => there("HIP", false, "not asked".to_owned()),
    };
    vec![tool, there("sysfs", !sysfs.is_empty(), count(sysfs.len(), "GPU")), kfd, hip]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{ComputeMode, MemoryMode};
    use crate::partition::samples;
    use crate::topology::sockets;
    use crate::witness::amd_smi::{Answer, ListRow};
    use crate::witness::{Asked, Call};

    fn asked<T>(value: Reading<T>, ended: Ended) -> Asked<T> {
        let call = Call { args: Vec::new(), ended, stdout: Vec::new(), stderr: Vec::new(), took: Duration::ZERO };
        Asked { call, answer: Answer { documents: 1, stray: None, failure: None, value } }
    }

    /// One MI300X in CPX/NPS4 of which sysfs, KFD and amd-smi say the same.
    fn machine() -> Snapshot {
        let (compute, memory) = (Reading::Value(ComputeMode::Cpx), Reading::Value(MemoryMode::Nps4));
        let nodes: Vec<_> = (0..8).map(|at| samples::node("0000:05:00.0", at)).collect();
        let list = (0..).zip(&nodes).map(|(gpu, node)| ListRow {
            gpu,
            bdf: node.bdf.clone(),
            uuid: Reading::Value(format!("uuid-{gpu}")),
            kfd_id: Reading::NotReported,
            node_id: Reading::NotReported,
            partition_id: Reading::NotReported,
        });
        let row = StaticPartitionRow {
            gpu: 0,
            compute: compute.clone(),
            memory: memory.clone(),
            partition_id: Reading::Value(0),
        };
        let vram =
            (0..8).map(|gpu| VramRow { gpu, total: Reading::Value(Bytes(24 << 30)), used: Reading::NotReported });
        let well = || Ended::Exited { code: 0 };
        Snapshot {
            list: Some(asked(Reading::Value(list.collect()), well())),
            static_partition: Some(asked(Reading::Value(vec![row]), well())),
            vram: Some(asked(Reading::Value(vram.collect()), well())),
            sysfs: Some(vec![samples::gpu("0000:05:00.0", 0x74a1, compute, memory)]),
            kfd: Some(nodes),
            hip: Some(Reading::NotReported),
            ..Snapshot::default()
        }
    }

    fn shown(look: &Snapshot) -> Table {
        table(look, &sockets(look), &[0])
    }

    #[test]
    fn witnesses_that_agree_stand_side_by_side() {
        let table = shown(&machine());
        assert!(table.differences.is_empty(), "{:?}", table.differences);
        let gpu = &table.gpus[0];
        assert_eq!((&gpu.compute.sysfs, &gpu.compute.amd_smi), (&Cell::Said("CPX".into()), &Cell::Said("CPX".into())));
        assert_eq!((&gpu.devices.kfd, &gpu.devices.sysfs), (&Cell::Said("8".into()), &Cell::Said("8".into())));
        assert_eq!(gpu.logical[3].uuid, Cell::Said("uuid-3".into()));
        assert_eq!(gpu.logical[3].memory.sysfs, Cell::NoWitness, "sysfs knows the whole GPU only");
    }

    #[test]
    fn a_contradiction_is_marked_at_the_witness_that_is_not_believed() {
        type Change = fn(&mut Snapshot);
        let cases: [(&str, Change); 4] = [
            ("GPU 0000:05:00.0: compute partition: amd-smi SPX, sysfs CPX", |look| {
                let Some(Asked { answer: Answer { value: Reading::Value(rows), .. }, .. }) = &mut look.static_partition
                else {
                    panic!("no rows")
                };
                rows[0].compute = Reading::Value(ComputeMode::Spx);
            }),
            ("GPU 0000:05:00.0: logical devices: amd-smi 8, sysfs 8, KFD 7", |look| {
                look.kfd.as_mut().unwrap().pop();
            }),
            ("0000:05:00.1: memory: amd-smi 196592 MiB, KFD 24576 MiB", |look| {
                let Some(Asked { answer: Answer { value: Reading::Value(rows), .. }, .. }) = &mut look.vram else {
                    panic!("no rows")
                };
                rows[1].total = Reading::Value(Bytes(196_592 << 20));
            }),
            ("0000:05:00.2: memory: amd-smi 24576 MiB, KFD 24576 MiB, HIP 1024 MiB", |look| {
                let bdf = Reading::Value("0000:05:00.0".parse().unwrap());
                let total = Reading::Value(Bytes(1 << 30));
                let device =
                    |index| HipDevice { index, bdf: bdf.clone(), total: total.clone(), free: Reading::NotReported };
                look.hip = Some(Reading::Value((2..3).map(device).collect()));
            }),
        ];
        for (expected, change) in cases {
            let mut look = machine();
            change(&mut look);
            let table = shown(&look);
            assert!(table.differences.iter().any(|each| each == expected), "{expected}: {:?}", table.differences);
        }
    }

    #[test]
    fn a_witness_that_is_absent_contradicts_nobody_and_says_why() {
        let mut look = machine();
        look.list = Some(asked(Reading::NotReported, Ended::TimedOut { limit: crate::domain::Limit::Deadline }));
        (look.static_partition, look.vram) = (None, None);
        let table = shown(&look);
        assert!(table.differences.is_empty(), "{:?}", table.differences);
        let absent: Vec<_> = table.witnesses.iter().filter(|each| !each.answers).collect();
        assert_eq!(absent.iter().map(|each| each.name).collect::<Vec<_>>(), ["amd-smi", "HIP"]);
        assert!(absent[0].note.contains("deadline") && absent[1].note.contains("no HIP runtime"), "{absent:?}");
        assert!(matches!(table.gpus[0].logical[0].amd_smi_index, Cell::Silent(_)));
    }
}
