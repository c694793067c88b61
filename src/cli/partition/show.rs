//! `validate partition show`: all witnesses side by side.

use clap::Args;

use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::domain::Ended;
use crate::partition::{Cell, GpuRow, Sides, Table, table};
use crate::run::{Wanted, look};
use crate::topology::sockets;
use crate::witness::Snapshot;
use crate::witness::amd_smi::{Format, Query};

use super::choose::{MachineArgs, Session, places};
use super::page::{self, Page};

/// Below the options of `--help`.
pub const HELP: &str = "\
Examples:
  validate partition show
  validate partition show --gpu 0
  validate partition show --host DIR --format json | jq '.gpus[].logical[].hip_index'

What amd-smi, sysfs, KFD and HIP say, side by side: modes, number of devices, and of each device its KFD node, HIP index,
render node and memory (its UUID in the JSON document). A value that contradicts the witness that is believed is marked with `!`; `-` is a witness that
says nothing, and an empty cell one that is never asked for this. An amd-smi that hangs is stopped after 5 s and is absent.

Exit codes: 0 shown, 64 usage error, 69 there is no GPU, 130 and 143 interrupted";

/// Contradictions that are written out in words.
const WRITTEN_OUT: usize = 6;

/// Options of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    machine: MachineArgs,
    /// How to print
    #[arg(long, value_enum, value_name = "KIND", default_value = "human")]
    format: page::Format,
}

/// Shows.
///
/// # Errors
/// There is no such host or GPU.
pub fn run(args: &ShowArgs) -> Outcome {
    let session = Session::to_look(&args.machine.host)?;
    let seen = seen(&session);
    if let Some(signal) = session.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    let all = sockets(&seen);
    let chosen = places(&args.machine, &all)?;
    let shown = table(&seen, &all, &chosen);
    let text = match args.format {
        page::Format::Json => page::json(&shown)?,
        page::Format::Human => human(&shown, &session.about()),
    };
    console::print(text.as_bytes()).map_err(Failure::unavailable)?;
    Ok(Exit::Done)
}

/// The tool is asked further questions only when it answers the first: one that hangs costs one deadline, not four.
fn seen(session: &Session) -> Snapshot {
    let look = |wanted: &Wanted| look(&session.host, wanted, Format::Json, &session.asking);
    let first = look(&Wanted { queries: [Query::List].into(), hip: true, ..Wanted::trees() });
    let ended = first.list.as_ref().map(|list| &list.call.ended);
    if !matches!(ended, Some(Ended::Exited { .. })) {
        return first;
    }
    let queries = [Query::Version, Query::StaticPartition, Query::StaticVram].into();
    let more = look(&Wanted { queries, ..Wanted::default() });
    Snapshot { version: more.version, static_partition: more.static_partition, vram: more.vram, ..first }
}

fn human(shown: &Table, about: &str) -> String {
    let mut page = Page::new();
    let row = |gpu: &GpuRow| {
        let side = |sides: &Sides, pick: fn(&Sides) -> &Cell| text(pick(sides));
        let index = format!("{}", gpu.index);
        let (compute, memory, devices) = (&gpu.compute, &gpu.memory, &gpu.devices);
        vec![
            index,
            gpu.gpu.to_string(),
            side(compute, |sides| &sides.sysfs),
            side(compute, |sides| &sides.amd_smi),
            side(memory, |sides| &sides.sysfs),
            side(memory, |sides| &sides.amd_smi),
            side(devices, |sides| &sides.sysfs),
            side(devices, |sides| &sides.kfd),
            side(devices, |sides| &sides.amd_smi),
            side(devices, |sides| &sides.hip),
        ]
    };
    // Ten columns are 80 wide: no wider than a terminal that nobody has widened.
    let header = [
        "#",
        "GPU",
        "compute\nsysfs",
        "\namd-smi",
        "memory\nsysfs",
        "\namd-smi",
        "devices\nby mode",
        "\nKFD",
        "\namd-smi",
        "\nHIP",
    ];
    page.table(&header, shown.gpus.iter().map(row).collect());
    let devices = shown.gpus.iter().flat_map(|gpu| &gpu.logical).map(|device| {
        vec![
            text(&device.device),
            device.node.to_string(),
            device.hip_index.to_string(),
            text(&device.render),
            text(&device.amd_smi_index),
            text(&device.memory.kfd),
            text(&device.memory.amd_smi),
            text(&device.memory.hip),
        ]
    });
    let header =
        ["device", "KFD\nnode", "HIP\nindex", "render\nnode", "amd-smi\nindex", "memory\nKFD", "\namd-smi", "\nHIP"];
    page.table(&header, devices.collect());
    page.labelled("part", &parts(&shown.gpus));
    for witness in &shown.witnesses {
        let state = if witness.answers { witness.note.clone() } else { format!("absent: {}", witness.note) };
        page.labelled(witness.name, &state);
    }
    for difference in shown.differences.iter().take(WRITTEN_OUT) {
        page.labelled("differs", difference);
    }
    if let Some(more) = shown.differences.len().checked_sub(WRITTEN_OUT).filter(|more| *more > 0) {
        page.labelled("", &format!("and {more} more, marked with `!` above"));
    }
    page.labelled("on", about);
    page.text()
}

/// One name where all are alike, else the name of each.
fn parts(gpus: &[GpuRow]) -> String {
    match gpus.first() {
        Some(first) if gpus.iter().all(|gpu| gpu.part == first.part) => first.part.clone(),
        Some(_) | None => gpus.iter().map(|gpu| format!("{}: {}", gpu.index, gpu.part)).collect::<Vec<_>>().join(", "),
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Said(text) => text.clone(),
        Cell::Contradicts(text) => format!("! {text}"),
        Cell::Silent(_) => "-".to_owned(),
        Cell::NoWitness => String::new(),
    }
}
