//! Devices that are there and that programs do not get to see: by a container, or by the caller's own variables.

use crate::doctor::diagnosis::Seen;
use crate::doctor::obstacle::{Obstacle, Weight, obstacle};
use crate::topology::{Ending, Filters, logical_devices, visible};

use super::listed;

pub(super) fn obstacles(seen: &Seen<'_>) -> Vec<Obstacle> {
    nodes(seen).into_iter().chain(filters(seen)).collect()
}

fn nodes(seen: &Seen<'_>) -> Option<Obstacle> {
    let hidden: Vec<String> = seen.look.kfd_hidden.iter().map(ToString::to_string).collect();
    (!hidden.is_empty()).then(|| {
        obstacle(
            "nodes-hidden",
            Weight::Limits,
            format!("KFD shows nodes that this process may not look into: {}", listed(&hidden)),
            "give the container those devices too (--device=/dev/dri/renderD<N>), or ask on the host itself",
            "facts/partitions.md section 4",
        )
    })
}

/// What the caller's variables leave of the devices. A list ends at its first bad token, and no runtime says so.
fn filters(seen: &Seen<'_>) -> Option<Obstacle> {
    let set = &seen.environment.filters;
    let filters = Filters { rocr: set.rocr.as_deref(), hip: set.hip.as_deref(), cuda: set.cuda.as_deref() };
    let devices = logical_devices(seen.look);
    if filters == Filters::default() || devices.is_empty() {
        return None;
    }
    let left = visible(&devices, filters);
    let names = [("ROCR", filters.rocr), ("HIP", filters.hip), ("CUDA", filters.cuda)];
    let names = names.iter().filter(|(_, list)| list.is_some()).map(|(name, _)| format!("{name}_VISIBLE_DEVICES"));
    let mut what = format!(
        "{}: HIP programs started from here see {} of {} devices",
        names.collect::<Vec<_>>().join(" and "),
        left.devices.len(),
        devices.len()
    );
    for Ending { variable, token, why } in &left.ended {
        // The token is the caller's own, and goes to their terminal.
        what.push_str(&format!("; {variable} ends at {token:?} ({why})"));
    }
    let stacked = filters.rocr.is_some() && (filters.hip.is_some() || filters.cuda.is_some());
    let next = if stacked {
        "set one of them only: HIP_VISIBLE_DEVICES counts in what ROCR_VISIBLE_DEVICES left"
    } else if left.ended.is_empty() {
        "unset it where all devices are meant"
    } else {
        "correct the list: nothing behind that token counts"
    };
    let weight = if left.ended.is_empty() { Weight::Note } else { Weight::Limits };
    Some(obstacle("devices-filtered", weight, what, next, "facts/partitions.md section 4"))
}
