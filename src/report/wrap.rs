//! Text broken into lines for a terminal.

/// `text` after `head`, broken at blanks so that no line is longer than `width` where its words allow; the lines after the
/// first are indented to where the text began. `indent` is that column: the length of `head` as it is seen. Ends
/// without a newline.
pub fn hanging(head: &str, indent: usize, text: &str, width: Option<usize>) -> String {
    let mut out = head.to_owned();
    let mut column = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent && width.is_some_and(|width| column + 1 + length > width) {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        }
        if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_hang_below_the_first() {
        assert_eq!(hanging("  a  ", 5, "one two three", Some(12)), "  a  one two\n     three");
        assert_eq!(hanging("  a  ", 5, "one  two\nthree", None), "  a  one two three");
        assert_eq!(hanging("", 0, "0123456789", Some(4)), "0123456789", "a long word stands alone");
        assert_eq!(hanging("x ", 2, "", Some(4)), "x ");
    }
}
