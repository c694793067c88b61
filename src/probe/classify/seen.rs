//! Which signatures stand in a text, and whom the kernel's lines name.

use std::sync::LazyLock;

use regex::{Captures, Regex, RegexSet};
use serde::{Deserialize, Serialize};

use crate::facts::{Class, Signature, Stream, signatures};

use super::text::{line_at, slug};

/// Most places at which one signature is looked at in one text: a log that repeats itself says nothing new.
const PLACES: usize = 64;

/// Longest line that is kept, in characters.
const LINE: usize = 400;

/// Lines after a page fault's first in which the driver names the process.
const BLOCK: usize = 4;

/// Parts of a signature's match that are the same whenever the same thing happens.
const STABLE: [&str; 9] = ["reason", "status", "why", "arch", "isa", "type", "lib", "sym", "code"];

/// One place where a signature was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Which one.
    pub signature: String,
    /// What it is about.
    pub class: Class,
    /// The line that it begins in, bounded.
    pub line: String,
    /// The process that the line, or the block that it begins, names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// A place with what ranking needs.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) signature: &'static Signature,
    /// Its place in the table.
    pub(super) order: usize,
    /// The stream that it was found in, which need not be the table's.
    pub(super) stream: Stream,
    pub(super) range: (usize, usize),
    pub(super) pid: Option<u32>,
    /// What is stable of the match, in words.
    pub(super) details: Vec<String>,
    line: String,
}

impl Place {
    pub(super) fn seen(&self) -> Seen {
        Seen {
            signature: self.signature.id.clone(),
            class: self.signature.class,
            line: self.line.clone(),
            pid: self.pid,
        }
    }
}

struct Table {
    set: RegexSet,
    /// By place in the set.
    each: Vec<(usize, &'static Signature, Regex)>,
}

impl Table {
    /// The signatures of one side: the process's own streams, or the kernel's. A pattern that is none is left out; the
    /// tests show that there is no such.
    fn of(kernel: bool) -> Self {
        let each: Vec<_> = signatures()
            .iter()
            .enumerate()
            .filter(|(_, signature)| (signature.stream == Stream::Kernel) == kernel)
            .filter_map(|(order, signature)| Some((order, signature, Regex::new(&signature.pattern).ok()?)))
            .collect();
        let set = RegexSet::new(each.iter().map(|(_, signature, _)| &signature.pattern))
            .unwrap_or_else(|_| RegexSet::empty());
        Self { set, each }
    }
}

/// Every signature in a text of this stream, in the order of the text. Where a deciding match lies on an earlier
/// one's text it is that one again, seen by a more general pattern.
pub(super) fn places(text: &str, stream: Stream) -> Vec<Place> {
    static PROCESS: LazyLock<Table> = LazyLock::new(|| Table::of(false));
    static KERNEL: LazyLock<Table> = LazyLock::new(|| Table::of(true));
    let table: &Table = if stream == Stream::Kernel { &KERNEL } else { &PROCESS };
    let mut found: Vec<Place> = Vec::new();
    for at in table.set.matches(text) {
        let Some((order, signature, pattern)) = table.each.get(at) else { continue };
        for captures in pattern.captures_iter(text).take(PLACES) {
            let Some(whole) = captures.get(0) else { continue };
            let range = (whole.start(), whole.end());
            let again = signature.terminal
                && found.iter().any(|earlier| {
                    earlier.signature.terminal && range.0 < earlier.range.1 && earlier.range.0 < range.1
                });
            if !again {
                found.push(Place {
                    signature,
                    order: *order,
                    stream,
                    range,
                    pid: named_pid(signature, &captures, text, range),
                    details: details(&captures),
                    line: line_at(text, range.0).chars().take(LINE).collect(),
                });
            }
        }
    }
    found.sort_by_key(|place| (place.range.0, place.order));
    found
}

fn details(captures: &Captures<'_>) -> Vec<String> {
    STABLE.iter().filter_map(|name| captures.name(name)).map(|part| slug(part.as_str())).collect()
}

/// The process that a match names. The first line of a page fault names it itself (older kernels) or one of the lines
/// after it does.
fn named_pid(signature: &Signature, captures: &Captures<'_>, text: &str, range: (usize, usize)) -> Option<u32> {
    static BRACKETS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\S\[(?P<pid>\d+)\]").ok());
    static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?:(?:for|in) process|amdgpu(?: [0-9a-f:.]+)?:\s+Process) .*? pid (?P<pid>\d+)").ok()
    });
    let number = |captures: &Captures<'_>| {
        ["pid", "pid2"].iter().find_map(|name| captures.name(name)).and_then(|pid| pid.as_str().parse().ok())
    };
    let search = |pattern: &Option<Regex>, text: &str| pattern.as_ref()?.captures(text).as_ref().and_then(number);
    let own = number(captures);
    if own.is_some() || signature.stream != Stream::Kernel {
        own
    } else if signature.class == Class::Segfault {
        search(&BRACKETS, line_at(text, range.0))
    } else if signature.class == Class::PageFault {
        let mut block = text[range.0..].lines();
        let first = block.next();
        // The next fault's lines are about the next fault.
        let rest = block.take(BLOCK).take_while(|line| !line.contains("page fault ("));
        first.into_iter().chain(rest).find_map(|line| search(&WORDS, line))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one_and_finds_its_own_examples() {
        for signature in signatures() {
            let pattern = Regex::new(&signature.pattern).unwrap();
            for example in &signature.examples {
                assert!(pattern.is_match(example), "{}: {example}", signature.id);
                let found = places(example, signature.stream);
                assert!(found.iter().any(|place| place.signature.id == signature.id), "{}: {example}", signature.id);
            }
        }
    }

    #[test]
    fn the_kernel_names_the_process_in_four_ways() {
        let head = "amdgpu 0000:0c:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:24 vmid:8 pasid:32863";
        for (text, pid) in [
            (format!("{head}, for process blender pid 36725 thread blender:cs0 pid 36744)"), Some(36725)),
            (format!("{head})\namdgpu:  in process python pid 11 thread python pid 12"), Some(11)),
            (format!("{head})\namdgpu: GCVM_L2\namdgpu:  Process python pid 13 thread python pid 13"), Some(13)),
            (format!("{head})\namdgpu 0000:0c:00.0:  Process python pid 14 thread python pid 14"), Some(14)),
            (format!("{head})\n{head})\namdgpu:  in process python pid 11 thread python pid 12"), None),
            (format!("{head})"), None),
            ("traps: probe[42] general protection fault ip:7f00 in libamdhip64.so.6[7f0000+1000]".to_owned(), Some(42)),
            ("kfd kfd: amdgpu: HSA Process (PID 1234) got unhandled exception".to_owned(), Some(1234)),
            ("Out of memory: Killed process 99999999999999999999 (x)".to_owned(), None),
        ] {
            assert_eq!(places(&text, Stream::Kernel)[0].pid, pid, "{text}");
        }
    }

    #[test]
    fn a_log_that_repeats_itself_is_looked_at_a_bounded_number_of_times() {
        let text = "GPU reset begin!\n".repeat(100_000);
        assert_eq!(places(&text, Stream::Kernel).len(), PLACES);
    }
}
