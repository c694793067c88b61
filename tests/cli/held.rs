//! A machine with a process that could not be killed: whatever would use a GPU is refused until it is gone.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::support::Bench;

/// A process that is there, and stands for one that hears no signal.
struct Process(Child);

impl Process {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap())
    }

    /// When it started, in the kernel's ticks.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
    }

    fn end(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where this user's marker of this machine is.
fn file(bench: &Bench) -> PathBuf {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    let name: String = name.chars().filter(plain).take(64).collect();
    bench.path(".local/state/rocvet/held").join(name).join("held.json")
}

fn write(bench: &Bench, boot_id: &str, pid: u32, start: u64) {
    let process = serde_json::json!({ "pid": pid, "start": start, "gpu": "0000:03:00.0", "doing": "add/f32/8x8" });
    let marker = serde_json::json!({ "schema": "rocvet.held/1", "boot_id": boot_id, "processes": [process] });
    let file = file(bench);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, marker.to_string()).unwrap();
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

/// Commands that would use the GPU of this machine.
const USES: [&[&str]; 2] = [
    &["probe", "add/f32/8x8", "--worker", "python=/bin/true"],
    &["shrink", "matmul/f32/8x8x8", "--worker", "python=/bin/true"],
];

#[test]
fn nothing_is_started_on_the_gpu_while_a_process_that_could_not_be_killed_is_there() {
    let bench = Bench::new();
    let mut process = Process::start();
    let pid = process.0.id();
    write(&bench, &boot_id(), pid, process.ticks());
    let told = format!("process {pid} (sleep, add/f32/8x8 on GPU 0000:03:00.0) is still in state");
    for args in USES {
        let done = bench.run(args);
        assert_eq!(done.code, 112, "{args:?}: {}", done.told());
        assert!(done.stderr.contains(&told) && done.stderr.contains("reboot it; "), "{args:?}: {}", done.told());
        assert!(done.stderr.contains(&file(&bench).display().to_string()), "{args:?}: {}", done.told());
    }
    let doctor = bench.run(&["doctor", "--format", "json"]).stdout;
    let doctor: serde_json::Value = serde_json::from_str(&doctor).unwrap();
    let obstacles = doctor["obstacles"].as_array().unwrap();
    let obstacle = obstacles.iter().find(|each| each["id"] == "unkillable").unwrap();
    assert!(obstacle["what"].as_str().unwrap().contains(&told), "{obstacle}");
    // What touches no GPU of this machine goes on.
    let cpu = bench.run(&[USES[0], &["--on", "cpu"]].concat());
    assert_eq!(cpu.code, 69, "{}", cpu.told());
    bench.must(&["probe", "add/f32/8x8"]);

    process.end();
    for args in USES {
        let done = bench.run(args);
        assert_eq!(done.code, 69, "{args:?}: {}", done.told());
    }
    assert!(!file(&bench).exists());
}

#[test]
fn a_marker_of_another_boot_or_of_another_process_is_void_and_one_that_is_none_is_refused() {
    let process = Process::start();
    let (pid, ticks) = (process.0.id(), process.ticks());
    for (boot_id, start) in [("00000000-0000-0000-0000-000000000000".to_owned(), ticks), (boot_id(), ticks + 1)] {
        let bench = Bench::new();
        write(&bench, &boot_id, pid, start);
        assert_eq!(bench.run(USES[0]).code, 69);
        assert!(!file(&bench).exists(), "{boot_id} {start}");
    }
    let bench = Bench::new();
    write(&bench, &boot_id(), pid, ticks);
    fs::write(file(&bench), "{\"schema\": 1").unwrap();
    let done = bench.run(USES[0]);
    assert_eq!(done.code, 69, "{}", done.told());
    assert!(done.stderr.contains("held.json: ") && done.stderr.contains("state D"), "{}", done.told());
    assert!(file(&bench).exists(), "it is left for somebody to look at");
}
