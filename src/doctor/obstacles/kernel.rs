//! Kernel parameters that do something else than those who set them believe.

use crate::doctor::diagnosis::Seen;
use crate::doctor::obstacle::{Obstacle, Weight, obstacle};

pub(super) fn obstacles(seen: &Seen<'_>) -> Vec<Obstacle> {
    let set = |name: &str| asked(seen, name);
    let family = |gfx: &str| seen.gpus.iter().any(|gpu| gpu.gfx.as_deref().is_some_and(|each| each.starts_with(gfx)));
    let mut found = Vec::new();
    if set("vm_fragment_size").as_deref() == Some("9") {
        found.push(note(
            "amdgpu.vm_fragment_size=9 changes nothing: 9 is the driver's default since about Linux 4.15",
            "remove it, so that nobody takes it for a cure",
        ));
    }
    match set("noretry").as_deref() {
        Some("0") if family("gfx103") => found.push(note(
            "amdgpu.noretry=0 undoes AMD's default for RDNA2: retry faults are not supported there",
            "remove amdgpu.noretry from the kernel's command line",
        )),
        Some("0") if family("gfx101") => found.push(note(
            "amdgpu.noretry=0 changes nothing: it is the default on RDNA1",
            "remove it, so that nobody takes it for a cure",
        )),
        Some(_) | None => {}
    }
    if set("mtype_local").is_some() && (family("gfx10") || family("gfx11")) {
        found.push(note(
            "amdgpu.mtype_local has no effect on this GPU: the driver reads it for GC 9.4.3 only",
            "remove it, so that nobody takes it for a cure",
        ));
    }
    if set("mes").as_deref() == Some("1") && family("gfx10") {
        found.push(note(
            "amdgpu.mes=1 is a misconfiguration here: MES firmware exists for gfx11 and later",
            "remove it",
        ));
    }
    if set("gpu_recovery").as_deref() == Some("0") {
        found.push(note("amdgpu.gpu_recovery=0 leaves a hang in place", "remove it before a run that may hang"));
    }
    found
}

/// What was asked for at boot. Module parameters show the driver's defaults too, so they do not tell what somebody set.
fn asked(seen: &Seen<'_>, name: &str) -> Option<String> {
    let cmdline = seen.look.kernel.as_ref()?.cmdline.value()?;
    let key = format!("amdgpu.{name}");
    let words = cmdline.split_whitespace().filter_map(|word| word.split_once('='));
    // The last one wins.
    words.filter(|(found, _)| *found == key).last().map(|(_, value)| value.to_owned())
}

fn note(what: &str, next: &str) -> Obstacle {
    obstacle("kernel-parameter", Weight::Note, what, next, "facts/rdna.md section 3")
}
