//! Reads the transcripts: which machine, which call, what came out.

use std::fmt;
use std::path::Path;

/// One call of the real tool.
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// File name, or file name and row.
    pub name: String,
    /// Tool version.
    pub tool: String,
    /// Arguments.
    pub args: Vec<String>,
    /// The machine that it ran on.
    pub machine: Described,
    /// Lines on standard input.
    pub stdin: Vec<String>,
    /// As user nobody.
    pub nobody: bool,
    /// What came out.
    pub expected: Expected,
}

/// What came out of the real tool.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Standard output; `None` where it was not kept.
    pub stdout: Option<String>,
    /// Standard error; `None` where it was not kept.
    pub stderr: Option<String>,
    /// Exit code.
    pub code: u8,
    /// Text that stdout or stderr must contain (rows of the errno map).
    pub contains: Vec<String>,
    /// Bytes as they came; transcripts with a header had `\r\n` turned to `\n`.
    pub raw: bool,
    /// Writes that the driver saw, as `(file, value)` for each GPU, `None` where they were not kept.
    pub writes: Option<Vec<Write>>,
}

/// A write to a partition file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// File name.
    pub file: String,
    /// Value.
    pub value: String,
}

/// The machine of a transcript, in the words of its header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// `mi300x` or `rx5700xt`.
    pub part: String,
    /// Compute mode.
    pub compute: String,
    /// Memory mode.
    pub memory: String,
    /// GPUs.
    pub gpus: u32,
    /// Faults, as `--fault` spells them.
    pub faults: Vec<String>,
    /// With the hypervisor flag.
    pub vm: bool,
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, compute, memory, gpus, faults, vm } = self;
        write!(f, "reference-{part} {compute}/{memory} x{gpus} faults={faults:?} vm={vm}")
    }
}

/// Every case below a folder with `synthetic/`, `no-gpu/` and `held-out/`, by name.
pub fn all(folder: &Path) -> Vec<Case> {
    let synthetic = folder.join("synthetic");
    let mut cases = index(&synthetic);
    let listed: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    for folder in [synthetic.as_path(), &folder.join("no-gpu"), &folder.join("held-out")] {
        for entry in std::fs::read_dir(folder).expect("the fixtures are in the repository") {
            let path = entry.expect("a folder entry reads").path();
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a fixture is text");
            if name == "errno-map-set-C.txt" {
                cases.extend(errno_map(&name, &text));
            } else if text.starts_with("$ amd-smi") && !listed.contains(&name) {
                cases.push(transcript(name, &text));
            }
        }
    }
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    cases
}

/// `INDEX.tsv`: file, tool, tree arguments, command, exit code, sizes.
fn index(folder: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(folder.join("INDEX.tsv")).expect("the index is in the repository");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, tool, tree, command, code, sizes] = columns[..] else { panic!("not six columns: {line}") };
        let stdout = std::fs::read(folder.join(name)).expect("the file of an index row");
        Case {
            name: name.to_owned(),
            tool: tool.to_owned(),
            args: words(command),
            machine: tree_arguments(tree),
            expected: Expected {
                stdout: Some(String::from_utf8(stdout).expect("the output is text")),
                stderr: sizes.ends_with("stderr=0B").then(String::new),
                code: code.trim_start_matches("rc=").parse().expect("an exit code"),
                raw: true,
                ..Expected::default()
            },
            ..Case::default()
        }
    })
    .collect()
}

/// A transcript with a header.
fn transcript(name: String, text: &str) -> Case {
    let (head, rest) = text.split_once("----- stdout -----\n").expect("a transcript has a stdout part");
    let (stdout, stderr) = rest.split_once("----- stderr -----\n").expect("a transcript has a stderr part");
    let mut lines = head.lines();
    let command = lines.next().expect("a command").trim_start_matches("$ ");
    let about = lines.next().expect("a tool").trim_start_matches("# tool ");
    let tool = about.split(' ').next().expect("a version").to_owned();
    let mut case = Case {
        name,
        tool,
        args: words(command),
        machine: described(about),
        nobody: about.contains("user=nobody"),
        ..Case::default()
    };
    case.stdin = stdin(about);
    for line in lines {
        if let Some(code) = line.strip_prefix("# exit code: ") {
            case.expected.code = code.parse().expect("an exit code");
        } else if let Some(writes) = line.strip_prefix("# sysfs writes seen: ") {
            case.expected.writes = Some(self::writes(writes));
        }
    }
    case.expected.stdout = Some(stdout.to_owned());
    case.expected.stderr = Some(stderr.to_owned());
    case
}

/// The tool's part of a header: `24.5.2 (real binary), fake sysfs: --mode SPX ...; stdin=''; user=root; ...`.
fn described(about: &str) -> Described {
    let mut machine = Described {
        part: "mi300x".into(),
        compute: "SPX".into(),
        memory: "NPS1".into(),
        gpus: 1,
        vm: about.contains("platform=VM"),
        ..Described::default()
    };
    if let Some((_, scenario)) = about.split_once("fake sysfs scenario: ") {
        machine.faults.push(scenario.trim().to_owned());
    } else if about.contains("SPX not listed") {
        machine.compute = "CPX".into();
        machine.memory = "NPS4".into();
        machine.faults.push("spx_not_available".into());
    } else if about.contains("libamd_smi.so removed") {
        machine.faults.push("library_missing".into());
    } else if about.contains("no amdgpu/hsmp module") {
        machine.faults.push("driver_missing".into());
    } else if let Some((_, tree)) = about.split_once("fake sysfs: ") {
        let vm = machine.vm;
        machine = Described { vm, ..tree_arguments(tree.split(';').next().unwrap_or_default()) };
    }
    machine
}

/// `--mode CPX --nps NPS4 --n 1 --fault compute=EBUSY`; as make-sysfs.py, two GPUs of MI300X by default.
fn tree_arguments(text: &str) -> Described {
    let mut machine = Described {
        part: "mi300x".into(),
        compute: "SPX".into(),
        memory: "NPS1".into(),
        gpus: 2,
        ..Described::default()
    };
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_default().to_owned();
        match word {
            "--gpu" => machine.part = value,
            "--mode" => machine.compute = value,
            "--nps" => machine.memory = value,
            "--n" => machine.gpus = value.parse().expect("a number of GPUs"),
            "--fault" | "--scenario" => machine.faults.push(value),
            other => panic!("unknown tree argument {other}"),
        }
    }
    machine
}

fn stdin(about: &str) -> Vec<String> {
    let Some((_, rest)) = about.split_once("stdin='") else { return Vec::new() };
    let text = rest.split('\'').next().unwrap_or_default().replace("\\n", "\n");
    text.lines().map(str::to_owned).collect()
}

/// `["current_compute_partition 'CPX'", "write /.../current_compute_partition 'CPX'"]; writes to xcp_config: 0`.
fn writes(text: &str) -> Vec<Write> {
    let list = text.split(']').next().unwrap_or_default().trim_start_matches('[');
    let entries = list.split('"').filter(|entry| entry.contains('\''));
    entries
        .map(|entry| {
            let (path, value) = entry.split_once(" '").expect("a path and a value");
            let file = path.rsplit('/').next().unwrap_or_default();
            Write { file: file.to_owned(), value: value.trim_end_matches('\'').to_owned() }
        })
        .collect()
}

/// `resolute EPERM rc=0 AMDSMI_STATUS_NOT_SUPPORTED`: what a write errno becomes.
fn errno_map(name: &str, text: &str) -> Vec<Case> {
    let rows = text.lines().filter(|line| line.contains(" rc="));
    rows.filter_map(|line| {
        let mut words = line.split(' ');
        let (distribution, errno) = (words.next()?, words.next()?);
        let code = words.next()?.trim_start_matches("rc=").parse().ok()?;
        let contains: Vec<String> =
            words.next().filter(|word| !word.is_empty()).map(str::to_owned).into_iter().collect();
        let elevation = line.contains("requires elevation").then(|| "requires elevation".to_owned());
        let tool = if distribution == "sid" { "27.1.0" } else { "26.2.1" };
        let mut machine = tree_arguments("--mode SPX --nps NPS1 --n 2");
        machine.faults.push(format!("compute={errno}"));
        Some(Case {
            name: format!("{name}::{tool}-{errno}"),
            tool: tool.to_owned(),
            args: ["set", "-g", "0", "-C", "CPX"].map(str::to_owned).to_vec(),
            machine,
            expected: Expected {
                code,
                contains: contains.into_iter().chain(elevation).collect(),
                ..Expected::default()
            },
            ..Case::default()
        })
    })
    .collect()
}

/// `amd-smi list --json` without the program.
fn words(command: &str) -> Vec<String> {
    command.split_whitespace().skip(1).map(str::to_owned).collect()
}
