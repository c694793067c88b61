//! Cells that need another boot: which can run in this one, and what the others wait for. What is in force decides, and not
//! what the command line says. Nothing here writes to a bootloader, and nothing reboots.

use std::collections::{BTreeMap, BTreeSet};

use crate::tuning::InForce;

use super::cell::Cell;

/// What of the machine the cells of a campaign are about: every parameter that any of them names, and what was in force of
/// it when the campaign began. In a cell that does not name it, it is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    began: BTreeMap<String, String>,
}

impl Campaign {
    /// Every parameter that any of these cells names.
    pub fn named<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> BTreeSet<String> {
        cells.into_iter().flat_map(|cell| cell.setting.kernel.keys().cloned()).collect()
    }

    /// Of these cells, begun with this in force ([`InForce::told`]).
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a Cell>, began: &BTreeMap<String, String>) -> Self {
        let was = |name: &String| began.get(name).cloned().unwrap_or_else(|| "not noted when it began".to_owned());
        Self { began: Self::named(cells).into_iter().map(|name| (name.clone(), was(&name))).collect() }
    }

    /// What is missing for a cell in the present boot; `None` where it can run.
    pub fn waits_for(&self, cell: &Cell, now: &InForce) -> Option<Waiting> {
        let set = &cell.setting.kernel;
        let mut unset = Vec::new();
        let mut instead = Vec::new();
        for (name, value) in set {
            instead.extend(now.meets(name, value).err());
        }
        for name in self.other_than_it_was(now).filter(|name| !set.contains_key(*name)) {
            instead.push(format!("{name} is {}, and was {}", now.value(name), self.began[name]));
            unset.push(name.clone());
        }
        (!instead.is_empty()).then(|| Waiting { set: set.clone(), unset, instead })
    }

    /// The parameters that are not as they were when it began: what it set, and nobody took off again.
    pub fn left(&self, now: &InForce) -> Vec<String> {
        self.other_than_it_was(now).cloned().collect()
    }

    fn other_than_it_was<'a>(&'a self, now: &'a InForce) -> impl Iterator<Item = &'a String> {
        self.began.iter().filter(|(name, was)| now.value(name) != **was).map(|(name, _)| name)
    }
}

/// What a boot needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Parameters and their values.
    pub set: BTreeMap<String, String>,
    /// Parameters that must be as they were when the campaign began: what an earlier boot of it set is taken off again.
    pub unset: Vec<String>,
    /// What is there instead, in words.
    pub instead: Vec<String>,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set = self.set.iter().map(|(name, value)| format!("{name}={value}"));
        let unset = self.unset.iter().map(|name| format!("{name} as it was"));
        let words: Vec<String> = set.chain(unset).collect();
        write!(f, "{}", words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reading;
    use crate::matrix::setting::Setting;
    use crate::tuning::{Ground, asks};
    use crate::witness::tuning::Options;
    use crate::witness::{KernelFacts, Snapshot, TuningFacts};

    fn cell(kernel: &[(&str, &str)]) -> Cell {
        let kernel = kernel.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let setting = Setting { kernel, ..Setting::none() };
        Cell { probe: "add/f32/8x8".parse().unwrap(), class: "c".to_owned(), setting, worker: "torch".to_owned() }
    }

    /// A boot of a gfx1030: its command line, and what the files of the driver's parameters show.
    fn boot(cells: &[Cell], cmdline: &str, shown: [&str; 3]) -> InForce {
        let names = ["amdgpu.noretry", "amdgpu.cwsr_enable", "amdgpu.runpm"];
        let files = names.iter().zip(shown).map(|(name, value)| ((*name).to_owned(), Reading::Value(value.to_owned())));
        let look = Snapshot {
            kernel: Some(KernelFacts {
                release: Reading::NotReported,
                cmdline: Reading::Value(cmdline.to_owned()),
                hypervisor: Reading::NotReported,
                boot_id: Reading::NotReported,
            }),
            tuning: Some(TuningFacts {
                options: Reading::Value(Options::default()),
                parameters: Reading::Value(files.collect()),
                vm: Reading::NotReported,
                environment: Reading::NotReported,
                rocm: Vec::new(),
            }),
            ..Snapshot::default()
        };
        let ground = Ground { isas: vec!["gfx1030".to_owned()], kernel: "6.8".parse().ok(), ..Ground::default() };
        let asks = asks(&look, &ground);
        InForce::of(&look, &ground, &asks, &Campaign::named(cells))
    }

    #[test]
    fn a_cell_runs_where_its_parameters_are_in_force_and_in_no_other_boot() {
        let (plain, cwsr, both) = (
            cell(&[]),
            cell(&[("amdgpu.cwsr_enable", "0")]),
            cell(&[("amdgpu.cwsr_enable", "0"), ("amdgpu.runpm", "0")]),
        );
        let cells = [plain.clone(), cwsr.clone(), both.clone()];
        let began = boot(&cells, "ro quiet", ["-1", "1", "-1"]);
        let campaign = Campaign::of(&cells, &began.told());
        let waits = |cell: &Cell, now: &InForce| campaign.waits_for(cell, now).map(|waiting| waiting.to_string());
        assert_eq!(waits(&plain, &began), None);
        assert_eq!(waits(&cwsr, &began).as_deref(), Some("amdgpu.cwsr_enable=0"));
        let now = boot(&cells, "ro amdgpu.cwsr_enable=0", ["-1", "0", "-1"]);
        assert_eq!(waits(&cwsr, &now), None);
        assert_eq!(waits(&plain, &now).as_deref(), Some("amdgpu.cwsr_enable as it was"));
        assert_eq!(campaign.left(&now), ["amdgpu.cwsr_enable"]);
        // The words are there, and the driver goes by something else.
        let said = boot(&cells, "ro amdgpu.cwsr_enable=0", ["-1", "1", "-1"]);
        assert_eq!(waits(&cwsr, &said).as_deref(), Some("amdgpu.cwsr_enable=0"));
        let why = campaign.waits_for(&cwsr, &said).unwrap().instead.join("; ");
        assert!(why.contains("/proc/cmdline asks for 0"), "{why}");
        assert_eq!(waits(&plain, &said), None);
        // A later word, with a dash for an underscore.
        let taken_back = boot(&cells, "amdgpu.cwsr_enable=0 amdgpu.cwsr-enable=1", ["-1", "1", "-1"]);
        assert_eq!(waits(&cwsr, &taken_back).as_deref(), Some("amdgpu.cwsr_enable=0"));
        // What the boot before set is still there.
        let now = boot(&cells, "amdgpu.cwsr_enable=0 amdgpu.runpm=0", ["-1", "0", "0"]);
        assert_eq!(waits(&both, &now), None);
        assert_eq!(waits(&cwsr, &now).as_deref(), Some("amdgpu.cwsr_enable=0 amdgpu.runpm as it was"));
        // Other words are nobody's business.
        assert_eq!(waits(&plain, &boot(&cells, "rw splash amdgpu.noretry=0", ["0", "1", "-1"])), None);
    }

    #[test]
    fn what_is_in_force_when_a_campaign_begins_is_what_none_means_in_it() {
        let (plain, cwsr) = (cell(&[]), cell(&[("amdgpu.cwsr_enable", "0")]));
        let cells = [plain.clone(), cwsr.clone()];
        // By modprobe.d, say: no word on the command line.
        let began = boot(&cells, "ro", ["-1", "0", "-1"]);
        let campaign = Campaign::of(&cells, &began.told());
        assert_eq!((campaign.waits_for(&plain, &began), campaign.waits_for(&cwsr, &began)), (None, None));
        let gone = boot(&cells, "ro", ["-1", "1", "-1"]);
        assert_eq!(campaign.waits_for(&plain, &gone).unwrap().to_string(), "amdgpu.cwsr_enable as it was");
        // A journal that does not say what was in force leaves every cell waiting.
        let unknown = Campaign::of(&cells, &BTreeMap::new());
        assert!(unknown.waits_for(&plain, &began).unwrap().instead[0].contains("not noted"));
    }
}
