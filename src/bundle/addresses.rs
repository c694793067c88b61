//! IP addresses in a text, each as a whole token: what stands between others by colons is looked at by itself.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

#[allow(clippy::expect_used)]
static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[0-9A-Fa-f.:]*[0-9A-Fa-f:]").expect("a constant pattern"));

#[allow(clippy::expect_used)]
static VERSION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)version\W{0,3}$").expect("a constant pattern"));

/// Characters before a number that may say that it is a version.
const BEFORE: usize = 12;

/// The addresses of a text that name a machine or a network, each with where it is and its usual spelling.
pub(super) fn addresses(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    for token in TOKEN.find_iter(text) {
        let (start, token) = (token.start(), token.as_str());
        match whole(text, start, token) {
            Some(address) => found.push(address),
            None => parts(text, start, token, &mut found),
        }
    }
    found
}

/// The whole token as an IPv6 address, or with one sign at its ends that belongs to the sentence.
fn whole(text: &str, start: usize, token: &str) -> Option<(Range<usize>, String)> {
    let front = usize::from(token.starts_with(':') && !token.starts_with("::"));
    let back = token.len() - usize::from(token.ends_with(':') && !token.ends_with("::"));
    for (from, to) in [(0, token.len()), (front, token.len()), (0, back), (front, back)] {
        let Some(part) = token.get(from..to) else { continue };
        let Ok(address) = part.parse::<Ipv6Addr>() else { continue };
        let (before, after) = (text[..start + from].chars().next_back(), text[start + to..].chars().next());
        // Namespaces of C++ have the same form: `at::` and `c10::` of PyTorch.
        let code = part.starts_with("c10::") || !part.bytes().any(|byte| byte.is_ascii_digit());
        if code || is_word(before) || is_word(after) || address.is_loopback() || address.is_unspecified() {
            return None;
        }
        return Some((start + from..start + to, address.to_string()));
    }
    None
}

/// The IPv4 addresses between the colons of a token.
fn parts(text: &str, start: usize, token: &str, found: &mut Vec<(Range<usize>, String)>) {
    let mut from = 0;
    for part in token.split(':') {
        let at = start + from;
        from += part.len() + 1;
        let part = part.trim_end_matches('.');
        let Ok(address) = part.parse::<Ipv4Addr>() else { continue };
        let end = at + part.len();
        // What stands for this machine, for every one, or for the size of a network, names none.
        let names_none = address.is_loopback() || matches!(address.octets()[0], 0 | 255);
        if !names_none && !is_word(text[end..].chars().next()) && !is_version(&text[..at]) {
            found.push((at..end, address.to_string()));
        }
    }
}

/// Whether what comes before makes a number part of a longer word, or says that it is a version.
fn is_version(before: &str) -> bool {
    let mut back = before.chars().rev();
    match (back.next(), back.next()) {
        (Some('-'), Some(c)) if c.is_alphabetic() || c == '_' => return true,
        (c, _) if is_word(c) || c == Some('.') => return true,
        _ => {}
    }
    let from = before.char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
    VERSION.is_match(&before[from..])
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_as_whole_tokens_wherever_they_stand() {
        for (text, expected) in [
            ("ip=10.1.2.3::10.1.2.1:255.255.255.0:lab:eth0:off", vec!["10.1.2.3", "10.1.2.1"]),
            ("10.1.2.3-10.1.2.9, 10.1.2.0/24. At 10.1.2.4.", vec!["10.1.2.3", "10.1.2.9", "10.1.2.0", "10.1.2.4"]),
            ("addr:10.1.2.3:8080 [fe80::1%eth0]:22", vec!["10.1.2.3", "fe80::1"]),
            ("addr:2001:db8::7: and ::ffff:10.1.2.3", vec!["2001:db8::7", "::ffff:10.1.2.3"]),
            ("2001:0db8:0:0:0:0:0:7/64 fe80::1a2b:3c4d,", vec!["2001:db8::7", "fe80::1a2b:3c4d"]),
        ] {
            let found: Vec<_> = addresses(text).into_iter().map(|(_, address)| address).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_an_address_is_none() {
        for text in [
            "0000:03:00.0 at 12:34:56 and 2026-11-21T14:23:13",
            "librocblas.so.4.1.0.6, rocm-6.10.5.0, version: 6.10.5.0, 1.2.3.4.5, 1.2.3, 300.1.1.1",
            "at::native::add c10::add 127.0.0.1 ::1 0.0.0.0 dead::beef x10.1.2.3 std::",
        ] {
            assert_eq!(addresses(text), [], "{text}");
        }
    }
}
