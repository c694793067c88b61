//! Witness driver: what `/sys/module` says of amdgpu, and the limits that an APU's memory follows.

use std::path::Path;

use crate::domain::Reading;

use super::files::{absent, parsed, text};
use super::tree::Tree;
use super::{DriverFacts, ModuleState};

const MODULES: &str = "module";

const MODULE: &str = "module/amdgpu";

/// Modules that own the limit: the out-of-tree driver's, then the kernel's (facts/partitions.md section 3.4).
const TTM: [&str; 2] = ["amdttm", "ttm"];

/// Longest list of NUMA nodes that is counted; the kernel itself knows at most 1024.
const MAX_NUMA: u32 = 4096;

/// What the driver shows below a sysfs root (`/sys`, or `HOST/sys`).
pub fn read_driver(root: &Path) -> DriverFacts {
    match Tree::open(root) {
        Ok(tree) => facts(&tree),
        Err(error) => DriverFacts {
            module: ModuleState::Unreadable(error.problem.to_string()),
            version: Reading::NotReported,
            pages_limit: Reading::NotReported,
            numa_nodes: Reading::NotReported,
        },
    }
}

fn facts(tree: &Tree) -> DriverFacts {
    DriverFacts {
        module: state(tree),
        version: text(tree, &format!("{MODULE}/version")),
        pages_limit: pages_limit(tree),
        numa_nodes: text(tree, "devices/system/node/online").and_then(|list| count(&list)),
    }
}

fn state(tree: &Tree) -> ModuleState {
    // Every kernel has modules to show: without the folder nothing is known, as in a tree of which a part was published.
    if let Err(error) = tree.names(MODULES) {
        return ModuleState::Unreadable(format!("/sys/{MODULES}: {}", error.problem));
    }
    if let Err(error) = tree.names(MODULE) {
        let problem = error.problem.to_string();
        return if absent(&error.problem) { ModuleState::NotLoaded } else { ModuleState::Unreadable(problem) };
    }
    match text(tree, &format!("{MODULE}/initstate")) {
        Reading::Value(state) if state == "live" => ModuleState::Live,
        Reading::Value(state) => ModuleState::Changing(state),
        Reading::NotReported | Reading::NotApplicable => ModuleState::BuiltIn,
        Reading::Malformed { problem, .. } => ModuleState::Unreadable(problem),
    }
}

fn pages_limit(tree: &Tree) -> Reading<u64> {
    let limits = TTM.map(|module| text(tree, &format!("module/{module}/parameters/pages_limit")));
    let found = limits.into_iter().find(|limit| !matches!(limit, Reading::NotReported));
    found.unwrap_or(Reading::NotReported).and_then(|limit| parsed(&limit))
}

/// How many numbers a list such as `0-1,3` names.
fn count(list: &str) -> Reading<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last && last < MAX_NUMA).then(|| last - first + 1)
    };
    let sum = list.split(',').try_fold(0_u32, |sum, part| sum.checked_add(range(part)?));
    sum.map_or_else(|| Reading::malformed(list, "not a list of node numbers like 0-1,3"), Reading::Value)
}
