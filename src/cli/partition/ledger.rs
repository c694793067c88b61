//! `validate partition place`, `release` and `usage`: which models were given which share of which device.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde::Serialize;

use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::domain::{Bdf, Provenance};
use crate::host::Host;
use crate::ledger::{Ledger, LedgerError};
use crate::placement::{
    Book, Device, Held, Instance, NotPlaced, Present, Row, Share, Terms, Usage, devices, devices_of, usage,
};
use crate::run::Clock;
use crate::topology::sockets;
use crate::witness::Snapshot;

use super::choose::{HostArgs, MachineArgs, Session, places};
use super::models::ModelArgs;
use super::page::{self, Format, Page};
use super::plan_models::{gib, looked, show_instance, told};
use super::state;

/// Below the options of `place --help`.
pub const PLACE_HELP: &str = "\
Examples:
  validate partition place --model meta-llama/Llama-3.1-8B-Instruct --dtype fp16
  validate partition place --model 'Qwen/Qwen2.5-0.5B x 12' --gpu 0
  validate partition place --model Qwen/Qwen2.5-14B --whole-device --env-prefix AIM

Writes into the ledger what each instance may use, and prints what to use for it: the least share
that holds one longest request, or the whole device. All instances are placed, or none. The ledger
is this user's; for one that several users keep, give all of them the same --state.

Exit codes: 0 placed, 1 refused: no room, or the machine has changed since others were placed,
64 usage error, 69 there is no GPU or the ledger cannot be used, 130 and 143 interrupted";

/// Below the options of `release --help`.
pub const RELEASE_HELP: &str = "\
Examples:
  validate partition release 3
  validate partition release --all           after a reboot or a change of modes

Exit codes: 0 released, 64 nothing is placed under that number, 69 the ledger cannot be used";

/// Below the options of `usage --help`.
pub const USAGE_HELP: &str = "\
Examples:
  validate partition usage
  validate partition usage --format json | jq '.devices[] | {device, left}'

Sets what was placed against what is in use: HIP's free memory, else KFD's processes and what the
GPU uses beside them.

Exit codes: 0 they agree, 1 they differ or the machine has changed, 64 usage error, 69 there is no
GPU or the ledger cannot be used, 130 and 143 interrupted";

/// Version of the documents that `--format json` prints.
const SCHEMA: u32 = 1;

/// Where the ledger is.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// Folder of the ledger [default: in a simulated host; else the state folder of this user, one for each machine]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Options of `place`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("served").args(["models", "params"]).required(true).multiple(true))]
pub struct PlaceArgs {
    #[command(flatten)]
    models: ModelArgs,
    /// Give a model with nothing else on its device all that models may have of it
    #[arg(long)]
    whole_device: bool,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    state: StateArgs,
    /// How to print
    #[arg(long, value_enum, value_name = "KIND", default_value = "human")]
    format: Format,
}

/// Options of `release`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").args(["ids", "all"]).required(true))]
pub struct ReleaseArgs {
    /// Numbers that `place` gave
    #[arg(value_name = "NUMBER")]
    ids: Vec<u64>,
    /// Every model
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    machine: HostArgs,
    #[command(flatten)]
    state: StateArgs,
}

/// Options of `usage`.
#[derive(Debug, Args)]
pub struct UsageArgs {
    /// Most of a device that its models may have together
    #[arg(long, value_name = "SHARE", default_value_t = Share::DEFAULT)]
    gpu_memory_utilization: Share,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    state: StateArgs,
    /// How to print
    #[arg(long, value_enum, value_name = "KIND", default_value = "human")]
    format: Format,
}

/// What was placed.
#[derive(Serialize)]
struct PlacedDocument<'a> {
    schema: u32,
    provenance: Provenance,
    machine: &'a str,
    ledger: String,
    placed: Vec<PlacedRow<'a>>,
}

#[derive(Serialize)]
struct PlacedRow<'a> {
    number: u64,
    #[serde(flatten)]
    instance: &'a Instance,
}

/// How ledger and machine stand.
#[derive(Serialize)]
struct UsageDocument<'a> {
    schema: u32,
    provenance: Provenance,
    machine: &'a str,
    ledger: String,
    #[serde(flatten)]
    usage: &'a Usage,
}

/// A machine, looked at.
struct Looked {
    session: Session,
    seen: Snapshot,
    devices: Vec<Device>,
    about: String,
}

impl Looked {
    fn at(session: Session) -> Self {
        let seen = looked(&session);
        let about = session.about();
        let devices = devices(&seen).usable;
        Self { session, seen, devices, about }
    }

    fn present(&self) -> Present<'_> {
        let boot_id = self.seen.kernel.as_ref().and_then(|kernel| kernel.boot_id.value());
        Present { machine: &self.about, boot_id: boot_id.map(String::as_str), devices: &self.devices }
    }

    /// Addresses of the devices of the GPUs that are meant.
    fn chosen(&self, machine: &MachineArgs) -> Result<Vec<Bdf>, Failure> {
        let all = sockets(&self.seen);
        let gpus: Vec<_> = places(machine, &all)?.into_iter().filter_map(|place| all.get(place)).collect();
        Ok(devices_of(&self.seen, &gpus).usable.iter().map(|device| device.bdf).collect())
    }
}

/// Places.
///
/// # Errors
/// A model or GPU is not known, or the ledger cannot be used.
pub fn place(args: &PlaceArgs) -> Outcome {
    let wishes = args.models.wishes()?;
    let looked = Looked::at(Session::open(&args.machine.host)?);
    let on = looked.chosen(&args.machine)?;
    let ledger = ledger(&args.state, &looked.session.host)?;
    let (since, style) = (Clock::now(), args.models.style());
    let terms =
        Terms { on: &on, ceiling: args.models.ceiling(), whole: args.whole_device, since: &since, style: &style };
    if let Some(signal) = looked.session.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    let done = ledger.update(|book| {
        let mut book = book.unwrap_or_else(|| Book::new(looked.present()));
        let placed = book.place(looked.present(), &wishes, terms)?;
        Ok((book, placed))
    });
    let placed = match done.map_err(unusable)? {
        Ok(placed) => placed,
        Err(refused) => return not_placed(&refused, &looked.about),
    };
    let text = match args.format {
        Format::Json => page::json(&PlacedDocument {
            schema: SCHEMA,
            provenance: looked.session.host.provenance(),
            machine: &looked.about,
            ledger: ledger.path().display().to_string(),
            placed: placed.iter().map(|(number, instance)| PlacedRow { number: *number, instance }).collect(),
        })?,
        Format::Human => {
            let mut page = Page::new();
            for (number, instance) in &placed {
                page.labelled("number", &format!("{number}: `validate partition release {number}` gives it back"));
                show_instance(&mut page, instance);
                page.gap();
            }
            page.labelled("ledger", &ledger.path().display().to_string());
            page.labelled("on", &looked.about);
            page.text()
        }
    };
    printed(&text)?;
    Ok(Exit::Done)
}

/// Nothing was placed: why, and the next step.
fn not_placed(refused: &NotPlaced, about: &str) -> Outcome {
    let mut page = Page::new();
    page.labelled("refused", &format!("{refused}; nothing was placed"));
    match refused {
        NotPlaced::Changed(changes) => {
            for change in changes {
                page.labelled("", change);
            }
            page.labelled("next", "validate partition release --all forgets what was placed");
        }
        NotPlaced::NoRoom(lacking) => {
            for each in lacking {
                page.labelled("", &told(each));
            }
            page.labelled(
                "next",
                "validate partition usage says what is left; validate partition plan --model in which modes it fits",
            );
        }
        NotPlaced::Full(_) => page.labelled("next", "validate partition release"),
        NotPlaced::NoUuid(_) => return Err(Failure::usage(refused.clone())),
    }
    page.labelled("on", about);
    printed(&page.text())?;
    Ok(Exit::Run(1))
}

/// Releases.
///
/// # Errors
/// A number is not in the ledger, or the ledger cannot be used.
pub fn release(args: &ReleaseArgs) -> Outcome {
    let host = args.machine.open()?;
    let ledger = ledger(&args.state, &host)?;
    if ledger.read().map_err(unusable)?.is_none() {
        return nothing_placed(args);
    }
    let done = ledger.update(|book| {
        let Some(mut book) = book else { return Err(Failure::usage(anyhow!(NOTHING))) };
        let gone = if args.all { book.release_all() } else { book.release(&args.ids).map_err(Failure::usage)? };
        Ok((book, gone))
    });
    let gone: Vec<Held> = done.map_err(unusable)??;
    let line = |held: &Held| format!("released {}: {} on {}, share {}\n", held.id, held.model, held.device, held.share);
    printed(&match gone.as_slice() {
        [] => format!("{NOTHING}\n"),
        gone => gone.iter().map(line).collect(),
    })?;
    Ok(Exit::Done)
}

const NOTHING: &str = "nothing is placed on this machine";

fn nothing_placed(args: &ReleaseArgs) -> Outcome {
    if !args.all {
        return Err(Failure::usage(anyhow!(NOTHING)));
    }
    printed(&format!("{NOTHING}\n"))?;
    Ok(Exit::Done)
}

/// Compares.
///
/// # Errors
/// There is no such GPU, or the ledger cannot be used.
pub fn compare(args: &UsageArgs) -> Outcome {
    let looked = Looked::at(Session::to_look(&args.machine.host)?);
    let on = looked.chosen(&args.machine)?;
    let ledger = ledger(&args.state, &looked.session.host)?;
    let book = ledger.read().map_err(unusable)?.unwrap_or_else(|| Book::new(looked.present()));
    if let Some(signal) = looked.session.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    let usage = usage(&book, looked.present(), &on, &looked.seen, args.gpu_memory_utilization);
    let path = ledger.path().display().to_string();
    let text = match args.format {
        Format::Json => page::json(&UsageDocument {
            schema: SCHEMA,
            provenance: looked.session.host.provenance(),
            machine: &looked.about,
            ledger: path,
            usage: &usage,
        })?,
        Format::Human => usage_page(&usage, &path, &looked.about),
    };
    printed(&text)?;
    let agrees = usage.differences.is_empty() && usage.changes.is_empty();
    Ok(if agrees { Exit::Done } else { Exit::Run(1) })
}

fn usage_page(usage: &Usage, ledger: &str, about: &str) -> String {
    let mut page = Page::new();
    let header = ["device", "modes", "total", "placed", "in use", "left", "models", "processes"];
    page.table(&header, usage.devices.iter().map(row).collect());
    for held in &usage.gone {
        page.labelled("gone", &format!("number {}: {} on {}, which is not there", held.id, held.model, held.device));
    }
    for change in &usage.changes {
        page.labelled("changed", change);
    }
    if !usage.changes.is_empty() {
        page.labelled("next", "validate partition release --all forgets what was placed");
    }
    for difference in &usage.differences {
        page.labelled("differs", difference);
    }
    page.labelled("ledger", ledger);
    page.labelled("on", about);
    page.text()
}

fn row(row: &Row) -> Vec<String> {
    let mut models: Vec<&str> = row.models.iter().map(|held| held.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    let numbers = |model: &str| {
        let of_it = row.models.iter().filter(|held| held.model == model);
        of_it.map(|held| held.id.to_string()).collect::<Vec<_>>().join(", ")
    };
    let models: Vec<String> = models.iter().map(|model| format!("{}: {model}", numbers(model))).collect();
    let holder = |holder: &crate::placement::Holder| {
        format!("{} ({}) {}", holder.name.as_deref().unwrap_or("?"), holder.pid, gib(holder.memory))
    };
    let holders: Vec<String> = row.holders.iter().map(holder).collect();
    vec![
        row.device.to_string(),
        row.modes.clone(),
        gib(row.total),
        format!("{} ({} %)", gib(row.held), row.held_percent),
        row.used.map_or_else(|| "not reported".to_owned(), gib),
        gib(row.left),
        models.join("; "),
        holders.join(", "),
    ]
}

fn ledger(state: &StateArgs, host: &Host) -> Result<Ledger, Failure> {
    state::folder(state.state.as_deref(), host).map(Ledger::new)
}

fn unusable(error: LedgerError) -> Failure {
    Failure::unavailable(anyhow!(error).context("use the ledger"))
}

fn printed(text: &str) -> Result<(), Failure> {
    console::print(text.as_bytes()).context("write to standard output").map_err(Failure::unavailable)
}
