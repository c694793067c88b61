//! What the amd-smi queries print, against the real tool over the reference tree: byte for byte, except that 24.x
//! prints addresses from uninitialised memory, which are compared by shape.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rocvet::domain::{ComputeMode, MemoryMode, ToolVersion};
use rocvet::sim::render::amd_smi::dialect::{Bugs, DIALECTS, PartitionCommand};
use rocvet::sim::render::amd_smi::query::{default_table, list, metric, partition, static_, version};
use rocvet::sim::render::amd_smi::{Context, Format, Response};
use rocvet::sim::{Errno, Kernel, Machine, Platform, View, preset};

use serde_json::{Deserializer, Value};

/// The machine that a line of the index was recorded on: `--gpu rx5700xt --mode CPX --nps NPS4 --n 2 --vm`.
pub fn reference(arguments: &str) -> Machine {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let value = |flag: &str| words.iter().position(|word| *word == flag).map(|at| words[at + 1]);
    let mut machine = preset::named(&format!("reference-{}", value("--gpu").unwrap_or("mi300x"))).unwrap();
    machine.gpus = value("--n").map_or(2, |count| count.parse().unwrap());
    if let Some(mode) = value("--mode") {
        machine.compute = mode.parse().unwrap();
    }
    if let Some(mode) = value("--nps") {
        machine.memory = mode.parse().unwrap();
    }
    if words.contains(&"--vm") {
        machine.platform = Platform::Passthrough;
    }
    machine
}

/// What the kernel shows on a machine.
pub fn view(machine: Machine) -> View {
    Kernel::new(machine).unwrap().view()
}

/// Renders a command line; `None` where the tool refuses it before any query is rendered.
pub fn run(view: &View, tool: ToolVersion, command: &str, root: bool) -> Option<Response> {
    let mut words = command.split_whitespace().peekable();
    let subcommand = words.next_if(|word| !word.starts_with('-')).unwrap_or("default");
    let mut flags: Vec<&str> = Vec::new();
    let mut targets: Vec<usize> = Vec::new();
    let mut format = Format::Human;
    while let Some(word) = words.next() {
        match word {
            "--json" => format = Format::Json,
            "--csv" => format = Format::Csv,
            "-g" if subcommand != "version" => {
                while let Some(index) = words.next_if(|word| !word.starts_with('-')) {
                    targets.push(index.parse().ok()?);
                }
            }
            flag => flags.push(flag),
        }
    }
    if targets.is_empty() {
        targets = (0..view.devices.len()).collect();
    }
    let has = |names: &[&str]| flags.iter().any(|flag| names.contains(flag));
    let ctx = Context { view, tool, format, targets: &targets, root, bugs: Bugs::default() };
    Some(match subcommand {
        "version" => version::render(
            &ctx,
            version::VersionArgs { gpu_driver: has(&["-g"]), cpu_driver: has(&["-c"]), nic_driver: has(&["-n"]) },
        ),
        "list" if has(&["-e"]) && tool.major == 24 => return None,
        "list" => list::render(&ctx, has(&["-e"])),
        "static" => static_::render(
            &ctx,
            static_::StaticSections {
                asic: has(&["-a", "--asic"]),
                bus: has(&["-b", "--bus"]),
                vbios: has(&["-V", "--vbios"]),
                driver: has(&["-d", "--driver"]),
                board: has(&["-B", "--board"]),
                vram: has(&["-v", "--vram"]),
                partition: has(&["-p", "--partition"]),
            },
        ),
        "metric" => metric::render(&ctx, metric::MetricSections { mem_usage: has(&["-m"]) }),
        "partition" if tool < ToolVersion::new(24, 7, 0) => return None,
        "partition" => partition::render(&ctx, has(&["-c"]), has(&["-m"]), has(&["-a"])),
        "default" if tool.major < 26 => return None,
        "default" => default_table::render(&ctx),
        other => panic!("{other}"),
    })
}

/// Addresses and UUIDs by their shape.
pub fn shape(text: &str) -> String {
    let part_of = |character: char| character.is_ascii_hexdigit() || ":.-".contains(character);
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(part_of) {
        let length = rest[start..].find(|character| !part_of(character)).unwrap_or(rest.len() - start);
        let word = &rest[start..start + length];
        let groups: Vec<usize> = word.split([':', '.', '-']).map(str::len).collect();
        out.push_str(&rest[..start]);
        out.push_str(match (groups.as_slice(), word.matches(':').count()) {
            ([domain, 2, 2, 1], 2) if *domain >= 4 => "<address>",
            ([8, 4, 4, 4, 12], 0) => "<uuid>",
            (_, _) => word,
        });
        rest = &rest[start + length..];
    }
    out + rest
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/amd-smi/synthetic")
}

#[test]
fn every_recorded_query_is_reproduced() {
    let index = fs::read_to_string(fixtures().join("INDEX.tsv")).unwrap();
    let mut score: BTreeMap<(ToolVersion, String), [usize; 3]> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in index.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, tool, tree, command, code, ..] = fields[..] else { panic!("{line}") };
        let tool: ToolVersion = tool.parse().unwrap();
        let command = command.strip_prefix("amd-smi").unwrap().trim();
        let view = view(reference(tree));
        let subcommand = command.split_whitespace().next().unwrap_or("default").to_owned();
        let tally = score.entry((tool, subcommand)).or_default();
        let Some(response) = run(&view, tool, command, true) else {
            tally[2] += 1;
            continue;
        };
        let expected = fs::read(fixtures().join(file)).unwrap();
        let text = |bytes: &[u8]| shape(std::str::from_utf8(bytes).unwrap());
        let same_code = format!("rc={}", response.code) == code;
        if same_code && response.stdout == expected {
            tally[0] += 1;
        } else if same_code && tool.major == 24 && text(&response.stdout) == text(&expected) {
            tally[1] += 1;
        } else {
            wrong.push(format!("{file}\n{}", String::from_utf8_lossy(&response.stdout)));
        }
    }
    for ((tool, subcommand), [same, shaped, refused]) in &score {
        println!("{tool} {subcommand}: {same} identical, {shaped} by shape, {refused} refused before rendering");
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_shape_hides_addresses_and_nothing_else() {
    assert_eq!(shape("\"bdf\": \"7f4:05:00.1\""), "\"bdf\": \"7f4:05:00.1\"");
    assert_eq!(shape("BDF: 10d72010dc01:66:01.5\n"), "BDF: <address>\n");
    assert_eq!(shape("x,ffff0000-0000-1000-80ff-ffffffffffff,196592"), "x,<uuid>,196592");
}

/// What a capture holds between two marks, line by line without trailing blanks, up to `lines` lines.
fn captured(file: &str, after: &str, lines: usize) -> Option<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/amd-smi-hardware").join(file);
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: {file} is not here");
        return None;
    };
    let start = text.find(after).unwrap() + after.len();
    Some(text[start..].lines().skip(1).take(lines).map(|line| line.trim_end().to_owned()).collect())
}

#[test]
fn unverified_dialects_agree_with_captures() {
    use ComputeMode::{Cpx, Spx};
    use MemoryMode::{Nps1, Nps4};
    // File, mark, lines to compare, part, compute, memory, GPUs, tool, command.
    let cases = [
        (
            "mi300a-24.7.1_rocm6.3.3-partition.txt",
            "$ amd-smi partition",
            99,
            "mi300a",
            Spx,
            Nps1,
            4,
            "24.7.1",
            "partition",
        ),
        (
            "mi300a-24.7.1_rocm6.3.3-static-partition.txt",
            "$ amd-smi",
            19,
            "mi300a",
            Spx,
            Nps1,
            4,
            "24.7.1",
            "static -p",
        ),
        (
            "mi300a_cpx_nps1-6.3_style-static-partition.txt",
            "$ amd-smi",
            119,
            "mi300a",
            Cpx,
            Nps1,
            4,
            "24.7.1",
            "static -p",
        ),
        ("mi300x-25.3.0-static-partition-cpx-nps4.txt", "$ amd-smi", 49, "mi300x", Cpx, Nps4, 8, "25.3.0", "static -p"),
        (
            "mi300x_cpx_nps1-6.4.0-partition-current.txt",
            "== 6.4.0 ==\n",
            11,
            "mi300x",
            Cpx,
            Nps1,
            8,
            "25.3.0",
            "partition -c",
        ),
    ];
    for (file, after, lines, part, compute, memory, gpus, tool, command) in cases {
        let Some(expected) = captured(file, after, lines) else { continue };
        let machine = Machine { gpus, compute, memory, ..preset::named(part).unwrap() };
        let view = view(machine);
        let response = run(&view, tool.parse().unwrap(), command, true).unwrap();
        let text = String::from_utf8(response.stdout).unwrap();
        let got: Vec<&str> = text.lines().map(str::trim_end).take(expected.len()).collect();
        assert_eq!(got, expected, "{file}");
    }
}

#[test]
fn a_mode_that_cannot_be_read_ends_the_partition_command() {
    let mut view = view(reference("--n 2"));
    let fail = |view: &mut View, gpu: usize| {
        view.gpus[gpu].partition.as_mut().unwrap().current_compute = Err(Errno::EIO);
    };
    let tool = ToolVersion::new(26, 2, 1);
    fail(&mut view, 1);
    let second = run(&view, tool, "partition -c --csv", true).unwrap();
    assert_eq!(second.code, 0);
    assert!(second.stdout.ends_with(b"1,NPS1,N/A,N/A,0\r\n\n"), "{second:?}");
    fail(&mut view, 0);
    let first = run(&view, tool, "partition -c --csv", true).unwrap();
    assert_eq!((first.code, first.stdout.as_slice()), (1, &b""[..]));
    assert!(first.stderr.ends_with(b"'partition_dict' where it is not associated with a value\n"));
    let read = run(&view, tool, "static -p --csv", true).unwrap();
    assert_eq!(read.code, 0);
    assert!(read.stdout.ends_with(b"0,N/A,NPS1,0\r\n1,N/A,NPS1,0\r\n\n"), "{read:?}");
}

#[test]
fn every_part_answers_every_query_in_every_dialect() {
    const COMMANDS: [&str; 9] = [
        "version",
        "list",
        "list -e",
        "static -p -v -b -B -a -d",
        "metric -m",
        "partition",
        "partition -a -g 0",
        "partition -c -m",
        "default",
    ];
    let mut answers = 0;
    // The reference machines are compared byte for byte above.
    for name in preset::names().into_iter().filter(|name| !name.starts_with("reference-")) {
        let machine = preset::named(name).unwrap();
        let modes = machine.model().unwrap().compute_modes();
        for &compute in modes.iter().chain(&[ComputeMode::Spx]) {
            let view = view(Machine { gpus: 2, compute, platform: Platform::Passthrough, ..machine.clone() });
            for dialect in &DIALECTS {
                for command in COMMANDS {
                    let Some(response) = run(&view, dialect.from, &format!("{command} --json"), true) else { continue };
                    assert_eq!(response.code, 0, "{name} {} {command}: {response:?}", dialect.from);
                    let text = String::from_utf8(response.stdout).unwrap();
                    let several = dialect.partition != PartitionCommand::Combined && command.starts_with("partition");
                    let text = if several { text.split("\n\nLegend").next().unwrap() } else { &text };
                    let documents: Vec<Value> =
                        Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().unwrap();
                    assert!(documents.len() == 1 || several, "{name} {} {command}: {text}", dialect.from);
                    answers += 1;
                }
            }
        }
    }
    println!("{answers} answers read as JSON");
}

#[test]
fn a_bug_switched_on_changes_what_it_is_about_and_nothing_else() {
    let view = view(reference("--mode CPX --nps NPS4 --n 1"));
    let targets = [0, 1];
    let print = |tool: &str, bugs: Bugs| {
        let ctx = Context {
            view: &view,
            tool: tool.parse().unwrap(),
            format: Format::Csv,
            targets: &targets,
            root: true,
            bugs,
        };
        let memory = metric::render(&ctx, metric::MetricSections { mem_usage: true }).stdout;
        let devices = list::render(&ctx, false).stdout;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().lines().nth(2).unwrap().to_owned();
        (text(memory), text(devices))
    };
    let off = Bugs::default();
    let (memory, device) = print("27.1.0", off);
    assert!(memory.starts_with("1,24574,N/A,") && device.contains("e30174a1"), "{memory} {device}");
    let (whole, _) = print("27.1.0", Bugs { whole_gpu_memory: true, ..off });
    assert!(whole.starts_with("1,196592,283,"), "{whole}");
    let (same, shared) = print("27.1.0", Bugs { uuid_shared: true, ..off });
    assert!(same == memory && shared.contains("e3ff74a1"), "{same} {shared}");
    assert!(print("24.7.0", off).0.starts_with("1,196592,283,"));
    assert!(print("24.7.0", Bugs { secondaries_na: true, ..off }).0.starts_with("1,24574,N/A,"));
}

#[test]
fn a_guest_without_the_profile_folder_has_a_mode_without_an_index() {
    let mut view = view(reference("--n 1 --vm"));
    let files = view.gpus[0].partition.as_mut().unwrap();
    files.profiles.clear();
    files.available_compute = Err(Errno::ENOENT);
    files.available_memory = Err(Errno::ENOENT);
    // What the real 26.2.1 and 27.1.0 printed with those files removed from the reference tree.
    for (tool, current) in [((26, 2, 1), "0,NPS1,N/A,4294967295,0"), ((27, 1, 0), "0,NPS1,SPX,4294967295,0")] {
        let tool = ToolVersion::new(tool.0, tool.1, tool.2);
        let text = String::from_utf8(run(&view, tool, "partition --csv", true).unwrap().stdout).unwrap();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with(['0', 'N'])).collect();
        let expected = [current, "0,N/A,NPS1", "0,N/A,N/A,N/A,0,N/A,N/A,N/A,N/A,N/A,N/A", "N/A,N/A,N/A,N/A"];
        assert_eq!(rows, expected, "{tool}");
    }
}
