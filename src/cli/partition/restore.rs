//! `validate partition restore`: back to the modes that a journal holds.

use clap::Args;

use crate::change::{Door, Kind, back};
use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::held;
use crate::cli::target;
use crate::host::Asking;
use crate::partition::Consent;
use crate::run::{Wanted, look};
use crate::witness::amd_smi::{Format, Query};

use super::apply::{ChangeArgs, habit};
use super::choose::{HostArgs, Session, tool as version};
use super::state;

/// Below the options of `--help`.
pub const HELP: &str = "\
Examples:
  validate partition restore                 after `apply`, or after anything that cut it or a run short
  validate partition restore --host DIR      of a simulated machine

Undoes the last `apply`, or the changes of a `run --interaction reconfigure` that was killed. Reads first and does what is
still to do, so it may be repeated, also after a reboot; removes the journal once sysfs shows the modes found. What was
agreed to when the change began (--yes, --reload-driver) need not be repeated.

Exit codes: 0 the modes found are in force, or there is nothing to restore, 1 they are not: the reason is told and the journal
stays, 64 usage error, 69 the journal cannot be read, 130 and 143 interrupted";

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    machine: HostArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Restores.
///
/// # Errors
/// Another change under way, a journal that cannot be read.
pub fn run(args: &RestoreArgs) -> Outcome {
    let session = Session::to_restore(&args.machine)?;
    let store = state::store(args.change.state.as_deref(), &session.host)?;
    let any = |kind| store.read(kind).map_err(Failure::unavailable);
    if any(Kind::Run)?.is_none() && any(Kind::Apply)?.is_none() {
        console::note("nothing to restore");
        return Ok(Exit::Done);
    }
    held::refuse(&session.host)?;
    let stop = || session.signal().is_some();
    let _lock = state::lock(&store, args.change.deadline(), &stop)?;
    // Again, now that nobody else changes them. A run began after the modes that it found were applied.
    let (kind, journal) = match (any(Kind::Run)?, any(Kind::Apply)?) {
        (Some(journal), _) => (Kind::Run, journal),
        (None, Some(journal)) => (Kind::Apply, journal),
        (None, None) => {
            console::note("nothing to restore");
            return Ok(Exit::Done);
        }
    };
    let mut journal = journal;
    let agreed = args.change.consent();
    let consent = Consent {
        yes: agreed.yes || journal.consent.yes,
        reload_driver: agreed.reload_driver || journal.consent.reload_driver,
    };
    let wanted = Wanted { queries: [Query::Version].into(), ..Wanted::default() };
    let tool = version(&look(&session.host, &wanted, Format::Json, &session.asking));
    let asking = Asking { deadline: args.change.deadline(), ..session.asking.clone() };
    let through = journal.through;
    let root = target::privileged(&session.host)?;
    let door = Door { host: &session.host, through, habit: habit(through, &tool), consent, root, asking };
    // Until the modes are back this is a change that did not end.
    journal.settled = false;
    store.write(kind, &journal).map_err(Failure::unavailable)?;
    match back(&door, (&store, kind), &mut journal, &stop, &mut |step| console::note(step)) {
        Ok(()) => {
            store.remove(kind).map_err(Failure::unavailable)?;
            let modes: Vec<_> = journal.found.iter().map(|(gpu, modes)| format!("GPU {gpu}: {modes}\n")).collect();
            let text = format!("{}as found {}\n", modes.concat(), journal.written);
            console::print(text.as_bytes()).map_err(Failure::unavailable)?;
            Ok(Exit::Done)
        }
        Err(trouble) => {
            console::note(&format!("error: not restored: {trouble}; the journal stays in {}", store.dir().display()));
            Ok(session.signal().map_or(Exit::Run(1), Exit::Interrupted))
        }
    }
}
