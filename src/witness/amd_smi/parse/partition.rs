//! `partition`: three tables, in another container in every generation.

use crate::domain::Reading;
use crate::witness::Call;
use crate::witness::amd_smi::{Answer, CurrentRow, Format, MemoryRow, PartitionReport, ProfileRow, ResourceRow};

use super::leaf::Leaf;
use super::output::{Group, MAX_DEVICES, Output, Record, rows};

/// `partition`, with whichever sections were asked.
pub fn partition(call: &Call, format: Format) -> Answer<PartitionReport> {
    Output::read(call, format).answer(call, |groups| {
        let current = rows(groups, |group| section(group) == Some(Section::Current), current);
        let memory = rows(groups, |group| section(group) == Some(Section::Memory), memory);
        let profiles = profiles(groups);
        if current.is_none() && memory.is_none() && profiles.is_none() {
            return None;
        }
        Some(Reading::Value(PartitionReport {
            current: current.unwrap_or(Reading::NotReported),
            memory: memory.unwrap_or(Reading::NotReported),
            profiles: profiles.unwrap_or(Reading::NotReported),
        }))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Current,
    Memory,
    Profiles,
}

/// Which section a group is: by its title, or, where there is none (CSV, JSON before 26.0), by a key that only it has.
fn section(group: &Group) -> Option<Section> {
    match group.title.as_deref() {
        Some("current_partition") => return Some(Section::Current),
        Some("memory_partition") => return Some(Section::Memory),
        Some("partition_profiles" | "accelerator_partition_profiles") => return Some(Section::Profiles),
        Some(_) => return None,
        None => {}
    }
    let has = |key: &str| group.keys.iter().any(|known| known == key);
    if has("accelerator_profile_index") {
        Some(Section::Current)
    } else if has("profile_index") {
        Some(Section::Profiles)
    } else if has("current_memory_partition") || has("caps") {
        Some(Section::Memory)
    } else {
        None
    }
}

fn current(gpu: u32, record: &Record) -> CurrentRow {
    CurrentRow {
        gpu,
        memory: record.get("", &["memory"]).parsed(),
        compute: record.get("", &["accelerator_type"]).parsed(),
        profile_index: record.get("", &["accelerator_profile_index"]).number(),
        partition_id: record.get("", &["partition_id"]).string(),
    }
}

fn memory(gpu: u32, record: &Record) -> MemoryRow {
    MemoryRow {
        gpu,
        caps: record.get("memory_partition", &["memory_partition_caps", "caps"]).list(),
        current: record.get("memory_partition", &["current_memory_partition", "current"]).parsed(),
    }
}

/// Profiles keep the layout of the human table in every format: a row without a GPU goes on with the one above, and a
/// row without a profile adds a resource to the one above.
fn profiles(groups: &[Group]) -> Option<Reading<Vec<ProfileRow>>> {
    let mut groups = groups.iter().filter(|group| section(group) == Some(Section::Profiles)).peekable();
    groups.peek()?;
    let mut found: Vec<ProfileRow> = Vec::new();
    for record in groups.flat_map(|group| &group.records) {
        let index = record.get("", &["profile_index"]);
        if !record.gpu.is_nothing() || !index.is_nothing() {
            let Some(gpu) = record.gpu.number().value().copied().or_else(|| continued(record, &found)) else {
                return Some(Reading::malformed("", "a profile of no known GPU"));
            };
            found.push(profile(gpu, record));
        }
        if found.len() > 16 * MAX_DEVICES {
            return Some(Reading::malformed("", "more profiles than any machine has"));
        }
        if let Some(resource) = resource(record) {
            match found.last_mut() {
                Some(profile) => profile.resources.push(resource),
                None => return Some(Reading::malformed("", "a resource of no known profile")),
            }
        }
    }
    Some(Reading::Value(found))
}

fn continued(record: &Record, found: &[ProfileRow]) -> Option<u32> {
    found.last().filter(|_| record.gpu.is_nothing()).map(|profile| profile.gpu)
}

fn profile(gpu: u32, record: &Record) -> ProfileRow {
    let (mode, current) = record.get("", &["accelerator_type"]).starred_mode();
    ProfileRow {
        gpu,
        index: record.get("", &["profile_index"]).number(),
        caps: record.get("", &["memory_partition_caps"]).list(),
        mode,
        current,
        partitions: record.get("", &["num_partitions"]).number(),
        resources: Vec::new(),
    }
}

/// The resource of a row; `None` where the row has none.
fn resource(record: &Record) -> Option<ResourceRow> {
    let leaves = ["resource_type", "resource_instances", "resources_shared"].map(|key| record.get("", &[key]));
    if leaves.iter().all(|leaf| matches!(leaf, Leaf::NotApplicable | Leaf::Nothing)) {
        return None;
    }
    let [kind, instances, shared] = leaves;
    Some(ResourceRow { kind: kind.string(), instances: instances.number(), shared: shared.number() })
}
