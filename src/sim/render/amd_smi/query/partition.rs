//! `amd-smi partition`.

use serde_json::{Map, Value, json};

use crate::sim::render::amd_smi::dialect::{Dialect, PartitionCommand, Unreadable};
use crate::sim::render::amd_smi::{Context, Format, Response};

use super::device::{self, Mode, Seen};
use super::human::{self, Column};
use super::records::{blocks, record};
use super::{NA, csv, json as python_json, notes, profiles, start_notes};

type Rows = Vec<Map<String, Value>>;

/// What the tool dies of when the mode of the first device cannot be read (26.2.1 to 27.1.0, stack frames left out).
const CRASH: &str = "amdsmi.amdsmi_exception.AmdSmiLibraryException: Error code:
\t16 | AMDSMI_STATUS_INTERNAL_EXCEPTION -  Internal error

During handling of the above exception, another exception occurred:

amdsmi.amdsmi_exception.AmdSmiLibraryException: Error code:
\t16 | AMDSMI_STATUS_INTERNAL_EXCEPTION -  Internal error

During handling of the above exception, another exception occurred:

UnboundLocalError: cannot access local variable 'partition_dict' where it is not associated with a value
";

const WARNING: &str = "
***************************************************************************
** WARNING:                                                              **
** ACCELERATOR_PARTITION_PROFILES requires sudo/root permissions to run. **
** Please run the command with sudo permissions to get accurate results. **
***************************************************************************

";

const LEGEND: &str = "\n\nLegend:\n  * = Current mode\n";

/// Prints the chosen tables; with none chosen, all three.
pub fn render(ctx: &Context<'_>, current: bool, memory: bool, accelerator: bool) -> Response {
    let all = !(current || memory || accelerator);
    let asked = Asked { current: all || current, memory: all || memory, accelerator: all || accelerator };
    let seen = device::chosen(ctx);
    match Dialect::of(ctx.tool).partition {
        // Where the subcommand does not exist, the command line was refused before anything is rendered.
        PartitionCommand::Absent => Response::default(),
        PartitionCommand::Separate { unreadable } => separate(ctx, &seen, asked, unreadable),
        PartitionCommand::Several => tables(ctx, &seen, asked, false),
        PartitionCommand::Combined => tables(ctx, &seen, asked, true),
    }
}

#[derive(Clone, Copy)]
struct Asked {
    current: bool,
    memory: bool,
    accelerator: bool,
}

struct Section {
    key: &'static str,
    title: &'static str,
    columns: &'static [&'static str],
    rows: Rows,
}

/// 25.x to 27.x: fixed-width tables, or their rows as JSON in one object (`combined`) or in a document each.
fn tables(ctx: &Context<'_>, seen: &[Seen<'_>], asked: Asked, combined: bool) -> Response {
    let mut stderr = start_notes(ctx.view, ctx.tool);
    let mut sections = Vec::new();
    if asked.current {
        match current_rows(seen, &mut stderr) {
            Some(rows) => sections.push(Section {
                key: "current_partition",
                title: "CURRENT_PARTITION",
                columns: &["gpu_id", "memory", "accelerator_type", "accelerator_profile_index", "partition_id"],
                rows,
            }),
            None => {
                stderr.push_str(CRASH);
                return Response { stdout: Vec::new(), stderr: stderr.into_bytes(), code: 1 };
            }
        }
    }
    if asked.memory {
        sections.push(Section {
            key: "memory_partition",
            title: "\nMEMORY_PARTITION",
            columns: &["gpu_id", "memory_partition_caps", "current_memory_partition"],
            rows: memory_rows(seen, &mut stderr),
        });
    }
    if asked.accelerator {
        stderr.extend(seen.iter().map(|one| notes::of_modes(&[&one.compute()])));
        sections.push(Section {
            key: "partition_profiles",
            title: "\nACCELERATOR_PARTITION_PROFILES",
            columns: &[
                "gpu_id",
                "profile_index",
                "memory_partition_caps",
                "accelerator_type",
                "partition_id",
                "num_partitions",
                "num_resources",
                "resource_index",
                "resource_type",
                "resource_instances",
                "resources_shared",
            ],
            rows: profiles::rows(seen, ctx.root),
        });
        sections.push(Section {
            key: "partition_resources",
            title: "\nACCELERATOR_PARTITION_RESOURCES",
            columns: &["resource_index", "resource_type", "resource_instances", "resources_shared"],
            rows: seen.iter().flat_map(|one| profiles::resource_rows(one, ctx.root)).collect(),
        });
    }
    let mut stdout = match ctx.format {
        Format::Human => sections.iter().map(|section| human_section(section, ctx.root)).collect(),
        Format::Csv => {
            sections.iter().filter(|one| !one.rows.is_empty()).map(|one| csv::table(&one.rows) + "\n").collect()
        }
        Format::Json if combined => {
            let filled = sections.into_iter().filter(|section| !section.rows.is_empty());
            let object: Map<String, Value> =
                filled.map(|section| (section.key.to_owned(), json!(section.rows))).collect();
            python_json::dumps(&Value::Object(object)) + "\n"
        }
        Format::Json => sections.iter().map(|section| python_json::dumps(&json!(section.rows)) + "\n").collect(),
    };
    if asked.accelerator && (ctx.format == Format::Human || !combined) {
        stdout.push_str(LEGEND);
    }
    Response { stdout: stdout.into_bytes(), stderr: stderr.into_bytes(), code: 0 }
}

fn human_section(section: &Section, root: bool) -> String {
    if section.rows.is_empty() {
        return "\n".to_owned();
    }
    let warning = if root || section.key != "partition_profiles" { "" } else { WARNING };
    format!("{}:\n{warning}{}", section.title, human::table(&columns(section.columns), &section.rows))
}

/// Each column is two wider than its name; ids have room for eight numbers where there is a profile beside them.
fn columns(keys: &[&'static str]) -> Vec<Column> {
    let wide = keys.contains(&"profile_index");
    let width = |key: &str| if wide && key == "partition_id" { 17 } else { key.len() + 2 };
    keys.iter().map(|&key| Column { key, width: width(key) }).collect()
}

/// Rows of the current modes; `None` when the tool crashes: a mode that cannot be read takes the partition id of the
/// device before it, and the first device has none before it.
fn current_rows(seen: &[Seen<'_>], stderr: &mut String) -> Option<Rows> {
    let mut rows = Vec::new();
    let mut last_id = None;
    for one in seen {
        let memory = one.memory();
        let (mode, index) = match profiles::current(one) {
            Some(now) => {
                last_id = Some(one.device.partition);
                (now.mode, now.index)
            }
            None => {
                stderr.push_str(&notes::of_modes(&[&Mode::Failed]));
                (NA.to_owned(), json!(NA))
            }
        };
        let id = last_id?;
        stderr.push_str(&notes::of_modes(&[&memory]));
        rows.push(record([
            ("gpu_id", json!(one.index)),
            ("memory", json!(memory.text())),
            ("accelerator_type", json!(mode)),
            ("accelerator_profile_index", index),
            ("partition_id", json!(id.to_string())),
        ]));
    }
    Some(rows)
}

fn memory_rows(seen: &[Seen<'_>], stderr: &mut String) -> Rows {
    let row = |one: &Seen<'_>| {
        let memory = one.memory();
        stderr.push_str(&notes::of_modes(&[&memory]));
        record([
            ("gpu_id", json!(one.index)),
            ("memory_partition_caps", json!(memory_caps(one, &memory))),
            ("current_memory_partition", json!(memory.text())),
        ])
    };
    seen.iter().map(row).collect()
}

fn memory_caps(one: &Seen<'_>, memory: &Mode) -> String {
    let Mode::Known(_) = memory else { return NA.to_owned() };
    let available = one.files().and_then(|files| files.available_memory.as_deref().ok()).unwrap_or_default();
    match available.trim() {
        "" if one.dialect.empty_caps => String::new(),
        available => profiles::caps(available),
    }
}

/// 24.7: the first form of the subcommand. It knows the memory mode and nothing else.
fn separate(ctx: &Context<'_>, seen: &[Seen<'_>], asked: Asked, unreadable: Unreadable) -> Response {
    let (zero, count) = match unreadable {
        Unreadable::Zero => (json!(0), json!(0)),
        Unreadable::NotApplicable => (json!(NA), json!(0)),
    };
    let mut stdout = String::new();
    let mut stderr = start_notes(ctx.view, ctx.tool);
    if asked.current {
        let row = |one: &Seen<'_>| {
            record([
                ("gpu_id", json!(one.index)),
                ("memory", json!(one.memory().text())),
                ("accelerator_type", zero.clone()),
                ("accelerator_profile_index", zero.clone()),
                ("partition_id", zero.clone()),
            ])
        };
        stderr.extend(seen.iter().map(|one| notes::of_modes(&[&one.memory()])));
        stdout.push_str(&old_table(ctx.format, "CURRENT_PARTITION", &seen.iter().map(row).collect::<Rows>()));
    }
    if asked.memory {
        let row = |one: &Seen<'_>| {
            let fields = record([("caps", json!(NA)), ("current", json!(one.memory().text()))]);
            record([("gpu", json!(one.index)), ("memory_partition", Value::Object(fields))])
        };
        let rows: Rows = seen.iter().map(row).collect();
        stderr.extend(seen.iter().map(|one| notes::of_modes(&[&one.memory()])));
        stdout.push_str(&match ctx.format {
            Format::Human => blocks(&rows, "\n") + "\n",
            Format::Json => python_json::dumps(&json!(rows)) + "\n",
            Format::Csv => csv::table(&rows.iter().map(csv::flatten).collect::<Vec<_>>()) + "\n",
        });
    }
    if asked.accelerator {
        let na = || json!(NA);
        let row = |one: &Seen<'_>| {
            record([
                ("gpu_id", json!(one.index)),
                ("profile_index", zero.clone()),
                ("memory_partition_caps", na()),
                ("accelerator_type", zero.clone()),
                ("partition_id", zero.clone()),
                ("num_partitions", count.clone()),
                ("num_resources", zero.clone()),
                ("resource_index", na()),
                ("resource_type", na()),
                ("resource_instances", na()),
                ("resources_shared", na()),
            ])
        };
        let rows: Rows = seen.iter().map(row).collect();
        stdout.push_str(&old_table(ctx.format, "ACCELERATOR_PARTITION_PROFILES", &rows));
    }
    Response { stdout: stdout.into_bytes(), stderr: stderr.into_bytes(), code: 0 }
}

fn old_table(format: Format, title: &str, rows: &Rows) -> String {
    match format {
        Format::Human => {
            let width = |key: &str| if key == "gpu_id" { 13 } else { key.len() + 2 };
            const KEYS: [&str; 13] = [
                "gpu_id",
                "memory",
                "profile_index",
                "memory_partition_caps",
                "accelerator_type",
                "accelerator_profile_index",
                "partition_id",
                "num_partitions",
                "num_resources",
                "resource_index",
                "resource_type",
                "resource_instances",
                "resources_shared",
            ];
            let has = |key: &&&str| rows.first().is_some_and(|row| row.contains_key(**key));
            let columns: Vec<Column> = KEYS.iter().filter(has).map(|&key| Column { key, width: width(key) }).collect();
            format!("{title}:\n{}", human::table(&columns, rows))
        }
        Format::Json => python_json::dumps(&json!(rows)) + "\n",
        Format::Csv => csv::table(rows) + "\n",
    }
}
