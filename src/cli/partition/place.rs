//! `validate partition place`: models get devices, and the ledger says what each may use.

use clap::Args;
use serde::Serialize;

use crate::cli::exit::{Exit, Failure, Outcome};
use crate::placement::{Book, Instance, NotPlaced, Terms};
use crate::run::Clock;

use super::choose::{MachineArgs, Session};
use super::ledger::{Looked, StateArgs, ledger, printed, unusable};
use super::models::ModelArgs;
use super::page::{self, Document, Format, Page};
use super::plan_models::{show_instance, told};

/// Below the options of `place --help`.
pub const HELP: &str = "\
Examples:
  validate partition place --model meta-llama/Llama-3.1-8B-Instruct --dtype fp16
  validate partition place --model 'Qwen/Qwen2.5-0.5B x 12' --gpu 0
  validate partition place --model Qwen/Qwen2.5-14B --whole-device --env-prefix AIM

Writes into the ledger what each instance may use, and prints what to use for it: the least share
that holds one longest request, or the whole device. All instances are placed, or none. The ledger
is this user's; for one that several users keep, give all of them the same --state.

Exit codes: 0 placed, 1 refused: no room, or the machine has changed since others were placed,
64 usage error, 69 there is no GPU or the ledger cannot be used, 130 and 143 interrupted";

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

/// What was placed.
#[derive(Serialize)]
struct Placed<'a> {
    placed: Vec<PlacedRow<'a>>,
}

#[derive(Serialize)]
struct PlacedRow<'a> {
    number: u64,
    #[serde(flatten)]
    instance: &'a Instance,
}

/// Places.
///
/// # Errors
/// A model or GPU is not known, or the ledger cannot be used.
pub fn run(args: &PlaceArgs) -> Outcome {
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
        Format::Json => {
            let rows = placed.iter().map(|(number, instance)| PlacedRow { number: *number, instance });
            let placed = Placed { placed: rows.collect() };
            let provenance = looked.session.host.provenance();
            page::json(&Document::of(provenance, &looked.about, placed).with_ledger(&ledger.path()))?
        }
        Format::Human => {
            let mut page = Page::new();
            for (number, instance) in &placed {
                page.labelled("number", &format!("{number}: `validate partition release {number}` gives it back"));
                show_instance(&mut page, instance);
                page.gap();
            }
            if looked.present().boot_id.is_none() {
                let note = "this machine does not report its boot id, so a reboot cannot be told: release everything after one";
                page.labelled("note", note);
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
