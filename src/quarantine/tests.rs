//! The marker on the disk, with real processes and with procfs roots of made-up ones.
#![expect(clippy::disallowed_methods, reason = "the tests start processes and write what is read")]

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// A process that stands for one that hears no signal: it is stopped, and there.
struct Stopped(Child);

impl Stopped {
    fn start() -> Self {
        let child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        kill_process(Pid::from_child(&child), Signal::STOP).unwrap();
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn end(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn here(folders: &[&Path]) -> Quarantine {
    Quarantine::new("/proc".into(), folders.iter().map(|folder| (*folder).to_owned()).collect())
}

fn pids(quarantine: &Quarantine) -> Vec<u32> {
    quarantine.held().unwrap().into_iter().map(|(held, _)| held.stuck.pid).collect()
}

fn mark(quarantine: &Quarantine, pid: u32) -> Result<Option<PathBuf>, String> {
    quarantine.mark(pid, None, "add/f32/8x8".to_owned())
}

#[test]
fn a_machine_is_held_while_a_process_that_could_not_be_killed_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("state/rocvet");
    let quarantine = here(&[&own]);
    assert!(pids(&quarantine).is_empty());
    let (mut one, mut other) = (Stopped::start(), Stopped::start());
    let file = mark(&quarantine, one.pid()).unwrap().unwrap();
    assert_eq!(file, own.join(FILE));
    mark(&quarantine, other.pid()).unwrap().unwrap();
    // Another command, later.
    assert_eq!(pids(&here(&[&own])), [one.pid(), other.pid()]);
    let told = quarantine.held().unwrap()[0].0.to_string();
    assert_eq!(told, format!("process {} (sleep, add/f32/8x8) is still in state T", one.pid()));
    one.end();
    assert_eq!(pids(&quarantine), [other.pid()]);
    other.end();
    assert!(pids(&quarantine).is_empty());
    assert!(!file.exists(), "what holds no more is removed");
    assert_eq!(mark(&quarantine, one.pid()), Ok(None), "one that is gone is not written down");
    assert!(!file.exists());
}

/// A procfs root of boot `boot`, with process 77 that started at `start`.
fn proc(folder: &Path, boot: &str, start: u64) -> PathBuf {
    let proc = folder.join("proc");
    let stat = format!("77 (python3) D 1 77 77 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 2 0 {start} 0 0\n");
    for (file, text) in [("sys/kernel/random/boot_id", boot), ("77/stat", &stat)] {
        fs::create_dir_all(proc.join(file).parent().unwrap()).unwrap();
        fs::write(proc.join(file), text).unwrap();
    }
    proc
}

#[test]
fn it_is_void_after_a_reboot_and_when_another_process_has_the_number() {
    for (boot, start, held) in [("boot-1", 5, 1), ("boot-2", 5, 0), ("boot-1", 6, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::new(proc(folder.path(), "boot-1", 5), vec![folder.path().join("state")]);
        let file = mark(&quarantine, 77).unwrap().unwrap();
        proc(folder.path(), boot, start);
        assert_eq!(pids(&quarantine).len(), held, "{boot} {start}");
        assert_eq!(file.exists(), held == 1, "{boot} {start}");
    }
}

#[test]
fn what_one_user_may_not_write_is_read_all_the_same_and_the_next_place_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (all, own) = (folder.path().join("all"), folder.path().join("own"));
    fs::write(folder.path().join("file"), "").unwrap();
    let nowhere = folder.path().join("file/below");
    let process = Stopped::start();
    assert_eq!(mark(&here(&[&nowhere, &own]), process.pid()).unwrap(), Some(own.join(FILE)));
    assert_eq!(mark(&here(&[&all]), process.pid()).unwrap(), Some(all.join(FILE)));
    assert_eq!(pids(&here(&[&all, &own])), [process.pid(); 2]);
    assert!(mark(&here(&[&nowhere]), process.pid()).unwrap_err().contains("file/below"));
    assert!(mark(&here(&[]), process.pid()).is_err());
}

#[test]
fn a_file_that_is_no_marker_is_named_and_left_until_a_process_must_be_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = here(&[folder.path()]);
    let file = folder.path().join(FILE);
    for bytes in [&b"{"[..], b"\xff", b"{}", &vec![b'['; LIMIT + 1]] {
        fs::write(&file, bytes).unwrap();
        let error = quarantine.held().unwrap_err().to_string();
        assert!(error.contains("held.json: "), "{error}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
    let process = Stopped::start();
    mark(&quarantine, process.pid()).unwrap().unwrap();
    assert_eq!(pids(&quarantine), [process.pid()]);
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    assert!(quarantine.held().unwrap_err().to_string().contains("leads out of"));
}
