//! The reported cells, each on a simulated machine of its own.

use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::cli::exit::Failure;
use crate::host::simulated::{Faces, KMSG_FILE, create};
use crate::matrix::cell::Cell;
use crate::matrix::reproduction::{How, Play, reproductions};
use crate::matrix::setting::Setting;
use crate::probe::stand::{Engine, Stand};
use crate::probe::supervise::Limits;
use crate::run::CellStand;
use crate::sim::{Fault, Machine, machine_named};

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
    /// Its machine, made in this empty folder, and the worker on it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn stand(&self, folder: &Path, limits: &Limits) -> Result<CellStand, Failure> {
        let program = std::env::current_exe().context("find this executable").map_err(Failure::unavailable)?;
        let machine = machine_named(&self.play.machine).map_err(|problem| Failure::from(anyhow!(problem)))?;
        let machine = Machine { faults: self.play.faults.clone(), ..machine };
        create(folder, &machine, Faces::Both).map_err(Failure::unavailable)?;
        let mut stand = Stand::simulated(&program, folder, folder.join(KMSG_FILE));
        stand.limits = Limits { settle: stand.limits.settle, ..*limits };
        stand.worker.env = self.cell.setting.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Ok(CellStand {
            stand,
            native_isa: native_isa(&machine),
            machine: Some(self.play.machine.clone()),
            reported: Some(self.id.clone()),
            again: self.again(&machine.faults),
        })
    }

    /// How many processes: as often as the report needs, at least.
    pub(super) fn runs(&self) -> u32 {
        self.play.runs
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

/// The ISA of a simulated machine's chip.
pub(super) fn native_isa(machine: &Machine) -> Option<String> {
    crate::facts::part(&machine.part).map(|part| part.gfx.clone())
}
