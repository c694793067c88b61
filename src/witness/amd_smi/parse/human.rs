//! Text for people: `GPU: N` blocks with indented fields, and tables with a header.

use super::leaf::Leaf;
use super::output::{Cell, Group, Output, Record};
use super::table::Header;

/// Titles of the tables, as the tool prints them.
const TITLES: [&str; 4] =
    ["CURRENT_PARTITION", "MEMORY_PARTITION", "ACCELERATOR_PARTITION_PROFILES", "ACCELERATOR_PARTITION_RESOURCES"];

/// Takes the output apart.
pub(super) fn read(text: &str) -> Output {
    let mut reader = Reader::default();
    for line in text.split_inclusive('\n') {
        let whole = line.ends_with('\n');
        // A progress bar rewrites its line: what stands behind the last carriage return is what remains of it.
        let line = line.trim_end_matches(['\n', '\r']);
        let line = line.rsplit_once('\r').map_or(line, |(_, last)| last);
        reader.line(line);
        if !whole {
            reader.cut_short(line);
        }
    }
    reader.close();
    reader.output
}

#[derive(Default)]
struct Reader {
    output: Output,
    place: Place,
    /// The block that is being read.
    record: Option<Record>,
    /// Headings above the current line, with their indentation.
    sections: Vec<(usize, String)>,
    /// Indentation of the last field: deeper lines that are no fields go on with it.
    field_indent: Option<usize>,
}

/// What the next line may belong to.
#[derive(Default)]
enum Place {
    /// A block, or nothing.
    #[default]
    Blocks,
    /// A title was read, its header not yet.
    Title(String),
    /// A table.
    Table(Header),
}

impl Reader {
    fn line(&mut self, line: &str) {
        let trimmed = line.trim();
        match std::mem::take(&mut self.place) {
            Place::Title(title) if trimmed.is_empty() => self.place = Place::Title(title),
            Place::Title(title) if trimmed.starts_with('*') => {
                self.output.stray(trimmed);
                self.place = Place::Title(title);
            }
            Place::Title(title) => match Header::read(line) {
                Some(header) => {
                    self.close();
                    self.output.groups.push(Group { title: Some(title), keys: header.keys(), records: Vec::new() });
                    self.place = Place::Table(header);
                }
                None => self.block_line(line),
            },
            Place::Table(header) => match header.row(line) {
                Some(record) => {
                    self.output.push(record);
                    self.place = Place::Table(header);
                }
                None => self.block_line(line),
            },
            Place::Blocks => self.block_line(line),
        }
    }

    fn block_line(&mut self, line: &str) {
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        if trimmed.is_empty() {
            self.field_indent = None;
        } else if let Some(title) = title(line) {
            self.place = Place::Title(title.to_lowercase());
        } else if let Some(index) = gpu_line(trimmed) {
            self.close();
            self.record = Some(Record { gpu: Leaf::text(index), cells: Vec::new() });
        } else if let (Some((key, value)), true, Some(record)) = (field(trimmed), indent > 0, &mut self.record) {
            self.sections.retain(|(depth, _)| *depth < indent);
            if value.is_empty() {
                self.sections.push((indent, key));
                self.field_indent = None;
            } else {
                let section = self.sections.last().map(|(_, name)| name.clone());
                record.cells.push(Cell { section, key, leaf: Leaf::text(value) });
                self.field_indent = Some(indent);
            }
        } else if self.field_indent.is_some_and(|field| indent > field)
            && let Some(Leaf::Text(text)) = self.last_leaf()
        {
            text.push(' ');
            text.push_str(trimmed);
        } else {
            self.output.stray(trimmed);
        }
    }

    /// The last line has no end: whatever it says may be half of what was meant.
    fn cut_short(&mut self, line: &str) {
        let odd = || Leaf::Odd { raw: line.trim().to_owned(), problem: "the output ends in the middle of a line" };
        match self.place {
            Place::Blocks => {
                if let (Some(_), Some(leaf)) = (self.field_indent, self.last_leaf()) {
                    *leaf = odd();
                }
            }
            Place::Title(_) => {}
            Place::Table(_) => {
                if let Some(record) = self.output.groups.last_mut().and_then(|group| group.records.last_mut()) {
                    record.cells.iter_mut().for_each(|cell| cell.leaf = odd());
                }
            }
        }
    }

    fn last_leaf(&mut self) -> Option<&mut Leaf> {
        Some(&mut self.record.as_mut()?.cells.last_mut()?.leaf)
    }

    /// Files the block that was being read.
    fn close(&mut self) {
        if let Some(record) = self.record.take() {
            if self.output.groups.last().is_none_or(|group| group.title.is_some()) {
                self.output.groups.push(Group::default());
            }
            self.output.push(record);
        }
        self.sections.clear();
        self.field_indent = None;
    }
}

/// A table's title: alone on its line and not indented.
fn title(line: &str) -> Option<&str> {
    let title = line.trim_end().strip_suffix(':')?;
    TITLES.contains(&title).then_some(title)
}

/// `GPU: 3`, at any indentation; what follows the number is the rest of a progress bar.
fn gpu_line(line: &str) -> Option<&str> {
    let index = line.strip_prefix("GPU: ")?.split(' ').next()?;
    index.bytes().all(|byte| byte.is_ascii_digit()).then_some(index).filter(|index| !index.is_empty())
}

/// `KEY: value` or `KEY:`; keys are upper case.
fn field(line: &str) -> Option<(String, &str)> {
    let (key, value) = line.split_once(':')?;
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let known = !key.is_empty() && key.bytes().all(upper) && (value.is_empty() || value.starts_with(' '));
    known.then(|| (key.to_ascii_lowercase(), value.trim()))
}
