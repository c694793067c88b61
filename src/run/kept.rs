//! `evidence/<case>/calls.txt`: every call of amd-smi word for word, as it is written and as it is read back.

use std::io::{self, Write};

use crate::domain::Ended;
use crate::witness::Call;

/// Bytes of one stream of a call that are kept as evidence: more than any answer that can be read, and a tool that prints
/// without end fills no disk.
const KEPT: usize = 1 << 20;

const CALL: &[u8] = b"$ amd-smi ";
const ENDED: &[u8] = b"# ";
const STDOUT: &[u8] = b"----- stdout -----";
const STDERR: &[u8] = b"----- stderr -----";

/// One call, as far as a comparison reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptCall {
    /// Arguments, joined by blanks.
    pub args: String,
    /// How it ended, in words.
    pub ended: String,
    /// Standard output.
    pub stdout: Vec<u8>,
}

impl KeptCall {
    /// Whether the tool says that it succeeded.
    pub fn succeeded(&self) -> bool {
        self.ended == Ended::Exited { code: 0 }.to_string()
    }
}

/// Writes calls. Bytes, because what a broken tool prints need not be text.
pub(super) fn write(calls: &[&Call], out: &mut impl Write) -> io::Result<()> {
    for call in calls {
        out.write_all(CALL)?;
        writeln!(out, "{}\n# {}", call.args.join(" "), call.ended)?;
        for (head, bytes) in [(STDOUT, &call.stdout), (STDERR, &call.stderr)] {
            if bytes.is_empty() {
                continue;
            }
            out.write_all(head)?;
            out.write_all(b"\n")?;
            out.write_all(bytes.get(..KEPT).unwrap_or(bytes))?;
            if bytes.len() > KEPT {
                writeln!(out, "\n----- {} bytes more are not kept -----", bytes.len() - KEPT)?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Reads calls back. A tool may print what looks like the next call: then a call too many is read, and nothing worse.
pub fn kept_calls(text: &[u8]) -> Vec<KeptCall> {
    let mut calls: Vec<KeptCall> = Vec::new();
    let mut in_stdout = false;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        if let Some(args) = bare.strip_prefix(CALL) {
            calls.push(KeptCall { args: String::from_utf8_lossy(args).into_owned(), ..KeptCall::default() });
            in_stdout = false;
        } else if let Some(call) = calls.last_mut() {
            match bare.strip_prefix(ENDED) {
                Some(ended) if call.ended.is_empty() => call.ended = String::from_utf8_lossy(ended).into_owned(),
                _ if bare == STDOUT || bare == STDERR => in_stdout = bare == STDOUT,
                Some(_) | None if in_stdout => call.stdout.extend_from_slice(line),
                Some(_) | None => {}
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_written_is_read_back() {
        let call = |args: &str, stdout: &str, code| Call {
            args: args.split(' ').map(str::to_owned).collect(),
            ended: Ended::Exited { code },
            stdout: stdout.as_bytes().to_vec(),
            stderr: b"[1]\n".to_vec(),
            took: Duration::ZERO,
        };
        let calls = [call("list --json", "[\n  1\n]\n", 0), call("version --json", "", 3)];
        let mut text = Vec::new();
        write(&calls.iter().collect::<Vec<_>>(), &mut text).unwrap();
        let read = kept_calls(&text);
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].args.as_str(), read[0].succeeded()), ("list --json", true));
        assert_eq!(String::from_utf8_lossy(&read[0].stdout), "[\n  1\n]\n", "{}", String::from_utf8_lossy(&text));
        assert_eq!((read[1].args.as_str(), read[1].succeeded(), read[1].stdout.len()), ("version --json", false, 0));
        assert_eq!(kept_calls(b"no call\n\xff"), []);
    }
}
