//! Witness kernel log: what the kernel logs from one moment on, from `/dev/kmsg` or a file that grows like it.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, SeekFrom, Stat, fstat, openat, readlinkat, seek, stat};
use rustix::io::{Errno, pread, read};

use crate::domain::Reading;

/// The real machine's log.
pub const DEVICE: &str = "/dev/kmsg";

/// Most that is read of one window, in bytes: a machine in trouble logs without end.
const WINDOW: usize = 4 << 20;

/// Longest record of the device; the kernel's own limit.
const RECORD: usize = 8 << 10;

/// The name of the first pid namespace: in it processes have the numbers that the kernel's lines say.
/// Source: `PROC_PID_INIT_INO` of include/uapi or include/linux/proc_ns.h, 0xEFFFFFFC.
const FIRST_NAMESPACE: &[u8] = b"pid:[4026531836]";

/// An open log, and how far it was read.
#[derive(Debug)]
pub struct KernelLog {
    path: PathBuf,
    fd: OwnedFd,
    at: Position,
}

#[derive(Debug)]
enum Position {
    /// The device keeps it.
    Device,
    /// Bytes from the start of this file.
    File { at: u64, opened: (u64, u64) },
}

/// What was logged in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogWindow {
    /// The lines.
    pub text: String,
    /// What is missing of them, if anything.
    pub gap: Option<&'static str>,
}

/// A log of the kernel that is read by position.
pub trait Log {
    /// What was logged since it was opened, or since the last window.
    fn window(&mut self) -> Reading<LogWindow>;

    /// Whether the processes that its lines name have the numbers that this process knows them by. A container's have not.
    fn knows_our_pids(&self) -> bool;
}

impl KernelLog {
    /// Opens a log at its end.
    ///
    /// # Errors
    /// It cannot be read (`kernel.dmesg_restrict`, no such file), or is no log. In words.
    pub fn open(path: &Path) -> Result<Self, String> {
        let told = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let fd = openat(CWD, path, flags, Mode::empty()).map_err(|errno| told(&errno))?;
        let facts = fstat(&fd).map_err(|errno| told(&errno))?;
        let at = match FileType::from_raw_mode(facts.st_mode) {
            FileType::RegularFile => Position::File { at: size(&facts), opened: identity(&facts) },
            FileType::CharacterDevice if path == Path::new(DEVICE) => {
                seek(&fd, SeekFrom::End(0)).map_err(|errno| told(&errno))?;
                Position::Device
            }
            FileType::CharacterDevice
            | FileType::Directory
            | FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::BlockDevice
            | FileType::Unknown => return Err(told(&"neither a file nor the kernel's log")),
        };
        Ok(Self { path: path.to_owned(), fd, at })
    }

    fn growth(&mut self, at: u64, opened: (u64, u64)) -> Reading<LogWindow> {
        let problem = |problem: &str| Reading::malformed(self.path.display().to_string(), problem);
        let Ok(now) = stat(&self.path) else { return problem("the log is gone") };
        if identity(&now) != opened || size(&now) < at {
            return problem("the log was replaced or cut while it was watched");
        }
        let mut bytes = Vec::new();
        let mut buffer = [0; RECORD];
        while bytes.len() <= WINDOW {
            match pread(&self.fd, &mut buffer, at + bytes.len() as u64) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(Errno::INTR) => {}
                Err(errno) => return problem(&errno.to_string()),
            }
        }
        self.at = Position::File { at: at + bytes.len() as u64, opened };
        Reading::Value(bounded(String::from_utf8_lossy(&bytes).into_owned(), None))
    }

    fn records(&mut self) -> Reading<LogWindow> {
        let mut text = String::new();
        let mut gap = None;
        let mut buffer = [0; RECORD];
        while text.len() <= WINDOW {
            match read(&self.fd, &mut buffer) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(count) => text.push_str(&line(&String::from_utf8_lossy(&buffer[..count]))),
                Err(Errno::INTR) => {}
                // The ring buffer overtook the reader; the next read goes on with the oldest record that is left.
                Err(Errno::PIPE) => gap = Some("the kernel's ring buffer overwrote records before they were read"),
                Err(errno) => return Reading::malformed(self.path.display().to_string(), errno.to_string()),
            }
        }
        Reading::Value(bounded(text, gap))
    }
}

/// Whether the kernel's numbers of processes are those of this process: it is in no container.
pub fn knows_our_pids() -> bool {
    let namespace = readlinkat(CWD, "/proc/self/ns/pid", Vec::new());
    namespace.is_ok_and(|name| name.as_bytes() == FIRST_NAMESPACE)
}

impl Log for KernelLog {
    fn window(&mut self) -> Reading<LogWindow> {
        match self.at {
            Position::Device => self.records(),
            Position::File { at, opened } => self.growth(at, opened),
        }
    }

    fn knows_our_pids(&self) -> bool {
        match self.at {
            Position::File { .. } => true,
            Position::Device => knows_our_pids(),
        }
    }
}

fn bounded(mut text: String, gap: Option<&'static str>) -> LogWindow {
    if text.len() <= WINDOW {
        return LogWindow { text, gap };
    }
    let end = (0..=WINDOW).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    LogWindow { text, gap: gap.or(Some("more was logged than is read of one window")) }
}

/// A record of the device (`6,339,5140900,-;text`, with lines of keys after it) as `dmesg` prints it.
fn line(record: &str) -> String {
    let first = record.lines().next().unwrap_or_default();
    let Some((prefix, text)) = first.split_once(';') else { return format!("{first}\n") };
    let micros: u64 = prefix.split(',').nth(2).and_then(|time| time.parse().ok()).unwrap_or_default();
    format!("[{:>5}.{:06}] {text}\n", micros / 1_000_000, micros % 1_000_000)
}

fn size(facts: &Stat) -> u64 {
    u64::try_from(facts.st_size).unwrap_or(0)
}

fn identity(facts: &Stat) -> (u64, u64) {
    (facts.st_dev, facts.st_ino)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write the logs that are read")]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn window(text: &str) -> Reading<LogWindow> {
        Reading::Value(LogWindow { text: text.to_owned(), gap: None })
    }

    fn append(path: &Path, text: &str) {
        fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_window_holds_what_was_logged_in_it_and_nothing_older() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kmsg");
        fs::write(&path, "amdgpu: GPU reset begin!\n").unwrap();
        let mut log = KernelLog::open(&path).unwrap();
        assert_eq!(log.window(), window(""));
        append(&path, "one\ntw");
        assert_eq!(log.window(), window("one\ntw"));
        append(&path, "o\n");
        assert_eq!(log.window(), window("o\n"));
        assert!(log.knows_our_pids());
    }

    #[test]
    fn a_log_that_was_cut_replaced_or_taken_away_is_no_empty_window() {
        for (what, spoil) in [
            ("cut", (|path: &Path| fs::write(path, "").unwrap()) as fn(&Path)),
            ("taken away", |path| fs::remove_file(path).unwrap()),
            ("replaced", |path| {
                fs::write(path.with_extension("new"), "older\nand longer\n").unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            }),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("kmsg");
            fs::write(&path, "older\n").unwrap();
            let mut log = KernelLog::open(&path).unwrap();
            spoil(&path);
            assert!(log.window().value().is_none(), "{what}");
        }
    }

    #[test]
    fn what_is_no_log_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (path, problem) in [(folder.path().join("none"), "No such file"), (folder.path().to_owned(), "neither")] {
            let error = KernelLog::open(&path).unwrap_err();
            assert!(error.contains(problem) && error.contains(path.to_str().unwrap()), "{error}");
        }
        assert!(KernelLog::open(Path::new("/dev/zero")).is_err());
    }

    #[test]
    fn a_log_without_end_is_cut_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kmsg");
        fs::write(&path, "").unwrap();
        let mut log = KernelLog::open(&path).unwrap();
        append(&path, &"é".repeat(WINDOW));
        let Reading::Value(found) = log.window() else { panic!("a window") };
        assert!(found.text.len() <= WINDOW && found.gap.is_some());
    }

    #[test]
    fn records_of_the_device_are_shown_as_dmesg_shows_them() {
        for (record, shown) in [
            (
                "6,339,5140900,-;amdgpu: text; more\n SUBSYSTEM=pci\n DEVICE=+pci:0000:0c:00.0\n",
                "[    5.140900] amdgpu: text; more\n",
            ),
            ("garbage", "garbage\n"),
            (";x", "[    0.000000] x\n"),
            ("", "\n"),
        ] {
            assert_eq!(line(record), shown);
        }
    }
}
