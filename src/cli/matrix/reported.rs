//! The reported cells, each on a simulated machine of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::cli::exit::Failure;
use crate::cli::stand;
use crate::host::Host;
use crate::host::simulated::{Faces, create};
use crate::matrix::cell::Cell;
use crate::matrix::record::CellRun;
use crate::matrix::reported::reported_cell;
use crate::matrix::reproduction::{How, Play, reproductions};
use crate::matrix::risk::Expected;
use crate::matrix::setting::Setting;
use crate::probe::stand::Engine;
use crate::probe::supervise::Limits;
use crate::process::{self, Cancel};
use crate::run::{CellKnown, CellStand};
use crate::sim::{Fault, Machine, machine_named};
use crate::witness::tree::Tree;

/// A reported cell and how it is played.
pub(super) struct ReportedCell {
    /// What runs.
    pub(super) cell: Cell,
    /// Id of the report.
    id: String,
    play: &'static Play,
}

/// Every reported cell that can be played.
pub(super) fn cells() -> Vec<ReportedCell> {
    let played = reproductions().iter().filter_map(|each| match &each.how {
        How::Played(play) => Some((each.id.clone(), &**play)),
        How::NotRepresentable { .. } => None,
    });
    played
        .map(|(id, play)| {
            let name = play.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
            let none = Setting::none();
            let name = if name.is_empty() { none.name } else { name };
            let setting = Setting { name, env: play.env.clone(), ..Setting::none() };
            let cell = Cell {
                probe: play.probe.clone(),
                class: id.clone(),
                setting,
                worker: Engine::Simulated.name().to_owned(),
            };
            ReportedCell { cell, id, play }
        })
        .collect()
}

impl ReportedCell {
    /// What its report says will happen.
    pub(super) fn expected(&self) -> Expected {
        Expected::of(reported_cell(&self.id))
    }

    /// What is known of it before its machine is made.
    ///
    /// # Errors
    /// There is no such machine.
    pub(super) fn known(&self) -> Result<CellKnown, Failure> {
        let machine = self.machine()?;
        Ok(CellKnown {
            native_isa: native_isa(&machine),
            machine: Some(self.play.machine.clone()),
            in_force: BTreeMap::new(),
            reported: Some(self.id.clone()),
            again: self.again(&machine.faults),
        })
    }

    /// Its machine, made in this empty folder, and the worker on it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn stand(&self, folder: &Path, limits: &Limits) -> Result<CellStand, Failure> {
        create(folder, &self.machine()?, Faces::Both).map_err(Failure::unavailable)?;
        let mut stand = stand::simulated(&Host::open(folder).map_err(Failure::unavailable)?)?;
        stand.limits = Limits { settle: stand.limits.settle, ..*limits };
        stand.worker.env = self.cell.setting.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Ok(CellStand { stand, known: self.known()? })
    }

    fn machine(&self) -> Result<Machine, Failure> {
        let machine = machine_named(&self.play.machine).map_err(|problem| Failure::from(anyhow!(problem)))?;
        Ok(Machine { faults: self.play.faults.clone(), ..machine })
    }

    /// How many processes: as often as the report needs, at least.
    pub(super) fn runs(&self) -> u32 {
        self.play.runs
    }

    /// Whether its machine goes down, and with it what supervises the probe.
    pub(super) fn goes_down(&self) -> bool {
        self.play.goes_down
    }

    fn again(&self, faults: &[Fault]) -> String {
        let faults: String = faults.iter().map(|fault| format!(" --fault '{fault}'")).collect();
        let env: String = self.cell.setting.env.iter().map(|(name, value)| format!(" --env {name}={value}")).collect();
        let (machine, probe) = (&self.play.machine, self.cell.probe.id());
        format!(
            "validate shim sim --machine {machine}{faults} && validate probe {probe} --engine simulated --host sim{env}"
        )
    }
}

/// Runs a cell on the machine in this folder by a `validate` of its own, which goes down with the machine, and by a second
/// one that goes on after the reboot.
///
/// # Errors
/// Neither left a matrix behind.
pub(super) fn apart(cell: &Cell, host: &Path, cancel: &Cancel) -> Result<Vec<CellRun>, Failure> {
    let program = std::env::current_exe().context("find this executable").map_err(Failure::unavailable)?;
    let results = host.join("results");
    let validate = |args: Vec<OsString>| {
        let deadline = Duration::from_secs(120);
        let limits = process::Limits { deadline, ..process::Limits::default() };
        process::run(&process::Spec { args, limits, cancel: cancel.clone(), ..process::Spec::new(&program) })
    };
    let mut args: Vec<OsString> = ["matrix", "run", "--repeat", "1", "--probe"].map(Into::into).into();
    args.extend([cell.probe.id().into(), "--host".into(), host.into(), "--results".into(), results.clone().into()]);
    for (name, value) in &cell.setting.env {
        args.extend(["--env".into(), format!("{name}={value}").into()]);
    }
    validate(args);
    let run = Tree::open(&results).ok().and_then(|tree| tree.names("").ok()?.into_iter().next());
    let run = run.map(|name| results.join(name)).ok_or_else(|| Failure::from(anyhow!("it left no results")))?;
    if super::show::read(&run).is_err() {
        validate(["matrix", "run", "--resume"].map(OsString::from).into_iter().chain([run.clone().into()]).collect());
    }
    Ok(super::show::read(&run)?.cells.into_iter().flat_map(|cell| cell.runs).collect())
}

/// The ISA of a simulated machine's chip.
fn native_isa(machine: &Machine) -> Option<String> {
    crate::facts::part(&machine.part).map(|part| part.gfx.clone())
}
