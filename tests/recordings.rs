//! Recorded hosts: replayed without running anything, and hostile ones refused by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rocvet::domain::{Ended, Provenance, Reading, Signal};
use rocvet::host::record::{Extent, record};
use rocvet::host::{Asking, HOST_FILE, Host, HostError, HostFile, HostKind, recorded};
use rocvet::process::Cancel;
use rocvet::witness::amd_smi::{Format, Query, parse};
use rocvet::witness::{kfd, sysfs};

const INDEX: &str = r#"
schema = 1

[[call]]
args = ["version", "--json"]
took-ms = 300
stdout = "version.stdout"
ended = { how = "exited", code = 0 }

[[call]]
args = ["list"]
took-ms = 12
stderr = "list.stderr"
ended = { how = "signaled", signal = 6 }

[[call]]
args = ["partition"]
took-ms = 60000
ended = { how = "timed-out", limit = "deadline" }
"#;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn asking() -> Asking {
    Asking { deadline: Duration::from_secs(20), cancel: Cancel::new() }
}

/// A small recording, whole and well-formed.
fn recording(dir: &Path) {
    let file = HostFile::new(HostKind::Recorded, "two GPUs in a test", None);
    fs::write(dir.join(HOST_FILE), file.to_toml().unwrap()).unwrap();
    fs::create_dir(dir.join("transcripts")).unwrap();
    fs::write(dir.join("transcripts/index.toml"), INDEX).unwrap();
    fs::write(dir.join("transcripts/version.stdout"), r#"[{"tool": "AMDSMI Tool", "version": "26.2.1"}]"#).unwrap();
    fs::write(dir.join("transcripts/list.stderr"), "abort\n").unwrap();
}

#[test]
fn a_recording_answers_as_it_was_and_runs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    recording(dir.path());
    // Whatever lies in a recording by the tool's name must not matter.
    fs::create_dir(dir.path().join("bin")).unwrap();
    symlink("/bin/false", dir.path().join("bin/amd-smi")).unwrap();
    let host = Host::open(dir.path()).unwrap();
    assert_eq!(
        (host.provenance(), host.origin()),
        (Provenance::Recorded, "two GPUs in a test (not verified: it has no manifest.toml)")
    );
    let call = |text: &str| host.call_amd_smi(&words(text), "y\n", &asking());
    let version = call("version --json");
    assert_eq!((version.ended.clone(), version.took), (Ended::Exited { code: 0 }, Duration::from_millis(300)));
    assert!(parse::version(&version, Format::Json).value.value().is_some());
    assert_eq!(call("list").ended, Ended::Signaled { signal: Signal(6) });
    assert_eq!(call("partition").ended.to_string(), "stopped at its deadline");
    let Ended::NotStarted { reason } = call("set -M NPS4").ended else { panic!("a set request was answered") };
    assert_eq!(reason, "not recorded: amd-smi set -M NPS4");
}

#[test]
fn a_replayed_tool_exits_as_a_shell_would_tell() {
    let dir = tempfile::tempdir().unwrap();
    recording(dir.path());
    for (args, code, stderr) in [
        ("version --json", 0, ""),
        ("list", 134, "abort\n"),
        ("partition", 124, "rocvet replay: stopped at its deadline\n"),
        ("list --csv", 127, "rocvet replay: not started: not recorded: amd-smi list --csv\n"),
    ] {
        let replay = recorded::replay(dir.path(), &words(args)).unwrap();
        assert_eq!((replay.code, String::from_utf8(replay.stderr).unwrap().as_str()), (code, stderr), "{args}");
    }
}

#[test]
fn a_hostile_recording_is_refused_with_the_file_and_the_key() {
    let write = |path: &'static str, text: String| move |dir: &Path| fs::write(dir.join(path), &text).unwrap();
    let index = |from: &str, to: &str| write("transcripts/index.toml", INDEX.replacen(from, to, 1));
    type Spoil = Box<dyn Fn(&Path)>;
    let cases: Vec<(&str, Spoil, &[&str])> = vec![
        ("no host file", Box::new(|dir| fs::remove_file(dir.join(HOST_FILE)).unwrap()), &["host.toml", "no such file"]),
        ("empty host file", Box::new(write(HOST_FILE, String::new())), &["host.toml", "missing field `schema`"]),
        (
            "later schema",
            Box::new(write(HOST_FILE, "schema = 7\nnew = 1".to_owned())),
            &["host.toml", "`schema`", "7", "reads 1"],
        ),
        (
            "unknown kind",
            Box::new(write(HOST_FILE, "kind = \"real\"\nschema = 1\norigin = \"\"\nwritten-by = \"\"".to_owned())),
            &["host.toml", "line 1", "kind", "recorded"],
        ),
        (
            "unknown key",
            Box::new(write(
                HOST_FILE,
                "exec = \"sh\"\nkind = \"recorded\"\nschema = 1\norigin = \"\"\nwritten-by = \"\"".to_owned(),
            )),
            &["host.toml", "line 1", "exec"],
        ),
        (
            "host file is a link",
            Box::new(|dir| {
                fs::remove_file(dir.join(HOST_FILE)).unwrap();
                symlink("/etc/passwd", dir.join(HOST_FILE)).unwrap();
            }),
            &["host.toml", "leads out of"],
        ),
        ("huge host file", Box::new(write(HOST_FILE, " ".repeat(1 << 20))), &["host.toml", "larger than the limit"]),
        (
            "host file not UTF-8",
            Box::new(|dir| fs::write(dir.join(HOST_FILE), b"kind = \"\xff\"").unwrap()),
            &["host.toml", "utf-8"],
        ),
        (
            "truncated index",
            Box::new(write("transcripts/index.toml", INDEX[..INDEX.len() / 2].to_owned())),
            &["transcripts/index.toml", "line "],
        ),
        ("later index", Box::new(index("schema = 1", "schema = 2")), &["transcripts/index.toml", "`schema`", "2"]),
        (
            "unknown key in a call",
            Box::new(index("took-ms = 300", "took-ms = 300\nrun = \"sh\"")),
            &["transcripts/index.toml", "line 7", "run"],
        ),
        ("negative time", Box::new(index("took-ms = 300", "took-ms = -3")), &["transcripts/index.toml", "line 6"]),
        (
            "path out of the recording",
            Box::new(index("version.stdout", "../../etc/passwd")),
            &["transcripts/index.toml", "`call[0].stdout`", "../../etc/passwd"],
        ),
        ("absolute path", Box::new(index("version.stdout", "/etc/passwd")), &["`call[0].stdout`", "/etc/passwd"]),
        (
            "no such transcript",
            Box::new(index("list.stderr", "none")),
            &["`call[1].stderr`", "transcripts/none", "no such file"],
        ),
        (
            "a call twice",
            Box::new(index("\"list\"", "\"version\", \"--json\"")),
            &["`call[1].args`", "amd-smi version --json", "twice"],
        ),
        (
            "transcript is a link out",
            Box::new(|dir| {
                fs::remove_file(dir.join("transcripts/version.stdout")).unwrap();
                symlink("/etc/passwd", dir.join("transcripts/version.stdout")).unwrap();
            }),
            &["`call[0].stdout`", "leads out of"],
        ),
        (
            "transcripts are a link out",
            Box::new(|dir| {
                fs::rename(dir.join("transcripts"), dir.parent().unwrap().join("elsewhere")).unwrap();
                symlink("../elsewhere", dir.join("transcripts")).unwrap();
            }),
            &["transcripts/index.toml", "leads out of"],
        ),
        (
            "100 MB transcript",
            Box::new(|dir| {
                fs::File::create(dir.join("transcripts/version.stdout")).unwrap().set_len(100_000_000).unwrap();
            }),
            &["`call[0].stdout`", "larger than the limit of 8388608 bytes"],
        ),
        (
            "too many calls",
            Box::new(write("transcripts/index.toml", {
                let call =
                    |n: usize| format!("[[call]]\nargs = [\"{n}\"]\ntook-ms = 0\nended = {{ how = \"cancelled\" }}\n");
                format!("schema = 1\n{}", (0..4097).map(call).collect::<String>())
            })),
            &["transcripts/index.toml", "`call`", "4097"],
        ),
    ];
    for (name, spoil, told) in cases {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("host");
        fs::create_dir(&dir).unwrap();
        recording(&dir);
        Host::open(&dir).unwrap();
        spoil(&dir);
        let error = Host::open(&dir).map(|_| ()).expect_err(name).to_string();
        for word in told {
            assert!(error.contains(word), "{name}: no {word:?} in {error}");
        }
        assert!(!error.contains("root:x"), "{name}: {error}");
    }
}

/// A simulated host whose `amd-smi` is a script: what is recorded is what that says.
fn scripted(dir: &Path) -> Host {
    let file = HostFile::new(HostKind::Simulated, "a scripted machine", None);
    fs::write(dir.join(HOST_FILE), file.to_toml().unwrap()).unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let device = "sys/devices/pci0000:00/0000:05:00.0";
    write(&format!("{device}/vendor"), "0x1002\n");
    write(&format!("{device}/device"), "0x74a1\n");
    write(&format!("{device}/unique_id"), "e3a6b8a5a6c00001\n");
    write(&format!("{device}/serial_number"), "692307000001\n");
    write(&format!("{device}/current_compute_partition"), "SPX\n");
    write(&format!("{device}/drm/card0/dev"), "226:0\n");
    symlink("../../../0000:05:00.0", dir.join(device).join("drm/card0/device")).unwrap();
    fs::create_dir_all(dir.join("sys/class/drm")).unwrap();
    symlink("../../devices/pci0000:00/0000:05:00.0/drm/card0", dir.join("sys/class/drm/card0")).unwrap();
    let node = "sys/class/kfd/kfd/topology/nodes/2";
    write(&format!("{node}/gpu_id"), "24248\n");
    let unique = 0xe3a6_b8a5_a6c0_0001_u64;
    write(&format!("{node}/properties"), &format!("domain 0\nlocation_id 1280\nunique_id {unique}\n"));
    write(&format!("{node}/mem_banks/0/properties"), "heap_type 1\nsize_in_bytes 4096\n");
    write(&format!("{device}/xgmi_hive_info/xgmi_hive_id"), "15188982192727901047\n");
    write("sys/class/kfd/kfd/proc/4711/vram_24248", "2147483648\n");
    write("proc/4711/comm", "alice-train\n");
    write("proc/4711/cgroup", "0::/user.slice/user-1000.slice/jupyter-alice.service\n");
    write("proc/sys/kernel/hostname", "gpu-node-17.lab.example\n");
    write("proc/sys/kernel/random/boot_id", "b007b007-1234-4abc-8def-0123456789ab\n");
    write("proc/cmdline", "root=UUID=d15cd15c-1111 ip=10.20.30.40::::gpu-node-17 amdgpu.noretry=0 secretword\n");
    write("opt/rocm-7.2.0/.info/version", "7.2.0-41\nbuilt by alice\n");
    write(
        "kmsg",
        "6,1,0,-;Command line: root=UUID=d15cd15c-1111\n6,2,0,-;amdgpu 0000:05:00.0: amdgpu: Process alice-train pid 7 on \
         gpu-node-17\n6,3,0,-;eth0: 10.20.30.40\n",
    );
    write("proc/cpuinfo", "processor\t: 0\nflags\t: fpu\n\nprocessor\t: 1\n");
    let script = r#"#!/bin/sh
case "$*" in
"version --json") echo '[{"tool": "AMDSMI Tool", "version": "26.2.1"}]';;
"list") printf 'GPU: 0\n    BDF: 0000:05:00.0\n    UUID: e3ff74a1-0000-1000-80a6-b8a5a6c00001\n\n';;
"") echo '| 0 4711 alice-train /home/alice/run.py |';;
"static -B") printf 'GPU: 0\n    BOARD:\n        PRODUCT_SERIAL: 692307000001\n\n';;
"static -B --csv") printf 'gpu,product_serial\n0,692307000001\n';;
"list --csv") printf '\377\376 e3ff74a1-0000-1000-80a6-b8a5a6c00001\n';;
"partition") kill -ABRT $$;;
*) echo "Command is invalid on gpu-node-17. Error code: -1" >&2; exit 1;;
esac
"#;
    write("tool.sh", script);
    let program = dir.join("tool.sh");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    Host::open(dir).unwrap().with_program(program)
}

#[test]
fn a_recorded_host_reads_as_the_one_that_it_was_recorded_from() {
    let dirs = tempfile::tempdir().unwrap();
    let (from, out) = (dirs.path().join("from"), dirs.path().join("out"));
    fs::create_dir(&from).unwrap();
    let host = scripted(&from);
    let written = record(&host, &out, Extent::default(), &asking()).unwrap();
    assert_eq!(written.calls, 42);
    let replayed = Host::open(&out).unwrap();
    assert_eq!((replayed.provenance(), replayed.origin()), (Provenance::Recorded, "recording of a scripted machine"));
    for (query, ended) in [
        (Query::List, Ended::Exited { code: 0 }),
        (Query::Partition, Ended::Signaled { signal: Signal(6) }),
        (Query::StaticVram, Ended::Exited { code: 1 }),
    ] {
        let call = replayed.call_amd_smi(&query.args(Format::Human), "", &asking());
        assert_eq!(call.ended, ended, "{query:?}");
    }
    let (mut was, is) = (sysfs::read_sysfs(&host.sysfs_root()), sysfs::read_sysfs(&replayed.sysfs_root()));
    (was[0].unique_id, was[0].hive_id) = (Reading::Value(1), Reading::Value(2));
    assert_eq!((was.len(), &was), (1, &is));
    let (was, is) = (kfd::read_kfd(&host.sysfs_root()).unwrap(), kfd::read_kfd(&replayed.sysfs_root()).unwrap());
    assert_eq!((was.len(), was[0].memory.clone(), was[0].bdf.clone()), (1, is[0].memory.clone(), is[0].bdf.clone()));
    assert_eq!(is[0].unique_id.value(), Some(&1));
    assert!(matches!(record(&host, &out, Extent::default(), &asking()), Err(HostError::Unwritable { .. })));
}

#[test]
fn nothing_that_names_the_machine_is_in_its_recording() {
    let dirs = tempfile::tempdir().unwrap();
    let (from, out) = (dirs.path().join("from"), dirs.path().join("out"));
    fs::create_dir(&from).unwrap();
    let host = scripted(&from);
    record(&host, &out, Extent::default(), &asking()).unwrap();
    const SECRETS: [&str; 12] = [
        "b8a5a6c00001",
        "692307000001",
        "gpu-node-17",
        "lab.example",
        "15188982192727901047",
        "16404001714350325761",
        "alice",
        "b007b007",
        "d15cd15c",
        "10.20.30.40",
        "secretword",
        "user-1000",
    ];
    let mut looked_at = 0;
    for entry in walkdir::WalkDir::new(&out).into_iter().map(Result::unwrap) {
        let mut text = entry.path().strip_prefix(&out).unwrap().display().to_string();
        if entry.path_is_symlink() {
            text += &fs::read_link(entry.path()).unwrap().display().to_string();
        } else if entry.file_type().is_file() {
            looked_at += 1;
            text += &String::from_utf8_lossy(&fs::read(entry.path()).unwrap());
        }
        for name in SECRETS {
            assert!(!text.to_lowercase().contains(name), "{name} in {}", entry.path().display());
        }
    }
    let read = |path: &str| fs::read_to_string(out.join(path)).unwrap();
    assert_eq!(read("proc/cmdline"), "amdgpu.noretry=0\n");
    assert_eq!(read("proc/4711/comm") + &read("proc/4711/cgroup"), "process-1\n0::/unit-1.service\n");
    assert_eq!(read("kmsg"), "6,2,0,-;amdgpu 0000:05:00.0: amdgpu: Process name pid 7 on host\n");
    assert_eq!(read("opt/rocm-7.2.0/.info/version"), "7.2.0-41\n");
    assert!(looked_at > 40, "{looked_at}");
    assert_eq!(
        fs::read_to_string(out.join("sys/devices/pci0000:00/0000:05:00.0/unique_id")).unwrap(),
        "0000000000000001\n"
    );
}

#[test]
fn what_was_changed_since_it_was_recorded_is_named() {
    type Spoil = fn(&Path);
    const GPU: &str = "sys/devices/pci0000:00/0000:05:00.0";
    let cases: [(&str, Spoil, &[&str]); 8] = [
        (
            "another mode",
            |dir| fs::write(dir.join(GPU).join("current_compute_partition"), "CPX\n").unwrap(),
            &["current_compute_partition", "was changed", "manifest.toml"],
        ),
        (
            "another answer",
            |dir| fs::write(dir.join("transcripts/01-version--json.stdout"), "[]").unwrap(),
            &["transcripts/01-version--json.stdout", "was changed"],
        ),
        ("another origin", |dir| append(&dir.join(HOST_FILE), "\n"), &["host.toml", "was changed"]),
        (
            "a file less",
            |dir| fs::remove_file(dir.join(GPU).join("unique_id")).unwrap(),
            &["unique_id", "was taken away"],
        ),
        ("a log less", |dir| fs::remove_file(dir.join("kmsg")).unwrap(), &["kmsg", "no such file"]),
        ("a file more", |dir| fs::write(dir.join("proc/new"), "").unwrap(), &["proc/new", "was added"]),
        (
            "a link elsewhere",
            |dir| {
                fs::remove_file(dir.join("sys/class/drm/card0")).unwrap();
                symlink("../../devices", dir.join("sys/class/drm/card0")).unwrap();
            },
            &["sys/class/drm/card0", "link was changed"],
        ),
        (
            "a later manifest",
            |dir| {
                let text = fs::read_to_string(dir.join("manifest.toml")).unwrap();
                fs::write(dir.join("manifest.toml"), text.replacen("schema = 1", "schema = 9", 1)).unwrap();
            },
            &["manifest.toml", "9", "reads 1"],
        ),
    ];
    for (name, spoil, told) in cases {
        let dirs = tempfile::tempdir().unwrap();
        let (from, out) = (dirs.path().join("from"), dirs.path().join("out"));
        fs::create_dir(&from).unwrap();
        record(&scripted(&from), &out, Extent::default(), &asking()).unwrap();
        Host::open(&out).unwrap();
        spoil(&out);
        let error = Host::open(&out).map(|_| ()).expect_err(name).to_string();
        for word in told {
            assert!(error.contains(word), "{name}: no {word:?} in {error}");
        }
    }
}

fn append(path: &Path, text: &str) {
    let old = fs::read_to_string(path).unwrap();
    fs::write(path, old + text).unwrap();
}
