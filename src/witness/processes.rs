//! Witness KFD's process list: who holds `/dev/kfd`, with the memory that each has on each GPU.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::{Bytes, Reading};

use super::KfdProcess;
use super::files::{absent, parsed, text};
use super::tree::Tree;

const LIST: &str = "class/kfd/kfd/proc";

/// Every process that holds `/dev/kfd`, by pid. `sys` and `proc` are the roots of the two trees; without the second a
/// process has no name. `NotReported` where KFD has no such list.
pub fn read_processes(sys: &Path, proc: &Path) -> Reading<Vec<KfdProcess>> {
    let opened = Tree::open(sys).and_then(|tree| tree.below(LIST));
    let list = opened.and_then(|list| Ok((list.names("")?, list)));
    let (names, list) = match list {
        Ok(found) => found,
        Err(error) if absent(&error.problem) => return Reading::NotReported,
        Err(error) => return Reading::malformed("", format!("cannot be read: {}", error.problem)),
    };
    let proc = Tree::open(proc).ok();
    let mut found: Vec<KfdProcess> =
        names.iter().filter_map(|name| name.parse().ok()).map(|pid: u32| process(&list, proc.as_ref(), pid)).collect();
    found.sort_by_key(|process| process.pid);
    Reading::Value(found)
}

fn process(list: &Tree, proc: Option<&Tree>, pid: u32) -> KfdProcess {
    let of_process = |file: &str| proc.map_or(Reading::NotReported, |proc| text(proc, &format!("{pid}/{file}")));
    KfdProcess {
        pid,
        name: of_process("comm").map(|name| printable(&name)),
        unit: of_process("cgroup").and_then(|groups| unit(&groups)),
        vram: vram(list, pid),
    }
}

fn vram(list: &Tree, pid: u32) -> BTreeMap<u32, Reading<Bytes>> {
    let names = list.names(&pid.to_string()).unwrap_or_default();
    let counter = |name: &String| {
        let gpu_id = name.strip_prefix("vram_")?.parse().ok()?;
        Some((gpu_id, text(list, &format!("{pid}/{name}")).and_then(|text| parsed(&text)).map(Bytes)))
    };
    names.iter().filter_map(counter).collect()
}

/// The last component of a control group that names a unit (`jupyter.service`, `docker-<id>.scope`) or is a container's
/// id. Of several hierarchies, the first that has one.
fn unit(groups: &str) -> Reading<String> {
    let of_line = |line: &str| {
        let path = line.splitn(3, ':').nth(2)?;
        path.rsplit('/').find(|part| names_unit(part)).map(printable)
    };
    groups.lines().find_map(of_line).map_or(Reading::NotReported, Reading::Value)
}

fn names_unit(part: &str) -> bool {
    let unit = part.ends_with(".service") || part.ends_with(".scope");
    unit || part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A process chooses its own name, so nothing that a terminal would act on is left in it.
fn printable(text: &str) -> String {
    text.chars().map(|each| if each.is_control() { '?' } else { each }).collect()
}
