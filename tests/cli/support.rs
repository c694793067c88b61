//! A folder to work in, and `validate` started there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rocvet::run::{Event, RunRecord};
use tempfile::TempDir;

use super::scratch;

/// Where a test works: nothing of it outlives the test, and nothing of the caller's environment reaches it.
pub struct Bench {
    folder: TempDir,
}

/// What a call of `validate` left behind.
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: scratch::folder() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders on its way.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// `validate`, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(scratch::validate());
        // A terminal behind any stream would change the width of what is printed.
        command.stdin(Stdio::null());
        command.args(args).current_dir(self.folder.path()).env("HOME", self.folder.path());
        for name in ["XDG_STATE_HOME", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "TMPDIR", "ROCVET_HOST"] {
            command.env_remove(name);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Done {
        Done::of(&mut self.command(args))
    }

    /// As [`Bench::run`], by a `validate` that stands alone: beside the one that was built the worker of torch may stand.
    pub fn run_alone(&self, args: &[&str]) -> Done {
        let alone = self.path("alone");
        let program = alone.join("validate");
        if !program.exists() {
            fs::create_dir_all(&alone).unwrap();
            fs::hard_link(scratch::validate(), &program).unwrap();
        }
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).args(args).current_dir(self.folder.path()).env("HOME", self.folder.path());
        Done::of(&mut command)
    }

    /// As [`Bench::run`], where the result is text that must be there and not a test.
    pub fn must(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{args:?}: {}{}", done.stdout, done.stderr);
        done.stdout
    }

    /// The only run folder below `results`.
    pub fn only_run(&self, results: &str) -> PathBuf {
        let mut runs: Vec<_> = fs::read_dir(self.path(results)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }
}

impl Done {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Both streams, for a message.
    pub fn told(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// `run.json` of a run folder, through our own reader.
pub fn record(run: &Path) -> RunRecord {
    serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap()
}

/// `events.jsonl` of a run folder.
pub fn events(run: &Path) -> Vec<Event> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A scenario of a simulated MI300X with these faults, further keys and checks.
pub fn scenario(faults: &[&str], checks: &str) -> String {
    format!(
        "title = 'a test'\nwhy = 'to see it'\nsource = 'this test'\n[applies]\npart = 'MI300X'\n\
         [simulate]\nmachine = 'mi300x'\namd-smi = '26.2.1'\nfaults = {faults:?}\n{checks}\n"
    )
}

/// A check that is met on a machine without faults.
pub const COUNT: &str = "[[check]]\nid = 'devices.count'";

/// Text with what differs from run to run replaced.
pub fn steady(text: &str, bench: &Bench) -> String {
    let text = text.replace(&bench.path("").display().to_string(), "BENCH/");
    let run = regex::Regex::new(r"\d{8}T\d{6}Z-\d+").unwrap();
    run.replace_all(&text, "RUN").into_owned()
}

/// Compares with `snapshots/cli/NAME.snap`.
pub fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/cli"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A folder on a file system where a flush costs nothing, where there is one.
pub fn in_memory() -> (TempDir, Bench) {
    let make = || tempfile::Builder::new().prefix("rocvet-").to_owned();
    (make().tempdir_in("/dev/shm").or_else(|_| make().tempdir()).unwrap(), Bench::new())
}

/// A simulated RX 5700 XT with these faults, in memory: its folder, where `validate` is started, and the folder's name.
pub fn simulated(faults: &[&str]) -> (TempDir, Bench, String) {
    machine(&["--machine", "rx5700xt"], faults)
}

/// As [`simulated`], an MI300X whose eight partitions have an eighth of its memory each.
pub fn partitions(faults: &[&str]) -> (TempDir, Bench, String) {
    machine(&["--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4"], faults)
}

/// A probe that uses little of a device's memory: of its size it shows what the runtime says, and no more.
pub const COPY: &str = "memory-copy/1048576/device-to-host";

fn machine(words: &[&str], faults: &[&str]) -> (TempDir, Bench, String) {
    let (memory, bench) = in_memory();
    let host = memory.path().join("sim").display().to_string();
    let faults: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    bench.must(&[&["shim", host.as_str()], words, faults.as_slice()].concat());
    (memory, bench, host)
}

pub fn spawn(bench: &Bench, args: &str) -> Child {
    let args: Vec<_> = args.split_whitespace().collect();
    bench.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

pub fn kill_after(mut child: Child, seconds: f64) {
    sleep(Duration::from_secs_f64(seconds));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Waits for what will come, for half a minute at most.
pub fn until(came: impl Fn() -> bool) {
    for _ in 0..3000 {
        if came() {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("it never came");
}
