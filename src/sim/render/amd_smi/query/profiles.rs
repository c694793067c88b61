//! The accelerator profiles of one device: which modes its GPU offers, and what each shares out.

use serde_json::{Map, Value, json};

use crate::domain::ComputeMode;
use crate::sim::{Resource, ResourceKind};

use super::NA;
use super::device::{Mode, Seen};
use super::records::record;

/// What `profile_index` holds when the current mode is in no list.
const NO_INDEX: u32 = u32::MAX;

/// The current mode as the profile of a device.
pub struct Current {
    /// Mode, or N/A.
    pub mode: String,
    /// Its index, or N/A.
    pub index: Value,
}

/// The current profile; `None` when the library throws.
pub fn current(seen: &Seen<'_>) -> Option<Current> {
    match seen.compute() {
        Mode::Failed => None,
        Mode::Absent => Some(Current { mode: NA.to_owned(), index: json!(NA) }),
        Mode::Known(mode) => {
            let listed = seen.files().map_or(&[][..], |files| &files.profiles[..]);
            let index = listed.iter().position(|profile| profile.mode.name() == mode);
            let shown = if listed.is_empty() && seen.dialect.mode_needs_config { NA.to_owned() } else { mode };
            Some(Current { mode: shown, index: index.map_or(json!(NO_INDEX), |index| json!(index)) })
        }
    }
}

/// Rows of the profile table. A device that was chosen again right after itself does not get its number again.
pub fn rows(seen: &[Seen<'_>], root: bool) -> Vec<Map<String, Value>> {
    let mut numbered = None;
    let mut rows = Vec::new();
    for one in seen {
        rows.extend(rows_of(one, root, numbered != Some(one.index)));
        if offered(one, root).is_some() {
            numbered = Some(one.index);
        }
    }
    rows
}

/// Resource indexes count on from one profile to the next, and start again with each GPU.
fn rows_of(seen: &Seen<'_>, root: bool, number: bool) -> Vec<Map<String, Value>> {
    let now = current(seen);
    let own_id = if now.is_some() { seen.device.partition.to_string() } else { "0".to_owned() };
    let Some(profiles) = offered(seen, root) else { return vec![unavailable(seen, &own_id)] };
    let mut rows = Vec::new();
    let mut resource_index = 0_u32;
    for (index, profile) in profiles.iter().enumerate() {
        let is_now = now.as_ref().is_some_and(|now| now.mode == profile.mode.name());
        let star = if is_now { "*" } else { "" };
        let head = [
            if index == 0 && number { json!(seen.index) } else { json!("") },
            json!(index),
            json!(profile.memory_caps),
            json!(format!("{}{star}", profile.mode)),
            json!(if is_now { own_id.as_str() } else { NA }),
            json!(partitions(seen, profile.mode)),
            json!(profile.resources.len()),
        ];
        if profile.resources.is_empty() {
            rows.push(row(head, std::array::from_fn(|_| json!(NA))));
            continue;
        }
        let mut head = Some(head);
        for resource in profile.resources {
            let blank = || std::array::from_fn(|_| json!(""));
            rows.push(row(head.take().unwrap_or_else(blank), cells(resource_index, resource)));
            resource_index += 1;
        }
    }
    rows
}

/// Rows of the resource table.
pub fn resource_rows(seen: &Seen<'_>, root: bool) -> Vec<Map<String, Value>> {
    let all: Vec<&Resource> =
        offered(seen, root).unwrap_or_default().iter().flat_map(|profile| profile.resources).collect();
    if all.is_empty() {
        return vec![resource([json!(NA), json!(NA), json!(NA), json!(NA)])];
    }
    (0_u32..).zip(all).map(|(index, each)| resource(cells(index, each))).collect()
}

struct Offered<'a> {
    mode: ComputeMode,
    memory_caps: String,
    resources: &'a [Resource],
}

/// The profiles, or `None` where the library gives none: to a user, and for a device without partition files.
fn offered<'a>(seen: &Seen<'a>, root: bool) -> Option<Vec<Offered<'a>>> {
    let files = seen.files().filter(|_| root)?;
    if !files.profiles.is_empty() {
        let offer = |profile: &'a crate::sim::Profile| Offered {
            mode: profile.mode,
            memory_caps: caps(&profile.memory_caps),
            resources: &profile.resources,
        };
        return Some(files.profiles.iter().map(offer).collect());
    }
    // Without `compute_partition_config` the library goes by the modes that the GPU has, and knows no resources.
    let modes = files.available_compute.as_ref().ok()?;
    let offer = |mode| Offered { mode, memory_caps: NA.to_owned(), resources: &[] };
    Some(modes.split(',').filter_map(|mode| mode.trim().parse().ok()).map(offer).collect())
}

/// A list of modes without its blanks; N/A for none.
pub fn caps(text: &str) -> String {
    let caps: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    if caps.is_empty() { NA.to_owned() } else { caps }
}

/// Partitions of a mode. The number of XCCs, and with it that of CPX, is that of the clocks in `gpu_metrics`; 0 without.
fn partitions(seen: &Seen<'_>, mode: ComputeMode) -> u32 {
    let known = seen.gpu.metrics.is_some_and(|metrics| metrics.xccs > 0);
    match mode {
        ComputeMode::Cpx if !known => 0,
        ComputeMode::Spx | ComputeMode::Dpx | ComputeMode::Tpx | ComputeMode::Qpx | ComputeMode::Cpx => {
            mode.devices(seen.gpu.model.xccs)
        }
    }
}

fn unavailable(seen: &Seen<'_>, own_id: &str) -> Map<String, Value> {
    let na = || json!(NA);
    row([json!(seen.index), na(), na(), na(), json!(own_id), na(), na()], [na(), na(), na(), na()])
}

fn cells(index: u32, resource: &Resource) -> [Value; 4] {
    let kind = match resource.kind {
        ResourceKind::Xcc => "XCC",
        ResourceKind::Decoder => "DECODER",
        ResourceKind::Dma => "DMA",
        ResourceKind::Jpeg => "JPEG",
    };
    [json!(index), json!(kind), json!(resource.instances), json!(resource.shared)]
}

fn row(head: [Value; 7], cells: [Value; 4]) -> Map<String, Value> {
    let [gpu, index, memory, mode, id, partitions, resources] = head;
    let mut row = record([
        ("gpu_id", gpu),
        ("profile_index", index),
        ("memory_partition_caps", memory),
        ("accelerator_type", mode),
        ("partition_id", id),
        ("num_partitions", partitions),
        ("num_resources", resources),
    ]);
    row.extend(resource(cells));
    row
}

fn resource(cells: [Value; 4]) -> Map<String, Value> {
    let [index, kind, instances, shared] = cells;
    record([
        ("resource_index", index),
        ("resource_type", kind),
        ("resource_instances", instances),
        ("resources_shared", shared),
    ])
}
