//! Cells that need another kernel command line: which can run in this boot, and what the others wait for. Nothing here
//! writes to a bootloader, and nothing reboots.

use std::collections::{BTreeMap, BTreeSet};

use super::cell::Cell;

/// What of the command line the cells of a campaign are about: every parameter that any of them names, and what it was
/// when the campaign began. In a cell that does not name it, it is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    began: BTreeMap<String, Option<String>>,
}

impl Campaign {
    /// Of these cells, begun on this command line.
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a Cell>, began: &str) -> Self {
        let named: BTreeSet<&String> = cells.into_iter().flat_map(|cell| cell.setting.kernel.keys()).collect();
        Self { began: named.into_iter().map(|name| (name.clone(), value(began, name))).collect() }
    }

    /// What is missing for a cell on the present command line; `None` where it can run.
    pub fn waits_for(&self, cell: &Cell, now: &str) -> Option<Waiting> {
        let wanted = |name: &String, began: &Option<String>| cell.setting.kernel.get(name).cloned().or(began.clone());
        let other = self.began.iter().filter(|(name, began)| value(now, name) != wanted(name, began));
        let other: Vec<&String> = other.map(|(name, _)| name).collect();
        if other.is_empty() {
            return None;
        }
        let set = cell.setting.kernel.clone();
        let unset = other.into_iter().filter(|name| !set.contains_key(*name)).cloned().collect();
        Some(Waiting { set, unset })
    }
}

/// What a boot needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Parameters and their values.
    pub set: BTreeMap<String, String>,
    /// Parameters that must be as they were when the campaign began: what an earlier boot of it set is taken off again.
    pub unset: Vec<String>,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set = self.set.iter().map(|(name, value)| format!("{name}={value}"));
        let unset = self.unset.iter().map(|name| format!("{name} as it was"));
        let words: Vec<String> = set.chain(unset).collect();
        write!(f, "{}", words.join(" "))
    }
}

/// The value of a parameter on a command line: the last one counts. `Some("")` where it has none.
fn value(cmdline: &str, name: &str) -> Option<String> {
    cmdline
        .split_ascii_whitespace()
        .filter_map(|word| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key == name).then(|| value.to_owned())
        })
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::setting::Setting;

    fn cell(kernel: &[(&str, &str)]) -> Cell {
        let kernel = kernel.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let setting = Setting { kernel, ..Setting::none() };
        Cell { probe: "add/f32/8x8".parse().unwrap(), class: "c".to_owned(), setting, worker: "torch".to_owned() }
    }

    #[test]
    fn a_cell_runs_on_its_own_command_line_and_on_no_other() {
        let (plain, noretry, both) = (
            cell(&[]),
            cell(&[("amdgpu.noretry", "0")]),
            cell(&[("amdgpu.noretry", "0"), ("amdgpu.vm_fragment_size", "9")]),
        );
        let cells = [plain.clone(), noretry.clone(), both.clone()];
        let began = "ro quiet amdgpu.vm_fragment_size=4";
        let campaign = Campaign::of(&cells, began);
        let waits = |cell: &Cell, now: &str| campaign.waits_for(cell, now).map(|waiting| waiting.to_string());
        assert_eq!(waits(&plain, began), None);
        assert_eq!(waits(&noretry, began).as_deref(), Some("amdgpu.noretry=0"));
        assert_eq!(waits(&noretry, "ro amdgpu.vm_fragment_size=4 amdgpu.noretry=1 amdgpu.noretry=0"), None);
        assert_eq!(
            waits(&noretry, "ro amdgpu.vm_fragment_size=4 amdgpu.noretry=0 amdgpu.noretry=1").as_deref(),
            Some("amdgpu.noretry=0")
        );
        // What the boot before set is still there.
        let now = "ro amdgpu.noretry=0 amdgpu.vm_fragment_size=9";
        assert_eq!(waits(&both, now), None);
        assert_eq!(waits(&noretry, now).as_deref(), Some("amdgpu.noretry=0 amdgpu.vm_fragment_size as it was"));
        assert_eq!(waits(&plain, now).as_deref(), Some("amdgpu.noretry as it was amdgpu.vm_fragment_size as it was"));
        // Other words are nobody's business.
        assert_eq!(waits(&plain, "rw splash amdgpu.vm_fragment_size=4"), None);
    }
}
