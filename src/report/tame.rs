//! Anybody's text where people read it: a record may come from anywhere.

/// Text in one line, without what would steer the terminal or turn letters around.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { shown(c) }).collect()
}

/// A page without what would steer whatever shows it; its lines and tabs stay.
pub fn page(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { c } else { shown(c) }).collect()
}

/// Controls of a terminal, and of the direction of text: these make a line read as what it does not say (CVE-2021-42574).
/// And the two that no XML may hold.
const fn shown(c: char) -> char {
    match c {
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_would_steer_is_shown_instead() {
        let hostile = "a\u{1b}[2J\u{9b}2J\u{0}\r\n\tb\u{202e}c\u{2066}é\u{fffe}";
        assert_eq!(one_line(hostile), "a\u{fffd}[2J\u{fffd}2J\u{fffd}\u{fffd}  b\u{fffd}c\u{fffd}é\u{fffd}");
        assert_eq!(page(hostile), "a\u{fffd}[2J\u{fffd}2J\u{fffd}\u{fffd}\n\tb\u{fffd}c\u{fffd}é\u{fffd}");
        assert!(one_line(&hostile.repeat(3)).chars().all(|c| !c.is_control()));
    }
}
