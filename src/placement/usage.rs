//! The ledger set against what is measured.

use serde::Serialize;

use crate::domain::{Bdf, Bytes, Reading};
use crate::facts::TOLERANCES;
use crate::witness::Snapshot;

use super::{Book, Device, Held, Present, Share};

/// What the ledger says of a machine, and what the machine shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    /// Each device.
    pub devices: Vec<Row>,
    /// Models on devices that are not there any more.
    pub gone: Vec<Held>,
    /// What has changed since models were placed: the ledger does not hold for this machine any more.
    pub changes: Vec<String>,
    /// Where ledger and measurement differ.
    pub differences: Vec<String>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its address; the function digit is the partition.
    pub device: Bdf,
    /// `CPX/NPS4`.
    pub modes: String,
    /// Total memory.
    pub total: Bytes,
    /// What its models may use together.
    pub held: Bytes,
    /// That in percent of the total, rounded up.
    pub held_percent: u64,
    /// What is in use, where anybody says.
    pub used: Option<Bytes>,
    /// What may still be placed.
    pub left: Bytes,
    /// Its models.
    pub models: Vec<Held>,
    /// Processes that hold memory of it.
    pub holders: Vec<Holder>,
}

/// A process that holds memory of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Its name, where it is reported.
    pub name: Option<String>,
    /// What it holds.
    pub memory: Bytes,
}

/// Compares, for some of the devices of a machine; `ceiling` is the share that models may have.
pub fn usage(book: &Book, present: Present<'_>, on: &[Bdf], look: &Snapshot, ceiling: Share) -> Usage {
    let row = |device: &Device| {
        let held = book.held_on(device.bdf, device.total);
        let percent = u128::from(held.0) * 100;
        Row {
            device: device.bdf,
            modes: device.modes(),
            total: device.total,
            held,
            held_percent: u64::try_from(percent.div_ceil(u128::from(device.total.0.max(1)))).unwrap_or(u64::MAX),
            used: device.used.bytes(),
            left: book.left_on(device, ceiling),
            models: book.held().iter().filter(|held| held.device == device.bdf).cloned().collect(),
            holders: holders(look, device),
        }
    };
    let devices: Vec<Row> = present.devices.iter().filter(|device| on.contains(&device.bdf)).map(row).collect();
    let there = |held: &&Held| present.devices.iter().any(|device| device.bdf == held.device);
    Usage {
        gone: book.held().iter().filter(|held| !there(held)).cloned().collect(),
        changes: book.changes(present),
        differences: devices.iter().filter_map(difference).collect(),
        devices,
    }
}

/// An idle device uses some of its memory (page tables, what is pinned for the whole GPU): only what is more than the
/// share that may be missing from its free memory at idle says anything.
fn difference(row: &Row) -> Option<String> {
    let used = row.used?;
    let idle = Bytes(row.total.0 / 100 * (100 - TOLERANCES.hip_free_percent));
    if used.0 > row.held.0.saturating_add(idle.0) {
        let beyond = Bytes(used.0 - row.held.0);
        return Some(format!("{}: {beyond} in use beyond the {} that are placed there", row.device, row.held));
    }
    let waiting = !row.models.is_empty() && used <= idle && row.holders.is_empty();
    waiting.then(|| {
        let numbers: Vec<String> = row.models.iter().map(|held| held.id.to_string()).collect();
        format!("{}: nothing runs there; placed: {} (not started, or ended)", row.device, numbers.join(", "))
    })
}

fn holders(look: &Snapshot, device: &Device) -> Vec<Holder> {
    let processes = look.processes.as_ref().and_then(Reading::value);
    let held = processes.into_iter().flatten().filter_map(|process| {
        let memory = process.vram.get(&device.gpu_id)?.value().copied().filter(|memory| memory.0 > 0)?;
        // A process names itself: what it says is shown to a person.
        let name = process.name.value().map(|name| name.chars().filter(|c| !c.is_control()).take(40).collect());
        Some(Holder { pid: process.pid, name, memory })
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::samples::cpx_nps4;
    use super::super::{Dtype, KvDtype, Selector, Shape, Style, Terms, Used, Wish, devices};
    use super::*;
    use crate::facts::model;
    use crate::witness::KfdProcess;

    const MIB: u64 = 1 << 20;

    /// A ledger with one model on device 6, and the devices, each with so much in use.
    fn placed(used: u64) -> (Book, Vec<Device>) {
        let mut found = devices(&cpx_nps4(1)).usable;
        for device in &mut found {
            device.used = Used::Kernel(Bytes(used));
        }
        let present = Present { machine: "m", boot_id: None, devices: &found };
        let mut book = Book::new(present);
        let shape = Shape::of("q", model("Qwen/Qwen2.5-7B").unwrap()).unwrap();
        let wish = Wish { shape, dtype: Dtype::Bf16, kv: KvDtype::Auto, tokens: 8192, copies: 1 };
        let on: Vec<Bdf> = found.iter().map(|device| device.bdf).collect();
        let style = Style { by: Selector::Best, prefix: None };
        let terms = Terms { on: &on, ceiling: Share::DEFAULT, whole: false, since: "now", style: &style };
        book.place(present, &[wish], terms).unwrap();
        (book, found)
    }

    fn compared(book: &Book, devices: &[Device], look: &Snapshot) -> Usage {
        let on: Vec<Bdf> = devices.iter().map(|device| device.bdf).collect();
        usage(book, Present { machine: "m", boot_id: None, devices }, &on, look, Share::DEFAULT)
    }

    fn process(device: &Device, bytes: u64) -> KfdProcess {
        KfdProcess {
            pid: 41,
            name: Reading::Value("py\u{1b}[31mthon".to_owned()),
            unit: Reading::NotReported,
            vram: BTreeMap::from([(device.gpu_id, Reading::Value(Bytes(bytes)))]),
        }
    }

    #[test]
    fn each_device_says_what_is_held_used_and_left() {
        let (book, mut devices) = placed(0);
        let held = book.held_on(devices[6].bdf, devices[6].total);
        devices[6].used = Used::Kernel(held);
        let usage = compared(&book, &devices, &cpx_nps4(1));
        let row = &usage.devices[6];
        assert_eq!((row.held, row.used, row.models.len()), (held, Some(held), 1));
        assert_eq!(row.left, Bytes(Share::DEFAULT.budget(row.total).0 - held.0));
        assert_eq!(row.held_percent, 70, "{held} of {}", row.total);
        assert_eq!(
            (usage.devices[0].held_percent, usage.devices[0].left),
            (0, Share::DEFAULT.budget(usage.devices[0].total))
        );
        assert!(usage.differences.is_empty() && usage.changes.is_empty() && usage.gone.is_empty(), "{usage:?}");
    }

    #[test]
    fn more_in_use_than_is_placed_and_nothing_where_something_is_are_told() {
        let (book, mut devices) = placed(200 * MIB);
        let waiting = compared(&book, &devices, &cpx_nps4(1)).differences;
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        assert!(waiting[0].contains(": nothing runs there; placed: 1 ("), "{waiting:?}");

        devices[6].used = Used::Kernel(Bytes(16 << 30));
        devices[2].used = Used::Kernel(Bytes(10 << 30));
        let beyond = compared(&book, &devices, &cpx_nps4(1)).differences;
        assert_eq!(beyond, [format!("{}: 10240 MiB in use beyond the 0 bytes that are placed there", devices[2].bdf)]);

        devices[2].used = Used::Unknown;
        assert!(
            compared(&book, &devices, &cpx_nps4(1)).differences.is_empty(),
            "what nobody says differs from nothing"
        );
    }

    #[test]
    fn the_processes_of_a_device_are_named_without_control_characters() {
        let (book, devices) = placed(0);
        let mut look = cpx_nps4(1);
        look.processes = Some(Reading::Value(vec![process(&devices[6], 5 * MIB), process(&devices[1], 0)]));
        let usage = compared(&book, &devices, &look);
        let holder = Holder { pid: 41, name: Some("py[31mthon".to_owned()), memory: Bytes(5 * MIB) };
        assert_eq!(usage.devices[6].holders, [holder]);
        assert!(usage.devices[1].holders.is_empty());
        assert!(usage.differences.is_empty(), "a process is there: {:?}", usage.differences);
    }

    #[test]
    fn models_on_devices_that_are_gone_are_listed() {
        let (book, mut devices) = placed(0);
        devices.remove(6);
        let usage = compared(&book, &devices, &cpx_nps4(1));
        assert_eq!((usage.gone.len(), usage.devices.len()), (1, 7));
        assert!(usage.changes[0].contains("8 logical devices and has 7"), "{:?}", usage.changes);
    }
}
