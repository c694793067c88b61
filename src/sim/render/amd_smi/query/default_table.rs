//! `amd-smi` without a subcommand, and `amd-smi default` (26.0 and later).

use serde_json::{Map, Value, json};

use crate::sim::View;
use crate::sim::render::amd_smi::dialect::Dialect;
use crate::sim::render::amd_smi::{Context, Format, Response};

use super::device::{self, Mode, Seen};
use super::records::record;
use super::{NA, json as python_json, list, metric, notes, plain, start_notes, version};

const EDGE: &str = "+------------------------------------------------------------------------------+\n";
const RULE: &str = "|-------------------------------------+----------------------------------------|\n";
const DOUBLE_RULE: &str = "|=====================================+========================================|\n";
const BOTTOM: &str = "+-------------------------------------+----------------------------------------+\n";
const HEADER: &str = "| BDF                        GPU-Name | Mem-Uti   Temp   UEC       Power-Usage |\n\
                      | GPU  HIP-ID  OAM-ID  Partition-Mode | GFX-Uti    Fan               Mem-Usage |\n";
const PROCESS_RULE: &str = "|==============================================================================|\n";
const NO_PROCESS: &str = "|  No running processes found                                                  |\n";

/// PCI device ids by which the tool takes a guest for one that owns the whole GPU.
/// Source: facts/amd-smi.md section 0 (`amdsmi_helpers.py`).
const PASSTHROUGH_IDS: [u16; 5] = [0x7460, 0x73c8, 0x74a0, 0x74a1, 0x74a2];

/// Prints the overview of the whole machine; `-g` does not exist here.
pub fn render(ctx: &Context<'_>) -> Response {
    let mut stderr = start_notes(ctx.view, ctx.tool);
    let mut gpus = Vec::new();
    for seen in device::all(ctx) {
        let (compute, memory) = (seen.compute(), seen.memory());
        stderr.push_str(&notes::of_modes(&[&compute, &memory]));
        gpus.push(gpu(ctx, &seen, &compute, &memory));
    }
    let (stdout, code) = match ctx.format {
        Format::Human => (table(ctx, &gpus), 0),
        Format::Json => {
            let document = json!([{ "version_info": versions(ctx), "gpu_info_list": gpus, "processes": [] }]);
            (python_json::dumps(&document) + "\n", 0)
        }
        Format::Csv => {
            // The tool hands its CSV writer something that is no list of rows.
            stderr.push_str("AttributeError: 'str' object has no attribute 'keys'\n");
            (String::new(), 1)
        }
    };
    Response { stdout: stdout.into_bytes(), stderr: stderr.into_bytes(), code }
}

/// Where the tool thinks it runs.
pub fn platform(view: &View) -> &'static str {
    let whole_gpu =
        |gpu: &crate::sim::Gpu| PASSTHROUGH_IDS.contains(&gpu.device_id) || (view.drm && !gpu.virtual_function);
    match view.hypervisor {
        false => "Linux Baremetal",
        true if view.gpus.iter().any(whole_gpu) => "Linux Guest (Passthrough)",
        true => "Linux Guest",
    }
}

fn versions(ctx: &Context<'_>) -> Map<String, Value> {
    let driver = version::driver_text(ctx)
        .map_or(json!(NA), |driver| json!({ "driver_name": "amdgpu", "driver_version": driver, "driver_date": NA }));
    let mut fields = record([("amd-smi", json!(version::tool_text(ctx.tool))), ("amdgpu version", driver)]);
    if Dialect::of(ctx.tool).wide_default_table {
        fields.extend(record([("kernel version", json!(ctx.view.kernel_release))]));
    }
    fields.extend(record([
        ("fw pldm version", json!(NA)),
        ("vbios version", json!(NA)),
        ("rocm version", json!([false, "Could not find librocm-core.so"])),
    ]));
    fields
}

fn gpu(ctx: &Context<'_>, seen: &Seen<'_>, compute: &Mode, memory: &Mode) -> Map<String, Value> {
    let mode = match (compute, memory) {
        (Mode::Known(compute), Mode::Known(memory)) => json!(format!("{compute}/{memory}")),
        (Mode::Known(_) | Mode::Absent | Mode::Failed, _) => json!(NA),
    };
    let metrics = seen.gpu.metrics.filter(|_| seen.primary());
    let metric = |value: Option<u16>| value.map_or(json!(NA), |value| json!(value));
    let power = match metrics {
        Some(metrics) if seen.dialect.wide_default_table => {
            json!({ "current_power": metrics.socket_power, "power_limit": NA })
        }
        Some(_) | None => json!(NA),
    };
    let usage = match (metric::used_vram(seen), metric::total_vram(seen)) {
        (Some(used), Some(total)) => json!({ "used_vram": used, "total_vram": total }),
        (_, _) => json!(NA),
    };
    let name = if seen.drm { seen.gpu.model.marketing.as_str() } else { NA };
    record([
        ("gpu_id", json!(seen.index)),
        ("partition_mode", mode),
        ("market_name", json!(name)),
        ("oam_id", json!(NA)),
        ("bdf", json!(seen.bdf())),
        ("hip_id", list::hip_id(ctx, seen)),
        ("mem_util", metric(metrics.map(|metrics| metrics.umc_activity))),
        ("gfx_util", metric(metrics.map(|metrics| metrics.gfx_activity))),
        ("temp", metric(metrics.map(|metrics| metrics.hotspot))),
        ("power_usage", power),
        ("mem_usage", usage),
        ("uncorr_ecc", json!(0)),
        ("fan", json!(NA)),
    ])
}

fn table(ctx: &Context<'_>, gpus: &[Map<String, Value>]) -> String {
    let wide = Dialect::of(ctx.tool).wide_default_table;
    let mut out = EDGE.to_owned();
    out.push_str(&if wide { wide_versions(ctx) } else { narrow_versions(ctx) });
    out.push_str(RULE);
    out.push_str(HEADER);
    out.push_str(DOUBLE_RULE);
    let rows: Vec<String> = gpus.iter().map(lines).collect();
    out.push_str(&rows.join(RULE));
    out.push_str(BOTTOM);
    out.push_str(EDGE);
    out.push_str("| Processes:                                                                   |\n");
    out.push_str(if wide {
        "|  GPU      PID  Process Name     GTT_MEM  VRAM_MEM  MEM_USAGE   CU %     SDMA |\n"
    } else {
        "|  GPU        PID  Process Name          GTT_MEM  VRAM_MEM  MEM_USAGE     CU % |\n"
    });
    out.push_str(PROCESS_RULE);
    out.push_str(NO_PROCESS);
    out.push_str(EDGE);
    out
}

fn narrow_versions(ctx: &Context<'_>) -> String {
    let tool = version::tool_text(ctx.tool);
    let tool = if tool.len() > 20 { format!("{}...", clip(&tool, 17)) } else { tool };
    let driver = version::driver_text(ctx).unwrap_or_else(|| NA.to_owned());
    format!(
        "| AMD-SMI {tool:<20} amdgpu version: {:<8} ROCm version: {NA:<8} |\n| Platform: {:<25} {:41}|\n",
        clip(&driver, 8),
        platform(ctx.view),
        ""
    )
}

fn wide_versions(ctx: &Context<'_>) -> String {
    let line = |label: &str, text: &str| {
        let text = if text.len() > 57 { format!("{}...", clip(text, 54)) } else { text.to_owned() };
        format!("| {label:<18} {text:<57} |\n")
    };
    let driver = version::driver_text(ctx).map_or_else(
        || line("OS kernel Version:", &ctx.view.kernel_release),
        |driver| line("amdgpu Version:", &driver),
    );
    line("AMD-SMI", &version::tool_text(ctx.tool)) + &driver + &line("Platform:", platform(ctx.view))
}

/// The two lines of one device.
fn lines(gpu: &Map<String, Value>) -> String {
    let text = |key: &str| gpu.get(key).map_or_else(|| NA.to_owned(), plain);
    let unit = |key: &str, unit: &str| match text(key) {
        missing if missing == NA => missing,
        value => format!("{value} {unit}"),
    };
    let pair = |key: &str, first: &str, second: &str, unit: &str| match gpu.get(key) {
        Some(Value::Object(fields)) => {
            let field = |key: &str| fields.get(key).map_or_else(String::new, plain);
            format!("{}/{} {unit}", field(first), field(second))
        }
        Some(_) | None => NA.to_owned(),
    };
    let name = text("market_name");
    let name = match name.chars().count() {
        0..=22 => name,
        length => format!("...{}", name.chars().skip(length - 19).collect::<String>()),
    };
    format!(
        "| {:<12} {name:>22} | {:<5}   {:>6}   {:<5}   {:>13} |\n| {:>3}  {:>6}  {:>6}  {:>14} | {:<5}   {:>6}   {:>21} |\n",
        clip(&text("bdf"), 12),
        clip(&unit("mem_util", "%"), 5),
        clip(&unit("temp", "°C"), 6),
        text("uncorr_ecc"),
        clip(&pair("power_usage", "current_power", "power_limit", "W"), 13),
        text("gpu_id"),
        text("hip_id"),
        text("oam_id"),
        text("partition_mode"),
        clip(&unit("gfx_util", "%"), 5),
        text("fan"),
        clip(&pair("mem_usage", "used_vram", "total_vram", "MB"), 21),
    )
}

/// The first `length` characters.
fn clip(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}
