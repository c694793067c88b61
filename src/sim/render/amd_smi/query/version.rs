//! `amd-smi version`.

use serde_json::{Map, Value, json};

use crate::domain::ToolVersion;
use crate::sim::DriverState;
use crate::sim::render::amd_smi::dialect::{Dialect, VersionKeys};
use crate::sim::render::amd_smi::{Context, Format, Response};

use super::{NA, csv, json as python_json, plain};

/// Which driver versions were asked for (25.x and later). None at all means those that the tool shows unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VersionArgs {
    /// `-g`: the amdgpu driver.
    pub gpu_driver: bool,
    /// `-c`: the CPU driver.
    pub cpu_driver: bool,
    /// `-n`: the NIC driver (27.x).
    pub nic_driver: bool,
}

/// Prints the tool's, the library's and the drivers' versions.
pub fn render(ctx: &Context<'_>, args: VersionArgs) -> Response {
    let keys = Dialect::of(ctx.tool).version;
    let shown = shown(keys, args);
    let fields = fields(ctx, keys);
    let always = matches!(keys, VersionKeys::Nic);
    let stdout = match ctx.format {
        Format::Human => {
            let parts: Vec<String> = fields
                .iter()
                .filter(|field| field.asked_by.is_none_or(|which| which(&shown)))
                .map(|field| format!("{}: {}", field.label, plain(&field.value)))
                .collect();
            parts.join(" | ") + "\n"
        }
        Format::Json | Format::Csv => {
            let mut record = Map::from_iter([("tool".to_owned(), json!("AMDSMI Tool"))]);
            for field in fields {
                if always || field.asked_by.is_none_or(|which| which(&shown)) {
                    // 27.x fills in only what was asked for, but has every key.
                    let asked = field.asked_by.is_none_or(|which| which(&shown));
                    record.insert(field.key.to_owned(), if asked { field.value } else { json!(NA) });
                }
            }
            if ctx.format == Format::Json {
                python_json::dumps(&json!([record])) + "\n"
            } else {
                csv::table(&[record]) + "\n"
            }
        }
    };
    Response { stdout: stdout.into_bytes(), stderr: super::start_notes(ctx.view, ctx.tool).into_bytes(), code: 0 }
}

/// The tool's own version: distribution packages carry no commit.
pub fn tool_text(tool: ToolVersion) -> String {
    format!("{tool}+unknown")
}

/// The line that the tool prints in place of an answer when it finds no GPU.
pub fn line(tool: ToolVersion) -> String {
    format!("AMDSMI Tool: {} | AMDSMI Library version: {} | ROCm version: {NA}\n", tool_text(tool), library_text(tool))
}

/// The amdgpu driver's version, where DRM answers. The in-tree driver has none, and the tool shows the kernel's banner.
pub fn driver_text(ctx: &Context<'_>) -> Option<String> {
    match &ctx.view.driver {
        DriverState::Live { version } if ctx.view.drm => {
            Some(version.clone().unwrap_or_else(|| format!("Linuxversion{}", ctx.view.kernel_release)))
        }
        DriverState::BuiltIn if ctx.view.drm => Some(format!("Linuxversion{}", ctx.view.kernel_release)),
        DriverState::Live { .. } | DriverState::BuiltIn | DriverState::Going | DriverState::NotLoaded => None,
    }
}

/// The library has numbers of its own: four of them before 25, and not always the tool's.
/// Source: facts/amd-smi.md 1.1; a pair that it does not list is taken to agree.
fn library_text(tool: ToolVersion) -> String {
    match (tool.major, tool.minor, tool.patch) {
        (25, 2, 0) => "25.3.0".to_owned(),
        (25, 4, 2) => "25.4.0".to_owned(),
        (..=24, _, _) => format!("{tool}.0"),
        (_, _, _) => tool.to_string(),
    }
}

type Asked = fn(&VersionArgs) -> bool;

struct Field {
    key: &'static str,
    label: &'static str,
    value: Value,
    /// Shown only where this was asked for.
    asked_by: Option<Asked>,
}

/// What is shown: everything where nothing was asked for, but for the HSMP driver, which 27.x names only where it is.
fn shown(keys: VersionKeys, args: VersionArgs) -> VersionArgs {
    if args != VersionArgs::default() {
        return args;
    }
    VersionArgs { gpu_driver: true, cpu_driver: !matches!(keys, VersionKeys::Nic), nic_driver: true }
}

fn fields(ctx: &Context<'_>, keys: VersionKeys) -> Vec<Field> {
    let library = library_text(ctx.tool);
    let field = |key, label, value: &str, asked_by| Field { key, label, value: json!(value), asked_by };
    let mut fields = vec![
        field("version", "AMDSMI Tool", &tool_text(ctx.tool), None),
        field("amdsmi_library_version", "AMDSMI Library version", &library, None),
        field("rocm_version", "ROCm version", NA, None),
    ];
    let gpu: Asked = |args| args.gpu_driver;
    let cpu: Asked = |args| args.cpu_driver;
    let nic: Asked = |args| args.nic_driver;
    let driver = driver_text(ctx);
    match keys {
        VersionKeys::Three => {}
        VersionKeys::Drivers { hsmp_label, unreadable } => {
            let driver = driver.as_deref().unwrap_or(unreadable);
            fields.push(field("amdgpu_version", "amdgpu version", driver, Some(gpu)));
            fields.push(field("amd_hsmp_driver_version", hsmp_label, NA, Some(cpu)));
        }
        VersionKeys::Nic => {
            fields.push(field("amdgpu_version", "amdgpu version", driver.as_deref().unwrap_or(NA), Some(gpu)));
            fields.push(field("amd_hsmp_driver_version", "hsmp version", NA, Some(cpu)));
            fields.push(field("nic_driver_version", "ionic version", NA, Some(nic)));
        }
    }
    fields
}
