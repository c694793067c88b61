//! Text as it is searched: without colours and carriage returns; and as it is compared between runs: without what
//! differs from one run to the next.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// Most bytes of a text that are searched: this much of its beginning, where programs say who they are, and eight times
/// as much of its end, where they say what they died of.
const PART: usize = 1 << 20;

/// Longest normalised line that stands in an id, in characters.
const LINE: usize = 100;

/// Readable text of what a process printed: bytes that are no text replaced, terminal escapes taken away, a progress
/// bar's carriage returns turned into ends of lines.
pub(super) fn readable(bytes: &[u8]) -> String {
    let text = ends(bytes, PART);
    let plain = anstream::adapter::strip_str(&text).to_string();
    plain.replace("\r\n", "\n").replace('\r', "\n")
}

/// The first part of a text and the last eight, where it is longer than that.
fn ends(bytes: &[u8], part: usize) -> Cow<'_, str> {
    match bytes.split_at_checked(part) {
        Some((start, rest)) if rest.len() > 8 * part => {
            let end = &rest[rest.len() - 8 * part..];
            format!("{}\n{}", String::from_utf8_lossy(start), String::from_utf8_lossy(end)).into()
        }
        Some(_) | None => String::from_utf8_lossy(bytes),
    }
}

/// The line that holds the byte `at`, without the spaces around it.
pub(super) fn line_at(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    text[start..end].trim()
}

/// A line without addresses, bus addresses, process numbers, times, counts and folders: the same from run to run.
pub(super) fn normalised(line: &str) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rules = [
            (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<uuid>"),
            (r"\b[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]\b", "<bdf>"),
            (r"\b0[xX][0-9a-fA-F]+\b", "<hex>"),
            (r"(?:/[\w.+-]+)+/", ""),
            (r"\b[0-9]+(?:\.[0-9]+)*\b", "<n>"),
            (r"\b[0-9a-fA-F]{8,}\b", "<hex>"),
            (r"\s+", " "),
        ];
        rules.into_iter().filter_map(|(pattern, with)| Some((Regex::new(pattern).ok()?, with))).collect()
    });
    let text =
        RULES.iter().fold(line.trim().to_owned(), |text, (rule, with)| rule.replace_all(&text, *with).into_owned());
    text.chars().filter(|c| !c.is_control()).take(LINE).collect()
}

/// Words joined by dashes, for a detail in an id.
pub(super) fn slug(text: &str) -> String {
    let words: Vec<String> = normalised(text)
        .split(|c: char| !(c.is_alphanumeric() || "._+<>".contains(c)))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_runs_is_taken_away_and_nothing_else() {
        for (line, same) in [
            ("fault at 0x7f00 of pid 4242 on gfx1010", "fault at <hex> of pid <n> on gfx1010"),
            ("amdgpu 0000:0c:00.0: amdgpu: ring sdma0", "amdgpu <bdf>: amdgpu: ring sdma0"),
            ("GPU-5e1f0a2b-0000-1000-8000-0123456789ab lost", "GPU-<uuid> lost"),
            ("[  123.456789] took 1.25 s", "[ <n>] took <n> s"),
            ("cannot read /tmp/x.y/run-3/lib.so: fp16", "cannot read lib.so: fp16"),
            ("  HIP   error:\tbad fp16 ", "HIP error: bad fp16"),
        ] {
            assert_eq!(normalised(line), same);
            assert_eq!(normalised(&normalised(line)), same, "once is enough");
        }
        assert_eq!(normalised(&"é".repeat(5000)).chars().count(), LINE);
        assert_eq!(slug("Page not present or supervisor privilege"), "page-not-present-or-supervisor-privilege");
    }

    #[test]
    fn colours_progress_bars_and_bytes_that_are_no_text_are_no_obstacle() {
        assert_eq!(readable(b"\x1b[31m 50%\rred\x1b[0m\r\nend\xff"), " 50%\nred\nend\u{fffd}");
        assert_eq!(ends(b"ab 0123456789 3456789 3456789", 2), "ab\n 3456789 3456789");
        assert_eq!(ends(b"0123456789", 2), "0123456789");
        assert_eq!((line_at("ab\n cd \nef", 4), line_at("ab", 0), line_at("", 0)), ("cd", "ab", ""));
    }
}
