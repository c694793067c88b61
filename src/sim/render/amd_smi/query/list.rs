//! `amd-smi list`, with `-e`.

use serde_json::{Map, Value, json};

use crate::sim::render::amd_smi::{Context, Format, Response};

use super::device::{self, Seen};
use super::records::{print, record};
use super::{NA, start_notes};

/// Prints the devices; `enumeration` adds render node, card, HSA and HIP ids.
pub fn render(ctx: &Context<'_>, enumeration: bool) -> Response {
    let records: Vec<_> = device::chosen(ctx).iter().map(|seen| identity(ctx, seen, enumeration)).collect();
    Response {
        stdout: print(ctx, &records, false).into_bytes(),
        stderr: start_notes(ctx.view, ctx.tool).into_bytes(),
        code: 0,
    }
}

/// The HIP runtime numbers devices in the order of their KFD nodes.
pub fn hip_id(ctx: &Context<'_>, seen: &Seen<'_>) -> Value {
    let Some(own) = &seen.device.node else { return json!(NA) };
    json!(ctx.view.devices.iter().filter_map(|device| device.node.as_ref()).filter(|node| node.id < own.id).count())
}

fn identity(ctx: &Context<'_>, seen: &Seen<'_>, enumeration: bool) -> Map<String, Value> {
    let csv = ctx.format == Format::Csv;
    let (bdf, uuid) = if csv { ("gpu_bdf", "gpu_uuid") } else { ("bdf", "uuid") };
    let mut fields = record([("gpu", json!(seen.index)), (bdf, json!(seen.bdf())), (uuid, json!(seen.uuid()))]);
    // The tool reads the ids where the cgroup lets it.
    let node = seen.device.node.as_ref().filter(|node| !node.hidden);
    if seen.dialect.partition_ids {
        fields.extend(record([
            ("kfd_id", node.map_or(json!(NA), |node| json!(node.gpu_id))),
            ("node_id", node.map_or(json!(NA), |node| json!(node.id))),
            ("partition_id", node.map_or(json!(NA), |_| json!(seen.device.partition))),
        ]));
    }
    if enumeration {
        let drawn = seen.primary() || seen.dialect.enumeration_of_secondaries;
        let drm = |text: String| if drawn { json!(text) } else { json!(NA) };
        fields.extend(record([
            ("render", drm(format!("renderD{}", seen.device.render))),
            ("card", drm(format!("card{}", seen.device.card))),
            ("hsa_id", node.map_or(json!(NA), |node| json!(node.id))),
            ("hip_id", hip_id(ctx, seen)),
            ("hip_uuid", node.map_or(json!(NA), |node| json!(format!("GPU-{:016x}", node.unique_id)))),
        ]));
        if seen.dialect.enumeration_oam {
            fields.extend(record([("oam_id", json!(NA)), ("physical_acc_id", json!(NA))]));
        }
    }
    fields
}
