//! What a probe that is run by hand leaves behind in the folder of its run.

use std::path::Path;

use crate::host::{Host, previous_boot};
use crate::run::keep_text;

/// Most that is kept of one stream as evidence, from its end, in bytes.
const KEPT: usize = 1 << 20;

/// Keeps what a probe left behind; returns its folder. Without it the record is still worth having.
pub(super) fn keep(run: &Path, probe: &str, name: &str, text: &[u8]) -> Option<String> {
    let last = &text[text.len().saturating_sub(KEPT)..];
    keep_text(run, probe, name, &String::from_utf8_lossy(last)).ok()
}

/// Keeps what the kernel logged before the machine went down in this boot, and says whether anybody had it.
pub(super) fn keep_previous(run: &Path, probe: &str, root: &Path, boot_id: &str) -> (Option<String>, String) {
    let host = if root == Path::new("/") { Ok(Host::Real) } else { Host::open(root) };
    let log = host.map_err(|error| error.to_string()).and_then(|host| previous_boot(&host, boot_id));
    match log {
        Ok(log) => {
            let kept = keep(run, probe, "previous-boot.log", log.as_bytes());
            (kept, log.lines().next().unwrap_or_default().to_owned())
        }
        Err(why) => (None, why),
    }
}
