//! The simulated `amd-smi` as another program meets it: a real process in a host folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod scratch;

use std::fs;
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rocvet::domain::{ComputeMode, MemoryMode};
use rocvet::host::simulated::{self, Faces, create, install_program};
use rocvet::sim::{Kernel, Machine, machine_named};
use rocvet::witness::kfd::read_kfd;
use tempfile::TempDir;

/// A simulated host with its `bin/amd-smi`.
struct Shim {
    folder: TempDir,
}

impl Shim {
    fn new(machine: &Machine) -> Self {
        // On the file system of the executable, so that it can be linked.
        let folder = scratch::folder();
        create(folder.path(), machine, Faces::Both).unwrap();
        install_program(folder.path(), scratch::validate()).unwrap();
        Self { folder }
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn call(&self, args: &str) -> Output {
        self.call_with(args, "")
    }

    fn call_with(&self, args: &str, stdin: &str) -> Output {
        run(Command::new(self.dir().join("bin/amd-smi")).args(args.split_whitespace()), stdin)
    }

    fn kernel(&self) -> Kernel {
        simulated::load(self.dir()).unwrap()
    }

    fn modes(&self) -> (ComputeMode, MemoryMode) {
        let kernel = self.kernel();
        (kernel.state().compute[0], kernel.state().memory)
    }

    fn sysfs(&self, file: &str) -> String {
        fs::read_to_string(self.dir().join("sys/bus/pci/devices/0000:05:00.0").join(file)).unwrap().trim().to_owned()
    }
}

fn run(command: &mut Command, stdin: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env_clear().spawn().unwrap();
    // A tool that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn machine(name: &str, faults: &[&str]) -> Machine {
    let mut machine = machine_named(name).unwrap();
    machine.faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    machine
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_set_changes_the_next_get_and_the_tree() {
    let shim = Shim::new(&machine("mi300x", &[]));
    assert_eq!(text(&shim.call("list")).matches("GPU:").count(), 1);
    let set = shim.call("set -C CPX");
    assert_eq!((set.status.code(), text(&set).contains("Successfully")), (Some(0), true), "{set:?}");
    assert_eq!(text(&shim.call("list")).matches("GPU:").count(), 8);
    assert_eq!(shim.sysfs("current_compute_partition"), "CPX");
    assert_eq!(read_kfd(&shim.dir().join("sys")).unwrap().len(), 8);
    let left: Vec<_> = fs::read_dir(shim.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".new")), "{left:?}");
}

#[test]
fn a_memory_mode_waits_for_the_reload() {
    let shim = Shim::new(&machine("mi300x", &[]));
    let set = shim.call_with("set -M NPS4", "y\n");
    assert!(text(&set).contains("Successfully set memory partition to NPS4"), "{set:?}");
    assert_eq!((shim.modes().1, shim.sysfs("current_memory_partition").as_str()), (MemoryMode::Nps1, "NPS1"));
    simulated::reload(shim.dir()).unwrap();
    assert_eq!(shim.modes(), (ComputeMode::Cpx, MemoryMode::Nps4));
    assert_eq!(shim.sysfs("current_memory_partition"), "NPS4");
    assert_eq!(shim.sysfs("available_compute_partition"), "QPX, CPX");
}

#[test]
fn an_unanswered_question_changes_nothing_and_locks_nobody_out() {
    let shim = Shim::new(&machine("mi300x", &[]));
    let mut waiting = Command::new(shim.dir().join("bin/amd-smi"))
        .args(["set", "-M", "NPS4"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(shim.call("set -C CPX").status.code(), Some(0));
    drop(waiting.stdin.take());
    assert_eq!(waiting.wait().unwrap().code(), Some(1));
    assert_eq!((shim.modes().0, shim.kernel().state().memory_requested), (ComputeMode::Cpx, None));
}

#[test]
fn a_gpu_that_a_client_holds_is_busy_until_it_lets_go() {
    let shim = Shim::new(&machine("mi300x", &[]));
    simulated::hold(shim.dir(), true).unwrap();
    let busy = shim.call("set -C CPX");
    let complaint = String::from_utf8_lossy(&busy.stderr).into_owned();
    assert!(busy.status.code() == Some(1) && complaint.contains("AMDSMI_STATUS_BUSY"), "{busy:?}");
    assert_eq!(shim.modes().0, ComputeMode::Spx);
    simulated::hold(shim.dir(), false).unwrap();
    assert_eq!(shim.call("set -C CPX").status.code(), Some(0));
    assert_eq!(shim.modes().0, ComputeMode::Cpx);
}

#[test]
fn an_illegal_request_leaves_the_machine_as_it_was() {
    let at_nps4 = Machine { compute: ComputeMode::Cpx, memory: MemoryMode::Nps4, ..machine("mi300x", &[]) };
    let user = Machine { caller: rocvet::sim::Caller::User, ..machine("mi300x", &[]) };
    for (machine, args) in [
        (at_nps4, "set -C SPX"),
        (machine("mi300x", &[]), "set -C TPX"),
        (machine("mi300x", &[]), "set -C nonsense"),
        (machine("mi355x", &[]), "set -M NPS4"),
        (machine("mi300a", &[]), "set -C DPX"),
        (machine("rx5700xt", &[]), "set -C CPX"),
        (machine("mi300x", &["compute=EIO"]), "set -C CPX"),
        (user, "set -C CPX"),
    ] {
        let shim = Shim::new(&machine);
        let state = || simulated::load(shim.dir()).unwrap().state().clone();
        let before = state();
        let output = shim.call_with(args, "y\n");
        assert!(!text(&output).contains("Successfully"), "{} {args}: {output:?}", machine.name);
        // The tool reads the profiles by writing them, whatever becomes of the request.
        assert!(state().same_but_for_queries(&before), "{} {args}", machine.name);
    }
}

#[test]
fn concurrent_calls_see_one_state_or_another_and_never_a_torn_one() {
    let shim = Shim::new(&machine("mi300x", &[]));
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let shim = &shim;
            scope.spawn(move || {
                for round in 0..4 {
                    if worker % 2 == 0 {
                        let mode = ["SPX", "DPX", "QPX", "CPX"][(worker / 2 + round) % 4];
                        let set = shim.call(&format!("set -C {mode} --json"));
                        assert!(text(&set).contains("Successfully"), "{set:?}");
                    } else {
                        let list: serde_json::Value = serde_json::from_slice(&shim.call("list --json").stdout).unwrap();
                        let count = list.as_array().unwrap().len();
                        assert!([1, 2, 4, 8].contains(&count), "{count} devices");
                        let lock = simulated::lock(shim.dir(), simulated::Sharing::Shared).unwrap();
                        let devices = shim.kernel().view().devices.len();
                        let nodes = read_kfd(&shim.dir().join("sys")).unwrap().len();
                        assert_eq!(nodes, devices, "the tree shows the state");
                        drop(lock);
                    }
                }
            });
        }
    });
    assert!(shim.kernel().state().generation > 0);
}

#[test]
fn a_copy_outside_any_host_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let copy = bin.join("amd-smi");
    fs::copy(scratch::validate(), &copy).unwrap();
    let output = run(Command::new(&copy).arg("list"), "");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(69) && complaint.contains("stands in no host"), "{output:?}");
}

#[test]
fn our_own_spawner_names_the_host_in_the_environment() {
    let shim = Shim::new(&machine("mi300x", &[]));
    let mut command = Command::new(scratch::validate());
    let command = command.arg0("amd-smi").arg("list").stdin(Stdio::null()).env_clear();
    let output = command.env("ROCVET_HOST", shim.dir()).output().unwrap();
    assert_eq!((output.status.code(), text(&output).contains("GPU: 0")), (Some(0), true), "{output:?}");
}

#[test]
fn faults_of_the_process_end_it_as_they_say() {
    let ended = |fault: &str, args: &str| Shim::new(&machine("mi300x", &[fault])).call(args);
    assert_eq!(ended("signal=SIGSEGV", "list").status.signal(), Some(11));
    assert_eq!(ended("abort_on_version", "version").status.signal(), Some(6));
    assert_eq!(ended("exit=3", "list").status.code(), Some(3));
    assert_eq!(ended("truncate=5", "list").stdout.len(), 5);
    assert!(ended("flood=3MB", "list").stdout.len() > 3_000_000);
    assert!(String::from_utf8(ended("invalid_utf8", "list").stdout).is_err());
}

#[test]
fn a_tool_that_hangs_or_ignores_sigterm_ends_only_by_sigkill() {
    let shim = Shim::new(&machine("mi300x", &["ignore_sigterm", "hang"]));
    let mut child = Command::new(shim.dir().join("bin/amd-smi"))
        .arg("list")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let status = format!("/proc/{}/status", child.id());
    // Until its handlers are there, SIGTERM could still end it.
    while !catches_sigterm(&fs::read_to_string(&status).unwrap()) {
        std::thread::yield_now();
    }
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(child.try_wait().unwrap().is_none(), "it survives SIGTERM");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

/// Reads `SigCgt` of `/proc/PID/status`: one bit for each signal that has a handler, SIGHUP first.
fn catches_sigterm(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> 14 & 1 == 1
}

#[test]
fn a_fault_waits_for_its_call() {
    let shim = Shim::new(&machine("mi300x", &["after=2:driver_missing"]));
    let codes: Vec<_> = (0..4).map(|_| shim.call("list").status.code().unwrap()).collect();
    assert_eq!(codes, [0, 0, 255, 255]);
    assert!(!shim.dir().join("sys/module").join("amdgpu/initstate").exists());
}

#[test]
fn a_folder_that_is_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "x").unwrap();
    let error = create(folder.path(), &machine("mi300x", &[]), Faces::Both).unwrap_err().to_string();
    assert!(error.contains("not a host"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let shim = Shim::new(&machine("mi300x", &[]));
    shim.call("set -C CPX");
    create(shim.dir(), &machine("mi300x", &[]), Faces::Both).unwrap();
    assert_eq!(shim.modes().0, ComputeMode::Spx, "a simulated host starts anew");
}

#[test]
fn a_host_that_shows_only_its_tool_is_given_no_tree() {
    let shim = Shim::new(&machine("mi300x", &[]));
    create(shim.dir(), &machine("mi300x", &[]), Faces::Tool).unwrap();
    let shown = || ["sys", "proc", "kmsg", "generation"].map(|name| shim.dir().join(name).exists());
    assert_eq!(shown(), [false; 4], "what stood there before is gone");
    shim.call("set -C CPX");
    assert_eq!(
        (shim.modes().0, shown()),
        (ComputeMode::Cpx, [false; 4]),
        "a change is kept, and shown by the tool only"
    );
    create(shim.dir(), &machine("mi300x", &[]), Faces::Both).unwrap();
    assert_eq!((shim.modes().0, shown()), (ComputeMode::Spx, [true; 4]));
}

#[test]
fn a_host_file_that_says_nonsense_is_an_error_with_its_name() {
    type Spoil = fn(&Path) -> (PathBuf, String);
    let cases: [(&str, Spoil); 6] = [
        ("state.json", |dir| (dir.join("state.json"), "{".to_owned())),
        ("schema: version 9", |dir| {
            let path = dir.join("state.json");
            let text = fs::read_to_string(&path).unwrap().replace("\"schema\": 1", "\"schema\": 9");
            (path, text)
        }),
        ("state.json", |dir| (dir.join("state.json"), "x".repeat(1 << 20))),
        ("gpus: 9 is not between 1 and 8", |dir| {
            let path = dir.join("machine.toml");
            let text = fs::read_to_string(&path).unwrap().replace("gpus = 1", "gpus = 9");
            (path, text)
        }),
        ("unknown field `gpux`", |dir| {
            let path = dir.join("machine.toml");
            let text = fs::read_to_string(&path).unwrap().replace("gpus = 1", "gpux = 1");
            (path, text)
        }),
        ("host.toml", |dir| (dir.join("host.toml"), "kind = ".to_owned())),
    ];
    for (part, spoil) in cases {
        let shim = Shim::new(&machine("mi300x", &[]));
        let (path, content) = spoil(shim.dir());
        fs::write(&path, content).unwrap();
        let output = shim.call("list");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(69), "{part}: {output:?}");
        assert!(complaint.contains(part), "{part}: {complaint}");
    }
}
