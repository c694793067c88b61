//! What counts as the same.

use libtest_mimic::Trial;
use similar::TextDiff;

use crate::case::{Case, Expected};

/// What the shim did.
pub struct Played {
    /// Everything on standard output, prompts included.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code.
    pub code: u8,
}

/// How an answer compares with the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every byte of stdout, stderr and the exit code.
    Identical,
    /// But for the values that the real tool takes from uninitialised memory; or only a status was kept, and is the same.
    ByShape,
    /// Not: how.
    Different(String),
}

/// Compares; only 24.x may differ in the value of addresses and UUIDs, which came from uninitialised memory.
pub fn compare(case: &Case, played: &Played) -> Outcome {
    let expected = &case.expected;
    if expected.code == played.code && same(expected, played, |text| text.to_owned()) {
        let whole = expected.stdout.is_some() && expected.stderr.is_some();
        return if whole { Outcome::Identical } else { Outcome::ByShape };
    }
    if case.tool.starts_with("24.") && expected.code == played.code && same(expected, played, shape) {
        return Outcome::ByShape;
    }
    let mut difference = format!("exit code: expected {}, got {}\n", expected.code, played.code);
    for (name, expected, got) in
        [("stdout", &expected.stdout, &played.stdout), ("stderr", &expected.stderr, &played.stderr)]
    {
        if let Some(expected) = expected {
            let got = if case.expected.raw { got.clone() } else { normal(got) };
            if *expected != got {
                let diff = TextDiff::from_lines(expected, &got);
                difference.push_str(&format!("{name}:\n{}", diff.unified_diff().header("expected", "got")));
            }
        }
    }
    for text in missing(expected, played) {
        difference.push_str(&format!("neither stdout nor stderr has {text:?}:\n{}{}", played.stdout, played.stderr));
    }
    Outcome::Different(difference)
}

fn same(expected: &Expected, played: &Played, mask: fn(&str) -> String) -> bool {
    let equal = |expected: &Option<String>, got: &str| {
        let got = if expected.is_some() { got.to_owned() } else { String::new() };
        expected.as_ref().is_none_or(|expected| mask(expected) == mask(&got))
    };
    let (stdout, stderr) = if expected.raw {
        (played.stdout.clone(), played.stderr.clone())
    } else {
        (normal(&played.stdout), normal(&played.stderr))
    };
    equal(&expected.stdout, &stdout) && equal(&expected.stderr, &stderr) && missing(expected, played).is_empty()
}

fn missing(expected: &Expected, played: &Played) -> Vec<String> {
    let has = |text: &&String| !played.stdout.contains(*text) && !played.stderr.contains(*text);
    expected.contains.iter().filter(has).cloned().collect()
}

/// What the recorder of transcripts with a header did to text: `\r\n` became `\n`, a missing last newline was added.
fn normal(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
}

/// Addresses and UUIDs by shape, everything else as it is.
fn shape(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !(c.is_ascii_hexdigit() || matches!(c, ':' | '.' | '-')));
    words
        .map(|word| {
            let end = word.trim_end_matches(|c: char| !(c.is_ascii_hexdigit() || matches!(c, ':' | '.' | '-')));
            let tail = &word[end.len()..];
            // `BDF:0000:05:00.0`: the hexadecimal letters of the label are part of the word.
            let (label, value) = end
                .split_once(':')
                .filter(|(label, _)| *label == "BDF" || *label == "F")
                .map_or(("", end), |(label, value)| (label, value));
            match value {
                _ if is_address(value) => format!("{label}<address>{tail}"),
                _ if is_uuid(value) => format!("<uuid>{tail}"),
                _ => word.to_owned(),
            }
        })
        .collect()
}

fn is_address(text: &str) -> bool {
    let Some((rest, function)) = text.rsplit_once('.') else { return false };
    let parts: Vec<&str> = rest.split(':').collect();
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    matches!(parts[..], [domain, bus, device]
        if hex(domain) && domain.len() >= 4 && hex(bus) && bus.len() == 2 && hex(device) && device.len() == 2)
        && function.len() == 1
        && hex(function)
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
}

/// The comparison is shown to fail as well.
pub fn self_tests() -> Vec<Trial> {
    let case = |tool: &str| Case {
        tool: tool.to_owned(),
        expected: Expected {
            stdout: Some("GPU: 0\n    BDF: 8f5300530020:90:0e.2\n".into()),
            stderr: Some(String::new()),
            ..Expected::default()
        },
        ..Case::default()
    };
    let played = |bdf: &str, code| Played { stdout: format!("GPU: 0\n    BDF: {bdf}\n"), stderr: String::new(), code };
    type Check = (&'static str, &'static str, &'static str, u8, fn(&Outcome) -> bool);
    let checks: [Check; 5] = [
        ("the same bytes are identical", "26.2.1", "8f5300530020:90:0e.2", 0, |o| *o == Outcome::Identical),
        ("another address of 24.x is the same by shape", "24.5.2", "0000:05:00.0", 0, |o| *o == Outcome::ByShape),
        ("another address of 26.2.1 is different", "26.2.1", "0000:05:00.0", 0, |o| matches!(o, Outcome::Different(_))),
        ("another exit code is different", "24.5.2", "8f5300530020:90:0e.2", 1, |o| matches!(o, Outcome::Different(_))),
        ("no address at all is different", "24.5.2", "N/A", 0, |o| matches!(o, Outcome::Different(_))),
    ];
    checks
        .into_iter()
        .map(|(name, tool, bdf, code, expected)| {
            let outcome = compare(&case(tool), &played(bdf, code));
            let name = format!("comparison: {name}");
            Trial::test(name, move || if expected(&outcome) { Ok(()) } else { Err(format!("{outcome:?}").into()) })
        })
        .collect()
}
