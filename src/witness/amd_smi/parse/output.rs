//! One call's standard output, taken apart: records and tables, whatever the format, and the text around them.

use crate::domain::Reading;
use crate::witness::Call;
use crate::witness::amd_smi::{Answer, Format, ToolError};

use super::leaf::Leaf;
use super::{csv, failure, human, json};

/// Most devices that one answer can hold.
pub(super) const MAX_DEVICES: usize = 4096;

/// Most rows that one output can hold: profile tables have up to 16 for each device.
pub(super) const MAX_RECORDS: usize = 16 * MAX_DEVICES;

/// Longest output that is looked into. The longest real one known, 64 devices in JSON, is a twentieth of it.
pub(super) const MAX_TEXT: usize = 4 << 20;

const MAX_STRAY: usize = 4000;

/// Standard output, taken apart.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// JSON documents.
    pub(super) documents: usize,
    /// Everything that belongs to none of the groups.
    pub(super) stray: String,
    /// Failures that the tool printed in place of an answer.
    pub(super) errors: Vec<ToolError>,
    /// Runs of records: one for each table, JSON list, or run of `GPU: N` blocks.
    pub(super) groups: Vec<Group>,
    /// Why what was read is not all of it.
    pub(super) broken: Option<String>,
    /// Records in all groups.
    count: usize,
}

/// Records that were printed together.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Title of the table or key of the list, in lower case.
    pub(super) title: Option<String>,
    /// Keys of its header, or of its first record, in lower case.
    pub(super) keys: Vec<String>,
    /// Its records.
    pub(super) records: Vec<Record>,
}

/// One device's block, or one row of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// The device that it is about.
    pub(super) gpu: Leaf,
    /// Its other fields.
    pub(super) cells: Vec<Cell>,
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    /// The heading that it stands under, in lower case; `None` in tables and flat formats.
    pub(super) section: Option<String>,
    /// Its name, in lower case.
    pub(super) key: String,
    /// What was printed.
    pub(super) leaf: Leaf,
}

impl Output {
    /// Takes a call's standard output apart.
    pub(super) fn read(call: &Call, format: Format) -> Self {
        if call.stdout.len() > MAX_TEXT {
            let broken = Some(format!("more than {MAX_TEXT} bytes of output"));
            return Self { broken, ..Self::default() };
        }
        let text = String::from_utf8_lossy(&call.stdout);
        match format {
            Format::Human => human::read(&text),
            Format::Json => json::read(&text),
            Format::Csv => csv::read(&text),
        }
    }

    /// The answer whose value `value` makes of the groups; `None` from it means that they hold nothing of the kind.
    pub(super) fn answer<T>(self, call: &Call, value: impl FnOnce(&[Group]) -> Option<Reading<T>>) -> Answer<T> {
        let failure = failure::find(&self.errors, &self.stray, &String::from_utf8_lossy(&call.stderr));
        let said = || String::from_utf8_lossy(&call.stdout[..call.stdout.len().min(MAX_STRAY)]).into_owned();
        let value = match (self.broken, value(&self.groups)) {
            (Some(problem), _) => Reading::malformed(said(), problem),
            (None, Some(value)) => value,
            (None, None) if failure.is_some() || call.stdout.trim_ascii().is_empty() => Reading::NotReported,
            (None, None) => Reading::malformed(said(), "no answer in it that is known"),
        };
        let stray = self.stray.trim();
        let stray = (!stray.is_empty()).then(|| stray.chars().take(MAX_STRAY).collect());
        Answer { documents: self.documents, stray, failure, value }
    }

    /// Adds a record to the last group, or starts one.
    pub(super) fn push(&mut self, record: Record) {
        self.count += 1;
        if self.count > MAX_RECORDS {
            self.broken.get_or_insert_with(|| format!("more than {MAX_RECORDS} rows"));
            return;
        }
        if self.groups.is_empty() {
            self.groups.push(Group::default());
        }
        if let Some(group) = self.groups.last_mut() {
            if group.keys.is_empty() {
                group.keys = record.cells.iter().map(|cell| cell.key.clone()).collect();
            }
            group.records.push(record);
        }
    }

    /// Notes a line that belongs to nothing.
    pub(super) fn stray(&mut self, text: &str) {
        self.stray.push_str(text);
        self.stray.push('\n');
    }
}

impl Record {
    /// The field with one of these names, under this heading or in a flat format; [`Leaf::Nothing`] when there is none.
    pub(super) fn get(&self, section: &str, keys: &[&str]) -> &Leaf {
        let fits = |cell: &&Cell| {
            keys.contains(&cell.key.as_str()) && cell.section.as_deref().is_none_or(|found| found == section)
        };
        self.cells.iter().find(fits).map_or(&Leaf::Nothing, |cell| &cell.leaf)
    }

    /// The device's index.
    pub(super) fn index(&self) -> Result<u32, Reading<()>> {
        match self.gpu.number() {
            Reading::Value(index) => Ok(index),
            absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
                Err(absent.map(|_| ()))
            }
        }
    }
}

/// One row for each device, from every group that `fits`; `None` when none does.
///
/// A device that is reported twice must be reported alike: several documents repeat each other in some versions.
pub(super) fn rows<T: PartialEq>(
    groups: &[Group],
    fits: impl Fn(&Group) -> bool,
    row: impl Fn(u32, &Record) -> T,
) -> Option<Reading<Vec<T>>> {
    let mut groups = groups.iter().filter(|group| fits(group)).peekable();
    groups.peek()?;
    let mut found: Vec<(u32, T)> = Vec::new();
    for record in groups.flat_map(|group| &group.records) {
        let index = match record.index() {
            Ok(index) => index,
            Err(reading) => {
                let problem = format!("a row of no known GPU ({})", reading.absence().unwrap_or_default());
                return Some(Reading::malformed("", problem));
            }
        };
        if found.len() == MAX_DEVICES {
            return Some(Reading::malformed("", format!("more than {MAX_DEVICES} devices")));
        }
        let row = row(index, record);
        // Tools print in order, so a repeated device is all that makes this look back.
        match found.iter().rev().find(|(known, _)| *known == index) {
            Some((_, known)) if *known == row => {}
            Some(_) => {
                return Some(Reading::malformed("", format!("GPU {index} is reported twice, with different values")));
            }
            None => found.push((index, row)),
        }
    }
    Some(Reading::Value(found.into_iter().map(|(_, row)| row).collect()))
}
