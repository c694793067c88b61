//! `amd-smi static`.

use serde_json::{Map, Value, json};

use crate::sim::render::amd_smi::failure::not_simulated;
use crate::sim::render::amd_smi::{Context, Format, Response};

use super::device::{self, Seen};
use super::records::{print, record, with_unit};
use super::{NA, metric, notes, start_notes, version};

/// AMD's name where the tool has it from its own table.
const VENDOR: &str = "Advanced Micro Devices Inc. [AMD/ATI]";

/// What 24.5 dies of when it comes to the power limits (stack frames left out).
const CRASH: &str =
    "UnboundLocalError: cannot access local variable 'min_power_limit' where it is not associated with a value\n";

/// Which sections were asked for. None at all means every section that the tool has, more than are reproduced here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct StaticSections {
    /// `-a`, `--asic`.
    pub asic: bool,
    /// `-b`, `--bus`.
    pub bus: bool,
    /// `-V`, `--vbios` (`-I`, `--ifwi`).
    pub vbios: bool,
    /// `-d`, `--driver`.
    pub driver: bool,
    /// `-B`, `--board`.
    pub board: bool,
    /// `-v`, `--vram`.
    pub vram: bool,
    /// `-p`, `--partition`.
    pub partition: bool,
}

/// Prints the chosen sections of each chosen device.
pub fn render(ctx: &Context<'_>, sections: StaticSections) -> Response {
    let seen = device::chosen(ctx);
    let mut stdout = String::new();
    let mut stderr = start_notes(ctx.view, ctx.tool);
    let mut records = Vec::new();
    if let Some(first) = seen.first().filter(|first| first.dialect.static_dies_without_drm && !first.drm)
        && sections == StaticSections::default()
    {
        stdout.push_str(notes::of_link(first));
        stderr.push_str(CRASH);
        return Response { stdout: stdout.into_bytes(), stderr: stderr.into_bytes(), code: 1 };
    }
    if sections == StaticSections::default() {
        let mut response = Response::default();
        not_simulated(&mut response, "`static` without a section (limits, RAS, clocks, caches and NUMA among them)");
        return response;
    }
    for one in &seen {
        let mut fields = record([("gpu", json!(one.index))]);
        let mut add = |key: &str, section: Value| fields.insert(key.to_owned(), section);
        if sections.asic {
            add("asic", Value::Object(asic(one)));
        }
        if sections.bus {
            stdout.push_str(notes::of_link(one));
            add("bus", Value::Object(bus(ctx.format, one)));
        }
        if sections.vbios {
            add(one.dialect.vbios_key, json!(NA));
        }
        if sections.driver {
            add("driver", Value::Object(driver(ctx, one)));
        }
        if sections.board {
            add("board", Value::Object(board(one)));
        }
        if sections.partition {
            stderr.push_str(&notes::of_modes(&[&one.compute(), &one.memory()]));
            add("partition", Value::Object(partition(one)));
        }
        if sections.vram {
            add("vram", Value::Object(vram(ctx.format, one)));
        }
        records.push(fields);
    }
    let wrapped = seen.first().is_some_and(|one| one.dialect.gpu_data);
    stdout.push_str(&print(ctx, &records, wrapped));
    Response { stdout: stdout.into_bytes(), stderr: stderr.into_bytes(), code: 0 }
}

fn asic(seen: &Seen<'_>) -> Map<String, Value> {
    let keys = seen.dialect.asic;
    let answers = seen.drm || keys.without_drm;
    let text = |known: bool, text: String| if known { json!(text) } else { json!(NA) };
    let id = seen.gpu.unique_id;
    // Without DRM the serial falls back to the unique id, and the prefix stands before a decimal number.
    let serial = match (seen.drm, id) {
        // A card without a unique id (capture strix_halo_gfx1151-6.3.1_style-static).
        (true, 0) => NA.to_owned(),
        (true, _) => format!("0x{id:016X}"),
        (false, _) => format!("0x{id}"),
    };
    let units = seen.device.node.as_ref().map(|node| node.simd_count / seen.gpu.model.simds_per_cu.max(1));
    let digits = keys.revision_digits;
    let mut fields = record([
        ("market_name", text(seen.drm, seen.gpu.model.marketing.clone())),
        ("vendor_id", text(answers, "0x1002".to_owned())),
        ("vendor_name", text(answers, VENDOR.to_owned())),
        ("subvendor_id", text(answers, "0x1002".to_owned())),
        ("device_id", text(seen.drm, format!("0x{:04x}", seen.gpu.device_id))),
    ]);
    if keys.subsystem {
        fields.extend(record([("subsystem_id", text(answers, format!("0x{:04x}", seen.gpu.subsystem_device)))]));
    }
    fields.extend(record([("rev_id", text(answers, format!("0x{:0digits$x}", seen.gpu.revision)))]));
    if keys.revisions {
        fields.extend(record([("chip_rev_id", json!(NA)), ("external_rev_id", json!(NA))]));
    }
    fields.extend(record([("asic_serial", text(answers, serial)), ("oam_id", json!(NA))]));
    if keys.revisions {
        fields.extend(record([("physical_acc_id", json!(NA))]));
    }
    if keys.target {
        fields.extend(record([
            ("num_compute_units", units.filter(|_| answers).map_or(json!(NA), |units| json!(units))),
            ("target_graphics_version", text(answers, seen.gpu.model.gfx.clone())),
        ]));
    }
    fields
}

fn bus(format: Format, seen: &Seen<'_>) -> Map<String, Value> {
    // The link comes from `gpu_metrics`, which only a primary has.
    let known = seen.primary() && seen.gpu.metrics.is_some() && (seen.drm || seen.dialect.bus_without_drm);
    let speed = seen.gpu.max_link_speed;
    let or_na = |value: Value| if known { value } else { json!(NA) };
    let mut fields = record([
        ("bdf", json!(seen.bdf())),
        ("max_pcie_width", or_na(json!(seen.gpu.max_link_width))),
        ("max_pcie_speed", with_unit(format, known.then_some(u64::from(speed)), "GT/s")),
    ]);
    if seen.dialect.pcie_levels {
        fields.extend(record([("pcie_levels", json!(NA))]));
    }
    // An accelerator module says OAM; only a tree without DRM says PCIE for one (capture mi300x-24.6-static-head).
    let module = seen.drm && seen.gpu.model.partitionable && !seen.gpu.model.apu;
    fields.extend(record([
        ("pcie_interface_version", or_na(json!(format!("Gen {}", generation(speed))))),
        ("slot_type", or_na(json!(if module { "OAM" } else { "PCIE" }))),
    ]));
    fields
}

/// PCIe generation of a link speed in GT/s.
const fn generation(speed: u32) -> u32 {
    match speed {
        0..=4 => 1,
        5..=7 => 2,
        8..=15 => 3,
        16..=31 => 4,
        32..=63 => 5,
        64.. => 6,
    }
}

fn driver(ctx: &Context<'_>, seen: &Seen<'_>) -> Map<String, Value> {
    let missing = seen.dialect.driver_unreadable;
    let version = version::driver_text(ctx);
    let name = if version.is_some() { "amdgpu" } else { missing };
    let mut fields = record([("name", json!(name)), ("version", json!(version.as_deref().unwrap_or(missing)))]);
    if seen.dialect.driver_kernel {
        fields.extend(record([("os_kernel_version", json!(ctx.view.kernel_release))]));
    }
    fields
}

fn board(seen: &Seen<'_>) -> Map<String, Value> {
    let own = !seen.dialect.board_from_fru || seen.primary();
    let text = |value: &Option<String>| value.as_deref().filter(|_| own).unwrap_or(NA).to_owned();
    let model = if seen.dialect.board_from_fru { text(&seen.gpu.product_number) } else { NA.to_owned() };
    // Older libraries fall back to the vendor id for a board without a name.
    let name = match &seen.gpu.product_name {
        None if !seen.dialect.board_from_fru => "0x1002".to_owned(),
        name => text(name),
    };
    record([
        ("model_number", json!(model)),
        ("product_serial", json!(text(&seen.gpu.serial))),
        ("fru_id", json!(NA)),
        ("product_name", json!(name)),
        ("manufacturer_name", json!(seen.dialect.manufacturer)),
    ])
}

fn partition(seen: &Seen<'_>) -> Map<String, Value> {
    let mut fields = record([
        (seen.dialect.compute_key, json!(seen.compute().text())),
        ("memory_partition", json!(seen.memory().text())),
    ]);
    if seen.dialect.partition_ids {
        fields.extend(record([("partition_id", json!(seen.device.partition))]));
    }
    if seen.dialect.mem_alloc_mode {
        let mode = seen.files().and_then(|files| files.mem_alloc_mode.as_deref().ok());
        fields.extend(record([("compute_partition_mem_alloc_mode", json!(mode.unwrap_or(NA)))]));
    }
    fields
}

fn vram(format: Format, seen: &Seen<'_>) -> Map<String, Value> {
    let keys = seen.dialect.vram;
    let answers = seen.drm || keys.without_drm;
    let unknown = if answers { "UNKNOWN" } else { NA };
    let vendor = match &seen.gpu.vram_vendor {
        Some(vendor) if answers && has_own_vendor(seen) => vendor.to_uppercase(),
        Some(_) | None => unknown.to_owned(),
    };
    let kind = if seen.drm { memory_kind(seen) } else { unknown };
    let mut fields = record([
        ("type", json!(kind)),
        ("vendor", json!(vendor)),
        ("size", with_unit(format, metric::total_vram(seen).filter(|_| answers), "MB")),
    ]);
    if keys.bit_width {
        fields.extend(record([("bit_width", keys.bit_width_unknown.map_or(json!(NA), |width| json!(width)))]));
    }
    if keys.max_bandwidth {
        // The tool adds the unit to the missing value where the rest of the section was read.
        let bandwidth = match format {
            Format::Json if answers => json!({ "value": NA, "unit": "GB/s" }),
            Format::Human if answers => json!(format!("{NA} ")),
            Format::Json | Format::Human | Format::Csv => json!(NA),
        };
        fields.extend(record([("max_bandwidth", bandwidth)]));
    }
    fields
}

fn has_own_vendor(seen: &Seen<'_>) -> bool {
    seen.primary() || !seen.dialect.board_from_fru
}

/// `HBM` is what a capture of 24.6 shows for MI300X; no capture shows the type of a Radeon card.
fn memory_kind(seen: &Seen<'_>) -> &'static str {
    if seen.gpu.model.partitionable && !seen.gpu.model.apu { "HBM" } else { "UNKNOWN" }
}
