//! `version`.

use crate::domain::Reading;
use crate::witness::Call;
use crate::witness::amd_smi::{Answer, Format, VersionReport};

use super::leaf::Leaf;
use super::output::{Cell, Output, Record};

/// `version`.
pub fn version(call: &Call, format: Format) -> Answer<VersionReport> {
    let mut output = Output::read(call, format);
    if format == Format::Human {
        take_line(&mut output, call.stdout.ends_with(b"\n"));
    }
    output.answer(call, |groups| {
        let record = groups.iter().filter(|group| group.title.is_none()).find_map(|group| group.records.first())?;
        Some(Reading::Value(VersionReport {
            tool: record.get("", &["version"]).parsed(),
            library: record.get("", &["amdsmi_library_version"]).string(),
            rocm: record.get("", &["rocm_version"]).string(),
            driver: record.get("", &["amdgpu_version"]).string(),
        }))
    })
}

/// The line `AMDSMI Tool: 26.2.1 | AMDSMI Library version: 26.2.1 | ...` as a record with the keys of JSON.
fn take_line(output: &mut Output, whole: bool) {
    let Some(line) = output.stray.lines().find(|line| line.starts_with("AMDSMI Tool:")).map(str::to_owned) else {
        return;
    };
    output.stray = output.stray.lines().filter(|other| *other != line).collect::<Vec<_>>().join("\n");
    let cells = line.split(" | ").filter_map(|part| {
        let (name, value) = part.split_once(": ")?;
        let key = match name.trim() {
            "AMDSMI Tool" => "version",
            "AMDSMI Library version" => "amdsmi_library_version",
            "ROCm version" => "rocm_version",
            "amdgpu version" => "amdgpu_version",
            _ => return None,
        };
        Some(Cell { section: None, key: key.to_owned(), leaf: Leaf::text(value) })
    });
    let mut cells: Vec<Cell> = cells.collect();
    if let (false, Some(last)) = (whole, cells.last_mut()) {
        last.leaf = Leaf::Odd { raw: line.clone(), problem: "the output ends in the middle of a line" };
    }
    output.groups.clear();
    output.push(Record { gpu: Leaf::Nothing, cells });
}
