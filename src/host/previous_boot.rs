//! What the kernel logged before the machine went down, by whoever kept it.

use std::time::Duration;

use crate::process::{Limits, Spec, run};
use crate::witness::tree::Tree;

use super::Host;

/// Longest wait for the journal.
const DEADLINE: Duration = Duration::from_secs(15);

/// Last lines of a boot that are asked for.
const LINES: &str = "5000";

/// Most that is kept of one source, in bytes.
const KEPT: usize = 4 << 20;

/// Where the kernel's own store for crashes is found, and where systemd moves what is in it.
const STORES: [&str; 2] = ["sys/fs/pstore", "var/lib/systemd/pstore"];

/// Most files of one store, and most folders in it.
const MOST: usize = 64;

/// The kernel's log of an earlier boot of this host, with a first line that says where it is from.
///
/// # Errors
/// Nobody kept it; says who was asked.
pub fn previous_boot(host: &Host, boot_id: &str) -> Result<String, String> {
    let journal = match host {
        Host::Real => from_journal("journalctl", boot_id),
        Host::Simulated { .. } | Host::Recorded { .. } => Err("the host is not this machine".to_owned()),
    };
    journal.or_else(|why| {
        from_store(host).ok_or_else(|| format!("no log of boot {boot_id}: {why}; nothing in {}", STORES.join(", ")))
    })
}

fn from_journal(program: &str, boot_id: &str) -> Result<String, String> {
    let id: String = boot_id.chars().filter(char::is_ascii_hexdigit).collect();
    let args = ["-k", "-b", &id, "-o", "short-monotonic", "--no-pager", "-q", "-n", LINES];
    let done = run(&Spec {
        args: args.iter().map(Into::into).collect(),
        inherit: vec!["PATH".to_owned()],
        env: vec![("LC_ALL".into(), "C.UTF-8".into())],
        limits: Limits { output: KEPT, ..Limits::within(DEADLINE) },
        ..Spec::new(program)
    });
    let text = String::from_utf8_lossy(&done.stdout);
    if !done.ended.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let said = said.lines().next().map(|line| format!(" ({line})")).unwrap_or_default();
        return Err(format!("journalctl: {}{said}", done.ended));
    }
    if text.trim().is_empty() {
        return Err("journalctl has none".to_owned());
    }
    Ok(format!("from the system's journal: journalctl {}\n{text}", args.join(" ")))
}

/// Every file of the stores. They do not say of which boot they are.
fn from_store(host: &Host) -> Option<String> {
    let root = Tree::open(host.root()).ok()?;
    let mut found = String::new();
    for store in STORES {
        let Ok(names) = root.names(store) else { continue };
        let mut paths: Vec<String> = Vec::new();
        for name in names.into_iter().take(MOST) {
            let path = format!("{store}/{name}");
            match root.names(&path) {
                Ok(below) => paths.extend(below.into_iter().take(MOST).map(|name| format!("{path}/{name}"))),
                Err(_) => paths.push(path),
            }
        }
        for path in paths {
            let left = KEPT.saturating_sub(found.len());
            let Ok(bytes) = root.read_start(&path, left.min(1 << 20)) else { continue };
            found.push_str(&format!("from /{path}, of an earlier boot:\n{}\n", String::from_utf8_lossy(&bytes)));
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write what is read")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn program(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journalctl");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    }

    #[test]
    fn the_journal_is_asked_for_that_boot_and_what_it_cannot_say_is_told() {
        for (text, expected) in [
            (r#"[ "$3" = 0123ab ] && echo "[ 9.1] amdgpu: GPU reset begin!""#, Ok("[ 9.1] amdgpu: GPU reset begin!")),
            ("echo 'Data from the specified boot is not available' >&2; exit 1", Err("(Data from the specified boot")),
            ("exit 0", Err("journalctl has none")),
            ("kill -9 $$", Err("SIGKILL")),
        ] {
            let (_folder, path) = program(text);
            let log = from_journal(&path, "0123-ab");
            match (&log, expected) {
                (Ok(log), Ok(expected)) => assert!(log.contains(expected), "{log}"),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                (Ok(_) | Err(_), _) => panic!("{text}: {log:?}"),
            }
        }
        assert!(from_journal("/no/such/journalctl", "a").unwrap_err().contains("/no/such/journalctl"));
    }

    #[test]
    fn what_the_kernel_stored_as_it_went_down_is_read_within_the_host() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::trees(folder.path());
        let why = previous_boot(&host, "a").unwrap_err();
        assert!(why.contains("sys/fs/pstore"), "{why}");
        fs::create_dir_all(folder.path().join("sys/fs/pstore")).unwrap();
        fs::write(folder.path().join("sys/fs/pstore/dmesg-efi-1"), "Oops#1").unwrap();
        fs::create_dir_all(folder.path().join("var/lib/systemd/pstore/173")).unwrap();
        fs::write(folder.path().join("var/lib/systemd/pstore/173/dmesg.txt"), "Panic#2").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("sys/fs/pstore/x")).unwrap();
        let log = previous_boot(&host, "a").unwrap();
        assert!(log.contains("Oops#1") && log.contains("Panic#2") && !log.contains("root:"), "{log}");
    }
}
