//! `validate partition plan`: what it would take, with nothing touched.

use clap::{Args, ValueEnum};

use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::target;
use crate::domain::{Bytes, ComputeMode, MemoryMode};
use crate::partition::{Footing, GpuPlan, ModePlan, OtherGpu, Sizes, Through, Wish, plan};
use crate::run::{Wanted, look};
use crate::topology::sockets;
use crate::witness::amd_smi::{Format, Query};

use super::choose::{MachineArgs, Session, places, tool};
use super::models::ModelArgs;
use super::page::{self, Page};
use super::plan_models;

/// Below the options of `--help`.
pub const HELP: &str = "\
Examples:
  validate partition plan --compute CPX --memory NPS4
  validate partition plan --memory NPS1 --format json | jq .obstacles
  validate partition plan --compute CPX --host DIR               on a simulated or recorded machine
  validate partition plan --model Qwen/Qwen2.5-7B --dtype fp16 --max-model-len 8192
  validate partition plan --model 'Qwen/Qwen2.5-7B x 6' --model 'Qwen/Qwen2.5-32B,dtype=int4 x 2'
  validate partition plan --model ./my-model/config.json --host DIR --format json

Says whether the pair is legal (and who says no: what is known of the part, or what this machine offers), how many devices it
makes and how much memory each of them, what else changes, whether the driver must be reloaded, and who holds the GPUs.

With --model it says in which modes the models fit, which device each gets now, and what to use
there: by what was measured in the mode in force, by the kernel's formula in the others. One
instance is on one device: tensor parallelism is not planned. What `place` gave away does not
count here.

Exit codes: 0 it could be applied now or is in force already, or the models fit in some mode, 1 it could not or they fit
nowhere, 64 usage error, 69 there is no GPU,
130 and 143 interrupted";

/// Which modes.
#[derive(Debug, Clone, Args)]
pub struct ModeArgs {
    /// Compute partition
    #[arg(long, value_name = "MODE", group = "wish")]
    pub compute: Option<ComputeMode>,
    /// Memory partition
    #[arg(long, value_name = "MODE", group = "wish")]
    pub memory: Option<MemoryMode>,
    /// By what modes are set
    #[arg(long, value_enum, value_name = "WAY", default_value = "amd-smi")]
    pub through: ThroughArg,
}

/// `--through`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ThroughArg {
    /// The tool
    AmdSmi,
    /// The partition files
    Sysfs,
}

impl From<ThroughArg> for Through {
    fn from(arg: ThroughArg) -> Self {
        match arg {
            ThroughArg::AmdSmi => Self::AmdSmi,
            ThroughArg::Sysfs => Self::Sysfs,
        }
    }
}

impl ModeArgs {
    /// As the planner takes it.
    pub const fn wish(&self) -> Wish {
        Wish { compute: self.compute, memory: self.memory }
    }
}

/// Options of `plan`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("wish").multiple(true).conflicts_with("served"))]
#[command(group = clap::ArgGroup::new("served").args(["models", "params"]).multiple(true))]
#[command(group = clap::ArgGroup::new("any").args(["compute", "memory", "models", "params"]).required(true).multiple(true))]
pub struct PlanArgs {
    #[command(flatten)]
    modes: ModeArgs,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// How to print
    #[arg(long, value_enum, value_name = "KIND", default_value = "human")]
    format: page::Format,
}

/// Plans.
///
/// # Errors
/// There is no such host or GPU.
pub fn run(args: &PlanArgs) -> Outcome {
    let session = Session::to_look(&args.machine.host)?;
    if args.models.any() {
        return plan_models::run(&session, &args.machine, &args.models, args.format);
    }
    let planned = make(&session, &args.machine, &args.modes)?;
    if let Some(signal) = session.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    let text = match args.format {
        page::Format::Json => page::json(&planned)?,
        page::Format::Human => human(&planned, &session.about()),
    };
    console::print(text.as_bytes()).map_err(Failure::unavailable)?;
    Ok(if planned.applicable { Exit::Done } else { Exit::Run(1) })
}

/// Looks at the machine and plans.
///
/// # Errors
/// There is no such GPU.
pub fn make(session: &Session, machine: &MachineArgs, modes: &ModeArgs) -> Result<ModePlan, Failure> {
    let wanted = Wanted { queries: [Query::Version].into(), ..Wanted::trees() };
    let seen = look(&session.host, &wanted, Format::Json, &session.asking);
    let all = sockets(&seen);
    let chosen = places(machine, &all)?;
    let footing =
        Footing { privileged: target::privileged(&session.host)?, tool: tool(&seen), through: modes.through.into() };
    Ok(plan(&seen, &all, &chosen, modes.wish(), &footing))
}

/// The plan for people.
pub fn human(planned: &ModePlan, about: &str) -> String {
    let mut page = Page::new();
    let rows = planned.gpus.iter().map(row).collect();
    page.table(&["GPU", "part", "now", "then", "devices", "each (CAPPING)", "each (ALL)"], rows);
    let alike =
        |left: &OtherGpu, right: &OtherGpu| (left.now, left.then, left.why) == (right.now, right.then, right.why);
    for group in planned.others.chunk_by(alike) {
        let names: Vec<_> = group.iter().map(|other| other.gpu.to_string()).collect();
        let OtherGpu { now, then, why, .. } = &group[0];
        page.labelled("also", &format!("{now} -> {then}: {} ({why})", names.join(", ")));
    }
    if let Some(reload) = &planned.reload {
        page.labelled("reload", &reload.what);
    }
    match &planned.holders {
        Some(holders) if holders.is_empty() => page.labelled("held by", "nobody"),
        Some(holders) => {
            let names: Vec<_> = holders.iter().map(ToString::to_string).collect();
            page.labelled("held by", &names.join(", "));
        }
        None => page.labelled("held by", "not known: KFD shows no list of processes"),
    }
    for note in &planned.notes {
        page.labelled("note", note);
    }
    for (at, step) in planned.steps.iter().enumerate() {
        page.labelled(if at == 0 { "steps" } else { "" }, &format!("{}. {step}", at + 1));
    }
    for obstacle in &planned.obstacles {
        page.labelled("no", &format!("{}: {}", obstacle.subject, obstacle.why));
        page.labelled("", &format!("next: {}", obstacle.next));
    }
    let verdict = match (planned.applicable, planned.steps.is_empty()) {
        (false, _) => "it cannot be applied now",
        (true, true) => "these modes are in force already: there is nothing to do",
        (true, false) => "it could be applied now; nothing was touched",
    };
    page.labelled("", verdict);
    page.labelled("on", about);
    page.text()
}

fn row(gpu: &GpuPlan) -> Vec<String> {
    let modes =
        |modes: Option<_>| modes.map_or_else(|| "?".to_owned(), |modes: crate::partition::Modes| modes.to_string());
    let sizes = |pick: fn(&Sizes) -> &[Bytes]| {
        gpu.sizes.as_ref().map_or_else(String::new, |sizes| match pick(sizes) {
            [] => "not known".to_owned(),
            each => grouped(each),
        })
    };
    vec![
        gpu.gpu.to_string(),
        gpu.part.clone().unwrap_or_else(|| "?".to_owned()),
        modes(gpu.now),
        modes(gpu.then),
        gpu.sizes.as_ref().map_or_else(String::new, |sizes| sizes.devices.to_string()),
        sizes(|sizes| &sizes.capping),
        sizes(|sizes| &sizes.all),
    ]
}

/// `6 x 24576 MiB, 2 x 24568 MiB`.
fn grouped(sizes: &[Bytes]) -> String {
    let groups: Vec<_> = sizes
        .chunk_by(|left, right| left == right)
        .map(|group| match group {
            [one] => one.to_string(),
            many => format!("{} x {}", many.len(), many[0]),
        })
        .collect();
    groups.join(", ")
}
