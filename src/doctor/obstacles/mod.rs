//! The rules: each says one thing that stands in the way, with one thing to do about it.

mod devices;
mod driver;
mod hidden;
mod modes;
mod settings;
mod tool;

use super::diagnosis::Seen;
use super::obstacle::Obstacle;

/// Everything that stands in the way, the worst first; within a weight in the order of the rules.
pub(super) fn all(seen: &Seen<'_>) -> Vec<Obstacle> {
    let mut found = driver::obstacles(seen);
    found.extend(devices::unkillable(seen));
    found.extend(tool::obstacles(seen));
    // Without a GPU there is nothing more to say.
    if !seen.sockets.is_empty() {
        found.extend(devices::obstacles(seen));
        found.extend(hidden::obstacles(seen));
        found.extend(modes::obstacles(seen));
        found.extend(settings::obstacles(seen));
    }
    found.sort_by_key(|obstacle| obstacle.weight);
    found
}

/// `0000:05:00.0, 0000:26:00.0 and 6 more`.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}
