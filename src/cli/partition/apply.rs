//! `validate partition apply`: journal first, then step by step, and back when it fails.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use crate::change::{Door, Kind, Store, Trouble, back, drive, observe};
use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::held;
use crate::cli::target;
use crate::domain::{Reading, ToolVersion};
use crate::facts::{ReloadHabit, reload_habit};
use crate::host::{Asking, Host};
use crate::partition::{Begun, Consent, Journal, ModePlan, Through};
use crate::process::Cancel;
use crate::run::Clock;
use crate::scenario::Level;

use super::choose::{MachineArgs, Session};
use super::plan::{self, ModeArgs};
use super::{page, state};

/// Below the options of `--help`.
pub const HELP: &str = "\
Examples:
  validate partition plan --compute CPX                                     first: what it takes
  validate partition apply --compute CPX --interaction reconfigure
  validate partition apply --compute CPX --memory NPS4 --interaction reconfigure --yes --reload-driver
  validate partition restore                                                back to the modes found

Writes the modes found into a journal (STATE/rocvet/partition/<machine>/, or inside a simulated host), then sets memory and
compute modes and believes what sysfs shows, never the tool's exit code. A failure, Ctrl-C or SIGTERM in the middle goes back;
after kill -9 or a loss of power `validate partition restore` does. What plan would refuse is refused, and nothing is changed.

--yes          answers the question of `amd-smi set -M`; without it no question is answered
--reload-driver  reloads amdgpu (modprobe), which every change of a memory mode needs; amd-smi up to 25.x does it by itself
--through sysfs  writes the partition files instead; like every change, never tried on a real driver so far

Exit codes: 0 the modes are in force, 1 refused and nothing changed, or failed and back at the modes found, 64 usage error,
69 there is no GPU or the journal cannot be written, 112 failed and not back: `validate partition restore` tries again,
130 and 143 interrupted and back";

/// Options of `apply`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("wish").required(true).multiple(true))]
pub struct ApplyArgs {
    #[command(flatten)]
    modes: ModeArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// How far it may go: this changes the machine, so only `reconfigure` (or more) will do
    #[arg(long, value_name = "LEVEL", default_value = "observe")]
    interaction: Level,
    #[command(flatten)]
    change: ChangeArgs,
}

/// What `apply` and `restore` share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Change")]
pub struct ChangeArgs {
    /// Answer the question of `amd-smi set -M` with yes
    #[arg(long)]
    yes: bool,
    /// Reload the driver, or let a tool that does so by itself do it
    #[arg(long)]
    reload_driver: bool,
    /// Folder of the journal
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Stop a program that changes modes after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    deadline: u64,
}

impl ChangeArgs {
    /// What the caller agreed to.
    pub const fn consent(&self) -> Consent {
        Consent { yes: self.yes, reload_driver: self.reload_driver }
    }

    /// How long one step may take.
    pub const fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline)
    }
}

/// Applies.
///
/// # Errors
/// Wrong input, another change under way, a journal that cannot be written.
pub fn run(args: &ApplyArgs) -> Outcome {
    if args.interaction < Level::Reconfigure {
        let problem = "apply changes the machine: add --interaction reconfigure; `validate partition plan` only says what it takes";
        return Err(Failure::usage(anyhow!(problem)));
    }
    let session = Session::open(&args.machine.host)?;
    if let Host::Recorded { .. } = session.host {
        return Err(Failure::usage(anyhow!("a recording cannot be changed")));
    }
    held::refuse(&session.host)?;
    let store = state::store(args.change.state.as_deref(), &session.host)?;
    let _lock = state::lock(&store, Duration::ZERO, &|| session.signal().is_some())?;
    state::refuse_unfinished(&store)?;
    let planned = plan::make(&session, &args.machine, &args.modes)?;
    if let Some(signal) = session.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    if !planned.applicable || planned.steps.is_empty() {
        let text = plan::human(&planned, &session.about());
        console::print(text.as_bytes()).map_err(Failure::unavailable)?;
        return Ok(if planned.applicable { Exit::Done } else { Exit::Run(1) });
    }
    let habit = planned.reload.as_ref().and_then(|reload| reload.habit);
    let consent = args.change.consent();
    agreed(&planned, consent, habit)?;
    let asking = Asking { deadline: args.change.deadline(), ..session.asking.clone() };
    let through = args.modes.through.into();
    let door = Door { host: &session.host, through, habit, consent, root: target::privileged(&session.host)?, asking };
    let change = Change { session: &session, door, place: (&store, Kind::Apply), hint: restore_hint(args) };
    change.apply(&planned)
}

/// Every option that a step needs is asked for before the first is taken.
fn agreed(planned: &ModePlan, consent: Consent, habit: Option<ReloadHabit>) -> Result<(), Failure> {
    let mut missing: Vec<String> = planned.steps.iter().filter_map(|step| consent.permits(step, habit).err()).collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(anyhow!("{}; nothing was changed", missing.join("; "))))
}

fn restore_hint(args: &ApplyArgs) -> String {
    let mut hint = "validate partition restore".to_owned();
    if let Some(host) = &args.machine.host.host {
        hint.push_str(&format!(" --host {}", host.display()));
    }
    if let Some(state) = &args.change.state {
        hint.push_str(&format!(" --state {}", state.display()));
    }
    hint
}

/// A change that is under way.
struct Change<'a> {
    session: &'a Session,
    door: Door<'a>,
    place: (&'a Store, Kind),
    hint: String,
}

impl Change<'_> {
    fn apply(&self, planned: &ModePlan) -> Outcome {
        let (store, kind) = self.place;
        let route = &planned.route;
        let boot_id = observe(self.door.host).map_err(Failure::usage)?.boot_id;
        let (found, hives) = (route.found.clone(), route.hives.clone());
        let mut journal = Journal::new(Clock::now(), boot_id, self.door.through, self.door.consent, found, hives);
        store.write(kind, &journal).map_err(Failure::unavailable)?;
        let stop = || self.session.signal().is_some();
        let mut tell = |step: &str| console::note(step);
        let driven = drive(&self.door, self.place, &mut journal, &route.target, Begun::default(), &stop, &mut tell);
        let trouble = match driven {
            Ok(()) => {
                journal.settled = true;
                store.write(kind, &journal).map_err(Failure::unavailable)?;
                let mut page = page::Page::new();
                for (gpu, then) in &route.target {
                    let found = route.found.get(gpu).map(ToString::to_string).unwrap_or_default();
                    page.labelled("in force", &format!("GPU {gpu}: {then} (found: {found})"));
                }
                page.labelled("back", &self.hint);
                page.labelled("on", &self.session.about());
                console::print(page.text().as_bytes()).map_err(Failure::unavailable)?;
                return Ok(Exit::Done);
            }
            Err(trouble) => trouble,
        };
        self.go_back(&mut journal, &trouble)
    }

    /// Whatever went wrong, the modes found come back.
    fn go_back(&self, journal: &mut Journal, trouble: &Trouble) -> Outcome {
        console::note(&format!("error: {trouble}; going back to the modes found"));
        // What was cancelled is over; the way back is not to be cancelled with it.
        let asking = Asking { cancel: Cancel::new(), ..self.door.asking.clone() };
        let Door { host, through, habit, consent, root, .. } = self.door;
        let door = Door { host, through, habit, consent, root, asking };
        match back(&door, self.place, journal, &|| false, &mut |step| console::note(step)) {
            Ok(()) => {
                self.place.0.remove(self.place.1).map_err(Failure::unavailable)?;
                console::note("the modes are as they were found");
                Ok(self.session.signal().map_or(Exit::Run(1), Exit::Interrupted))
            }
            Err(trouble) => {
                console::note(&format!(
                    "error: the modes found did not come back: {trouble}; try again with: {}",
                    self.hint
                ));
                Ok(Exit::Unsafe)
            }
        }
    }
}

/// What amd-smi does about reloads. One that does not say its version is taken for one that asks and reloads, so that
/// both must have been agreed to.
pub fn habit(through: Through, tool: &Reading<ToolVersion>) -> Option<ReloadHabit> {
    match through {
        Through::Sysfs => None,
        Through::AmdSmi => Some(tool.value().map_or(ReloadHabit::AfterQuestion, |tool| reload_habit(*tool))),
    }
}
