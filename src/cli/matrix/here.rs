//! What the settings of a sweep do on this machine: which of them are none of their own here, and which contradict what
//! they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::anyhow;

use crate::cli::exit::Failure;
use crate::domain::Reading;
use crate::facts;
use crate::host::{Asking, Host};
use crate::matrix::cell::Sweep;
use crate::matrix::record::SettingRecord;
use crate::matrix::risk::same_family;
use crate::matrix::setting::Setting;
use crate::process::Cancel;
use crate::run::{Wanted, look};
use crate::tuning::{Asks, Ground, InForce, Proposal, asks, gfx_name, proposed_parameters, proposed_variables};
use crate::witness::Snapshot;
use crate::witness::amd_smi::Format;

/// One machine as settings find it.
pub(super) struct Here {
    look: Snapshot,
    ground: Ground,
    /// What is asked for in this boot.
    now: Asks,
    /// What was asked for in the boot in which the sweep began.
    asks: Asks,
    /// Variables of every worker.
    common: BTreeMap<String, String>,
}

/// One setting on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SettingHere {
    /// Its name.
    pub(super) name: String,
    /// It is about the kernel's command line: another boot.
    pub(super) reboot: bool,
    /// What comes of each of its parameters and variables.
    pub(super) proposals: Vec<Proposal>,
    /// What becomes of it.
    pub(super) fate: Fate,
}

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It makes cells.
    Runs,
    /// It makes cells, since that was asked for, and nothing comes of it here.
    RunsForNothing,
    /// Nothing comes of it here, and it makes no cells.
    LeftOut,
}

impl Here {
    /// Looks at a host. `common` are the variables of every worker; `began` is the kernel's command line by which a sweep
    /// over several boots is judged, since those boots change it.
    pub(super) fn of(host: &Host, common: &[(String, String)], began: Option<&str>) -> Self {
        let wanted = Wanted { tuning: true, ..Wanted::trees() };
        let asking = Asking { deadline: Duration::ZERO, cancel: Cancel::new() };
        let mut look = look(host, &wanted, Format::Json, &asking);
        let ground = Ground::of(&look);
        let now = asks(&look, &ground);
        if let (Some(began), Some(kernel)) = (began, &mut look.kernel) {
            kernel.cmdline = Reading::Value(began.to_owned());
        }
        let asks = asks(&look, &ground);
        Self { look, ground, now, asks, common: common.iter().cloned().collect() }
    }

    /// What is in force in this boot of these parameters, and of each that is asked for.
    pub(super) fn in_force(&self, named: &BTreeSet<String>) -> InForce {
        InForce::of(&self.look, &self.ground, &self.now, named)
    }

    /// The ISA of the first GPU, as KFD says.
    pub(super) fn native_isa(&self) -> Option<String> {
        let first = self.look.kfd.as_ref()?.first()?;
        first.gfx_target_version.value().map(|version| gfx_name(*version))
    }

    /// What decides over defaults, in words: `gfx1030, Linux 6.8`.
    pub(super) fn ground(&self) -> String {
        let isas = if self.ground.isas.is_empty() { "an unknown GPU".to_owned() } else { self.ground.isas.join(", ") };
        let kernel = self.ground.kernel.map_or("an unknown kernel".to_owned(), |kernel| format!("Linux {kernel}"));
        let driver = self.ground.driver.map(|driver| format!(", AMD's driver {driver}")).unwrap_or_default();
        format!("{isas}, {kernel}{driver}")
    }

    /// What each setting of a sweep does here. Those of which nothing comes are taken out of it, unless it keeps them.
    ///
    /// # Errors
    /// A setting contradicts what it is for, or is for other chips.
    pub(super) fn settings(&self, sweep: &mut Sweep, keep: bool) -> Result<Vec<SettingHere>, Failure> {
        if let Some(why) = sweep.settings.iter().find_map(|setting| self.meant_elsewhere(setting)) {
            return Err(Failure::usage(anyhow!(why)));
        }
        let told: Vec<SettingHere> = sweep.settings.iter().map(|setting| self.setting(setting, keep)).collect();
        if let Some(proposal) = told.iter().find_map(SettingHere::contradiction) {
            let Proposal { shown, comes, why } = proposal;
            let name = shown.split('=').next().unwrap_or(shown);
            let entry = facts::parameter(name).map_or(format!("env.{name}"), facts::Parameter::entry_id);
            return Err(Failure::usage(anyhow!(
                "{shown} is no setting to compare with none: {}, {why}; see `validate explain {entry}`",
                comes.word()
            )));
        }
        let left_out: BTreeSet<&str> =
            told.iter().filter(|each| each.fate == Fate::LeftOut).map(|each| each.name.as_str()).collect();
        sweep.settings.retain(|setting| !left_out.contains(setting.name.as_str()));
        Ok(told)
    }

    /// Why a mitigation is none of this machine's: under its name another thing would stand in the grid.
    fn meant_elsewhere(&self, setting: &Setting) -> Option<String> {
        let only = facts::mitigation(&setting.name)?.only();
        let isas = &self.ground.isas;
        let meant = |isa: &String| only.iter().any(|only| same_family(only, isa));
        let elsewhere = !only.is_empty() && !isas.is_empty() && !isas.iter().any(meant);
        let set = setting.env.iter().map(|(name, value)| format!("--set {name}={value}")).collect::<Vec<_>>().join(" ");
        elsewhere.then(|| {
            format!(
                "{name} is for {}, and this is {}; to see what it does here: {set}; see `validate explain mitigation.{name}`",
                only.join(", "),
                isas.join(", "),
                name = setting.name
            )
        })
    }

    fn setting(&self, setting: &Setting, keep: bool) -> SettingHere {
        let mut proposals = proposed_parameters(&setting.kernel, &self.ground, &self.asks);
        proposals.extend(proposed_variables(&setting.env, &self.common, &self.ground));
        let nothing = !proposals.is_empty() && proposals.iter().all(|each| each.comes.is_nothing());
        let (name, reboot) = (setting.name.clone(), !setting.kernel.is_empty());
        let fate = match (nothing, keep) {
            (false, _) => Fate::Runs,
            (true, true) => Fate::RunsForNothing,
            (true, false) => Fate::LeftOut,
        };
        SettingHere { name, reboot, proposals, fate }
    }
}

impl SettingHere {
    fn contradiction(&self) -> Option<&Proposal> {
        self.proposals.iter().find(|proposal| proposal.comes.is_contradiction())
    }

    /// That nothing comes of it, where that is so, and what follows.
    pub(super) fn told(&self) -> Option<String> {
        let (name, boot) = (&self.name, self.reboot);
        match self.fate {
            Fate::Runs => None,
            Fate::RunsForNothing if boot => {
                Some(format!("{name} is the same as none here: the reboot that it asks for changes nothing"))
            }
            Fate::RunsForNothing => Some(format!("{name} is the same as none here")),
            Fate::LeftOut => {
                let boot = if boot { ", and asks for no reboot" } else { "" };
                Some(format!("{name} is the same as none here: it makes no cells{boot}; --include-no-ops runs it"))
            }
        }
    }

    /// What comes of each of its parameters and variables.
    pub(super) fn because(&self) -> String {
        self.each().join("; ")
    }

    /// As a record keeps it, where it makes cells.
    pub(super) fn record(&self) -> Option<SettingRecord> {
        let same_as_none = match self.fate {
            Fate::Runs => false,
            Fate::RunsForNothing => true,
            Fate::LeftOut => return None,
        };
        Some(SettingRecord { name: self.name.clone(), same_as_none, sets: self.each() })
    }

    fn each(&self) -> Vec<String> {
        let each = self.proposals.iter().map(|each| format!("{}: {}, {}", each.shown, each.comes.word(), each.why));
        each.collect()
    }
}
