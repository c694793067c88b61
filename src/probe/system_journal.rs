//! The kernel's log as the system's journal has it, for whoever may not read `/dev/kmsg` (`kernel.dmesg_restrict`) but is
//! in the group `adm` or `systemd-journal`.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::domain::{Ended, Limit, Reading};
use crate::process::{Limits, Outcome, Spec, run};
use crate::witness::kernel_log::{Log, LogWindow, knows_our_pids};

/// The program that reads the journal.
pub const PROGRAM: &str = "journalctl";

/// Longest wait for one answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// Most that is read of one window, in bytes.
const WINDOW: usize = 4 << 20;

/// How long the journal's daemon may take to take over what the kernel has logged.
const TAKE_OVER: Duration = Duration::from_millis(150);

/// Longest position: the journal's are five numbers in hexadecimal.
const LONGEST: usize = 512;

/// Before the position, on a line of its own after the last entry. Source: journalctl(1), `--show-cursor`.
const CURSOR: &str = "-- cursor: ";

/// The journal, and how far it was read.
#[derive(Debug)]
pub struct SystemJournal {
    program: PathBuf,
    cursor: String,
    deadline: Duration,
}

impl SystemJournal {
    /// Opens the journal at its end.
    ///
    /// # Errors
    /// There is none, or it shows this user no line of the kernel. In words.
    pub fn open(program: &Path) -> Result<Self, String> {
        Self::within(program, DEADLINE)
    }

    fn within(program: &Path, deadline: Duration) -> Result<Self, String> {
        let done = ask(program, &["-n", "1"], deadline);
        let (lines, cursor) = match &done.ended {
            Ended::Exited { code: 0 } => answer(&done.stdout),
            ended @ (Ended::Exited { .. }
            | Ended::Signaled { .. }
            | Ended::TimedOut { .. }
            | Ended::Cancelled
            | Ended::Unreaped
            | Ended::NotStarted { .. }) => return Err(format!("{}: {ended}", program.display())),
        };
        match cursor {
            // Whoever is in no group of it is shown an empty journal, and not told so.
            Some(cursor) if !lines.is_empty() => Ok(Self { program: program.to_owned(), cursor, deadline }),
            Some(_) | None => Err(format!("{} shows no line of the kernel", program.display())),
        }
    }
}

impl Log for SystemJournal {
    fn window(&mut self) -> Reading<LogWindow> {
        sleep(TAKE_OVER);
        let done = ask(&self.program, &["--after-cursor", &self.cursor], self.deadline);
        let (text, cursor) = answer(&done.stdout);
        match done.ended {
            Ended::Exited { code: 0 } => {
                if let Some(cursor) = cursor {
                    self.cursor = cursor;
                }
                Reading::Value(LogWindow { text, gap: None })
            }
            Ended::TimedOut { limit: Limit::Output } => {
                if let Ok(at_its_end) = Self::open(&self.program) {
                    *self = at_its_end;
                }
                Reading::Value(LogWindow { text, gap: Some("more was logged than is read of one window") })
            }
            ended @ (Ended::Exited { .. }
            | Ended::Signaled { .. }
            | Ended::TimedOut { .. }
            | Ended::Cancelled
            | Ended::Unreaped
            | Ended::NotStarted { .. }) => {
                Reading::malformed(self.program.display().to_string(), format!("the journal was not read: {ended}"))
            }
        }
    }

    /// A container that is let into its host's journal does not count processes as the host does; nobody else is let in.
    fn knows_our_pids(&self) -> bool {
        knows_our_pids()
    }
}

fn ask(program: &Path, which: &[&str], deadline: Duration) -> Outcome {
    let all = ["-k", "-q", "--no-pager", "-o", "short-monotonic", "--show-cursor"];
    run(&Spec {
        args: all.iter().chain(which).map(Into::into).collect(),
        inherit: vec!["PATH".to_owned()],
        env: vec![("LC_ALL".into(), "C.UTF-8".into())],
        limits: Limits { output: WINDOW, ..Limits::within(deadline) },
        ..Spec::new(program)
    })
}

/// The entries as `dmesg` prints them, and the position after them.
fn answer(stdout: &[u8]) -> (String, Option<String>) {
    let (mut text, mut cursor) = (String::new(), None);
    for line in String::from_utf8_lossy(stdout).lines() {
        if let Some(at) = line.strip_prefix(CURSOR) {
            let at = at.trim();
            cursor = (at.len() <= LONGEST && at.bytes().all(|byte| byte.is_ascii_graphic())).then(|| at.to_owned());
        } else if !line.trim().is_empty() {
            text.push_str(&as_dmesg(line));
            text.push('\n');
        }
    }
    (text, cursor.filter(|cursor| !cursor.is_empty()))
}

/// `[  812.451098] host kernel: text` without the host and the name.
fn as_dmesg(line: &str) -> String {
    let parts = line.split_once("] ").and_then(|(time, rest)| {
        let (before, text) = rest.split_once(" kernel: ")?;
        (time.starts_with('[') && !before.contains(' ')).then(|| format!("{time}] {text}"))
    });
    parts.unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write the program that is asked")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A `journalctl` that shows what lies in the file `log` beside it, by line number as its position.
    const JOURNALCTL: &str = r#"
log="$(dirname "$0")/log"
case "$*" in
  *"-n 1") tail -n 1 "$log"; echo "-- cursor: $(wc -l < "$log")" ;;
  *) from=$(echo "$*" | sed 's/.*--after-cursor //'); tail -n +$((from + 1)) "$log" | grep . && echo "-- cursor: $(wc -l < "$log")" || true ;;
esac"#;

    fn program(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PROGRAM);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("log"), "[    1.000000] node17 kernel: Linux version 6.8\n").unwrap();
        (folder, path)
    }

    fn append(folder: &Path, text: &str) {
        let before = fs::read_to_string(folder.join("log")).unwrap();
        fs::write(folder.join("log"), before + text).unwrap();
    }

    #[test]
    fn a_window_holds_what_was_logged_since_the_last_one_as_dmesg_shows_it() {
        let (folder, path) = program(JOURNALCTL);
        let mut log = SystemJournal::open(&path).unwrap();
        let window = |log: &mut SystemJournal| log.window().value().cloned().map(|window| (window.text, window.gap));
        assert_eq!(window(&mut log), Some((String::new(), None)));
        append(folder.path(), "[    2.100000] node17 kernel: amdgpu 0000:0c:00.0: amdgpu: GPU reset begin!\n");
        let expected = "[    2.100000] amdgpu 0000:0c:00.0: amdgpu: GPU reset begin!\n";
        assert_eq!(window(&mut log), Some((expected.to_owned(), None)));
        assert_eq!(window(&mut log), Some((String::new(), None)));
        append(folder.path(), "[    3.0] node17 kernel: one\nwhat is this?\n");
        assert_eq!(window(&mut log).unwrap().0, "[    3.0] one\nwhat is this?\n");
    }

    #[test]
    fn a_journal_that_shows_nothing_of_the_kernel_is_no_source() {
        for (text, problem) in [
            ("exit 0", "shows no line of the kernel"),
            ("echo '-- cursor: s=1'", "shows no line of the kernel"),
            ("echo '[ 1.0] h kernel: x'", "shows no line of the kernel"),
            ("echo '[ 1.0] h kernel: x'; printf -- '-- cursor: a b\\n'", "shows no line of the kernel"),
            ("echo 'No journal files were found.' >&2; exit 1", "exit code 1"),
            ("kill -SEGV $$", "SIGSEGV"),
            ("sleep 60", "deadline"),
        ] {
            let (_folder, path) = program(text);
            let patience = if text.starts_with("sleep") { Duration::from_millis(300) } else { DEADLINE };
            let why = SystemJournal::within(&path, patience).unwrap_err();
            assert!(why.contains(problem), "{text}: {why}");
        }
        assert!(SystemJournal::open(Path::new("/no/such/journalctl")).is_err());
    }

    #[test]
    fn a_journal_that_goes_wrong_later_is_no_empty_window() {
        for (later, read, gap) in [
            ("exit 1", false, false),
            ("sleep 60", false, false),
            ("kill -9 $$", false, false),
            ("head -c 1000000000 /dev/zero | tr '\\0' 'x'", true, true),
            ("printf '\\377\\376\\n\\0\\n'", true, false),
        ] {
            let (_folder, path) = program(&format!(
                "case \"$*\" in *'-n 1') echo '[ 1.0] h kernel: x'; echo '-- cursor: s=1' ;; *) {later} ;; esac"
            ));
            let mut log = SystemJournal::open(&path).unwrap();
            if later.starts_with("sleep") {
                log.deadline = Duration::from_millis(300);
            }
            let window = log.window();
            assert_eq!(window.value().is_some(), read, "{later}: {window:?}");
            assert_eq!(window.value().is_some_and(|window| window.gap.is_some()), gap, "{later}");
            assert!(window.value().is_none_or(|window| window.text.len() <= 2 * WINDOW), "{later}");
        }
    }
}
