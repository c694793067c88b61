//! Where the cells of a sweep run, and which cells there are on that machine.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use crate::cli::dropped;
use crate::cli::exit::Failure;
use crate::cli::stand;
use crate::cli::target;
use crate::cli::values::{quoted, variable};
use crate::cli::workers::WorkerArgs;
use crate::domain::Provenance;
use crate::host::{Host, simulated};
use crate::matrix::campaign::Campaign;
use crate::matrix::cell::Cell;
use crate::matrix::reproduction::{How, reproduction};
use crate::matrix::risk::{Expected, ordered};
use crate::probe::protocol::Kind;
use crate::probe::stand::{Engine, Stand};
use crate::probe::supervise::Limits;
use crate::run::{CellKnown, CellStand};
use crate::tuning::InForce;

use super::here::{Here, SettingHere};
use super::reported::{self, ReportedCell};
use super::sweep::SweepArgs;

/// Where the cells run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where")]
pub(super) struct PlaceArgs {
    /// Play the reported cells, each on a simulated machine of its own that does what was reported
    #[arg(long, conflicts_with_all = ["host", "hardware", "named", "probes"])]
    reported: bool,
    /// Of the reported cells only these
    #[arg(long = "report", value_name = "ID", value_delimiter = ',', requires = "reported", value_parser = report)]
    reports: Vec<String>,
    /// Simulated machine whose GPU is used: a folder that `validate shim` made
    #[arg(long, value_name = "DIR", conflicts_with_all = ["hardware", "named"])]
    host: Option<PathBuf>,
    /// The GPU of this machine
    #[arg(long)]
    hardware: bool,
    #[command(flatten)]
    workers: WorkerArgs,
    /// Variable of every cell's worker; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
}

/// The id of a reported cell that can be played.
fn report(text: &str) -> Result<String, String> {
    match reproduction(text).map(|each| &each.how) {
        Some(How::Played(_)) => Ok(text.to_owned()),
        Some(How::NotRepresentable { reason }) => Err(format!("it cannot be played: {reason}")),
        None => Err("no report has this id; `validate matrix show RUN --against reported` lists them".to_owned()),
    }
}

/// One cell with where it runs.
pub(super) struct Planned {
    pub(super) cell: Cell,
    pub(super) expected: Expected,
    pub(super) place: Place,
}

/// Where a cell runs.
pub(super) enum Place {
    /// On a machine of its own.
    Reported(Box<ReportedCell>),
    /// Where all cells of its worker run.
    Given(Box<CellStand>),
}

/// What all cells share.
pub(super) struct Shared {
    /// In the order in which they run.
    pub(super) planned: Vec<Planned>,
    /// Processes for each, where nobody says otherwise.
    pub(super) repeat: u32,
    /// Where, in words.
    pub(super) host: String,
    pub(super) provenance: Provenance,
    /// The machine that all cells run on, which a cell may take down; `None` where each has its own.
    pub(super) machine: Option<Host>,
    /// What is in force there in this boot.
    pub(super) in_force: InForce,
    /// What each setting does on that machine.
    pub(super) settings: Vec<SettingHere>,
    /// What decides over that, in words.
    pub(super) ground: String,
}

impl Planned {
    /// What names it: a reported cell by the report, since two reports may have the same probe in the same setting.
    pub(super) fn id(&self) -> String {
        match &self.place {
            Place::Reported(reported) => format!("{}::{}", reported.cell.class, self.cell.id()),
            Place::Given(_) => self.cell.id(),
        }
    }
}

/// The cells and where they run. `began` is the kernel's command line with which the sweep began; `None` where it begins
/// now.
///
/// # Errors
/// Nobody said where, a worker is missing, or a setting contradicts what it is for.
pub(super) fn shared(
    place: &PlaceArgs,
    sweep: &SweepArgs,
    limits: &Limits,
    began: Option<&str>,
) -> Result<Shared, Failure> {
    if place.reported {
        return Ok(place.reports());
    }
    let Some(host) = target::open(place.host.as_deref(), place.hardware)? else {
        let problem = "say where: --reported (simulated machines that do what was reported), --host DIR (a simulated \
                       machine of `validate shim`), or --hardware with --worker torch=PATH or python=PATH";
        return Err(Failure::usage(anyhow!(problem)));
    };
    let stands = place.stands(&host)?;
    dropped::note(&place.env.iter().map(|(name, _)| name.clone()).collect(), dropped::How::Option);
    let machine = machine(&host)?;
    let here = Here::of(&host, &place.env, began);
    let labels = stands.iter().map(|(label, _)| label.clone()).collect();
    let mut swept = sweep.sweep(labels)?;
    let settings = here.settings(&mut swept, sweep.include_no_ops)?;
    let native_isa = here.native_isa();
    let mut cells = swept.cells();
    // A setting says more than what all cells have.
    for cell in &mut cells {
        for (name, value) in &place.env {
            cell.setting.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let in_force = here.in_force(&Campaign::named(&cells));
    let cells = ordered(cells, native_isa.as_deref());
    let planned = cells.into_iter().filter_map(|(cell, expected)| {
        let (_, stand) = stands.iter().find(|(label, _)| *label == cell.worker)?;
        let mut stand = Stand { limits: Limits { settle: stand.limits.settle, ..*limits }, ..stand.clone() };
        stand.worker.env.extend(cell.setting.env.iter().map(|(name, value)| (name.into(), value.into())));
        let again = place.again(&cell);
        let known = CellKnown {
            native_isa: native_isa.clone(),
            machine: machine.clone(),
            in_force: in_force.told(),
            reported: None,
            again,
        };
        Some(Planned { cell, expected, place: Place::Given(Box::new(CellStand { stand, known })) })
    });
    Ok(Shared {
        planned: planned.collect(),
        repeat: 5,
        host: target::description(Some(&host)),
        provenance: host.provenance(),
        machine: Some(host),
        in_force,
        settings,
        ground: here.ground(),
    })
}

impl PlaceArgs {
    /// Whether the reported cells are played.
    pub(super) const fn is_reported(&self) -> bool {
        self.reported
    }

    /// The reported cells.
    fn reports(&self) -> Shared {
        let wanted = |id: &str| self.reports.is_empty() || self.reports.iter().any(|report| report == id);
        let cells = reported::cells().into_iter().filter(|cell| wanted(&cell.cell.class));
        let mut planned: Vec<Planned> = cells
            .map(|each| Planned {
                expected: each.expected(),
                cell: each.cell.clone(),
                place: Place::Reported(Box::new(each)),
            })
            .collect();
        planned.sort_by_key(|each| each.expected.risk);
        Shared {
            planned,
            repeat: 1,
            host: "each reported cell's simulated machine".to_owned(),
            provenance: Provenance::Simulated,
            machine: None,
            in_force: InForce::default(),
            settings: Vec::new(),
            ground: String::new(),
        }
    }

    /// The workers of a host by their labels.
    fn stands(&self, host: &Host) -> Result<Vec<(String, Stand)>, Failure> {
        match host {
            Host::Simulated { .. } => Ok(vec![(Engine::Simulated.name().to_owned(), stand::simulated(host)?)]),
            Host::Real => stand::each(&self.workers, Kind::Gpu),
            Host::Recorded { .. } => Err(Failure::usage(anyhow!("a recording has no GPU that could compute"))),
        }
    }

    /// The command that runs a cell again.
    fn again(&self, cell: &Cell) -> String {
        let env: String = cell.setting.env.iter().map(|(name, value)| format!(" --env {name}={value}")).collect();
        let place = match &self.host {
            Some(host) => format!("--engine simulated --host {}", quoted(&host.to_string_lossy())),
            None => self.workers.words_of(&cell.worker),
        };
        format!("validate probe {} {place}{env}", cell.probe.id())
    }
}

/// The name of a simulated machine.
fn machine(host: &Host) -> Result<Option<String>, Failure> {
    match host {
        Host::Simulated { dir, .. } => {
            let kernel = simulated::load(dir).map_err(Failure::unavailable)?;
            Ok(Some(kernel.machine().part.to_lowercase().replace(' ', "")))
        }
        Host::Real | Host::Recorded { .. } => Ok(None),
    }
}
