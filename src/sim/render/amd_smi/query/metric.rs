//! `amd-smi metric`.

use serde_json::{Map, Value, json};

use crate::domain::Bytes;
use crate::sim::render::amd_smi::dialect::Secondaries;
use crate::sim::render::amd_smi::failure::not_simulated;
use crate::sim::render::amd_smi::{Context, Format, Response};

use super::device::{self, Seen};
use super::records::{print, record, with_unit};
use super::start_notes;

/// Which sections were asked for. Only the memory section is reproduced; asked for nothing, the tool prints them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetricSections {
    /// `-m`, `--mem-usage`.
    pub mem_usage: bool,
}

/// Prints the chosen sections of each chosen device.
pub fn render(ctx: &Context<'_>, sections: MetricSections) -> Response {
    if !sections.mem_usage {
        let mut response = Response::default();
        not_simulated(&mut response, "`metric` without `--mem-usage` alone");
        return response;
    }
    let seen = device::chosen(ctx);
    let records: Vec<_> = seen
        .iter()
        .map(|seen| record([("gpu", json!(seen.index)), ("mem_usage", Value::Object(memory(ctx.format, seen)))]))
        .collect();
    let wrapped = seen.first().is_some_and(|seen| seen.dialect.gpu_data);
    Response {
        stdout: print(ctx, &records, wrapped).into_bytes(),
        stderr: start_notes(ctx.view, ctx.tool).into_bytes(),
        code: 0,
    }
}

/// Total memory of a device, in the whole MiB that the tool calls MB.
pub fn total_vram(seen: &Seen<'_>) -> Option<u64> {
    if seen.primary() || seen.dialect.secondary_memory == Secondaries::AsPrimary {
        return Some(seen.gpu.vram_total.mib());
    }
    seen.device.node.as_ref().map(|node| node.memory.mib())
}

/// Used memory of a device, in MiB; secondaries have none from 25.4 on.
pub fn used_vram(seen: &Seen<'_>) -> Option<u64> {
    whole_gpu(seen, seen.gpu.vram_used)
}

fn whole_gpu(seen: &Seen<'_>, bytes: Bytes) -> Option<u64> {
    (seen.primary() || seen.dialect.secondary_memory == Secondaries::AsPrimary).then(|| bytes.mib())
}

fn memory(format: Format, seen: &Seen<'_>) -> Map<String, Value> {
    let total = total_vram(seen);
    let used = used_vram(seen);
    let free = |total: Option<u64>, used: Option<u64>| Some(total?.saturating_sub(used?));
    // CPU-visible VRAM is all of it: these machines have a full-size BAR.
    let visible = whole_gpu(seen, seen.gpu.vram_total);
    let gtt_total = whole_gpu(seen, seen.gpu.gtt_total);
    let gtt_used = whole_gpu(seen, seen.gpu.gtt_used);
    let mb = |value| with_unit(format, value, "MB");
    record([
        ("total_vram", mb(total)),
        ("used_vram", mb(used)),
        ("free_vram", mb(free(total, used))),
        ("total_visible_vram", mb(visible)),
        ("used_visible_vram", mb(used)),
        ("free_visible_vram", mb(free(visible, used))),
        ("total_gtt", mb(gtt_total)),
        ("used_gtt", mb(gtt_used)),
        ("free_gtt", mb(free(gtt_total, gtt_used))),
    ])
}
