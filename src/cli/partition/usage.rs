//! `validate partition usage`: the ledger set against what is measured.

use clap::Args;

use crate::cli::exit::{Exit, Outcome};
use crate::placement::{Book, Holder, Row, Share, Usage, usage};

use super::choose::{MachineArgs, Session};
use super::ledger::{Looked, StateArgs, ledger, printed, unusable};
use super::page::{self, Document, Format, Page};
use super::plan_models::gib;

/// Below the options of `usage --help`.
pub const HELP: &str = "\
Examples:
  validate partition usage
  validate partition usage --format json | jq '.devices[] | {device, left}'

Sets what was placed against what is in use: HIP's free memory, else KFD's processes and what the
GPU uses beside them.

Exit codes: 0 they agree, 1 they differ or the machine has changed, 64 usage error, 69 there is no
GPU or the ledger cannot be used, 130 and 143 interrupted";

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

/// Compares.
///
/// # Errors
/// There is no such GPU, or the ledger cannot be used.
pub fn run(args: &UsageArgs) -> Outcome {
    let looked = Looked::at(Session::to_look(&args.machine.host)?);
    let on = looked.chosen(&args.machine)?;
    let ledger = ledger(&args.state, &looked.session.host)?;
    let book = ledger.read().map_err(unusable)?.unwrap_or_else(|| Book::new(looked.present()));
    if let Some(signal) = looked.session.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    let usage = usage(&book, looked.present(), &on, &looked.seen, args.gpu_memory_utilization);
    let text = match args.format {
        Format::Json => {
            let provenance = looked.session.host.provenance();
            page::json(&Document::of(provenance, &looked.about, &usage).with_ledger(&ledger.path()))?
        }
        Format::Human => usage_page(&usage, &ledger.path().display().to_string(), &looked.about),
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
    let holder =
        |holder: &Holder| format!("{} ({}) {}", holder.name.as_deref().unwrap_or("?"), holder.pid, gib(holder.memory));
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
