//! Scenario files: what each mistake looks like to the person who made it, and what the lists multiply into.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use rocvet::domain::DeviceKind;
use rocvet::scenario::{Case, Origin, ProbeStep, Step, load, read};

/// A file that uses every table.
const WHOLE: &str = r#"title = "QPX is refused while a client holds the GPUs"
why = "a mode change under a running job would take its devices away"
source = "facts/partitions.md 5.2"
tags = ["set", "mi300x"]
level = "reconfigure"

[applies]
part = ["MI300X", "MI325X"]
gfx = "gfx94x"
amd-smi = ">=26, <28"
platform = "bare-metal"

[simulate]
machine = "mi300x"
compute = ["SPX", "CPX"]
memory = "NPS1"
gpus = 2
amd-smi = ["26.2.1", "27.1.0"]

[sweep]
target = ["DPX", "QPX"]

[observe]
ask = ["list"]
format = "json"

[[step]]
hold = true

[[step]]
set = { compute = "${target}", gpu = 0 }

[[step]]
run = ["static", "--vram"]

[[check]]
id = "set.refused"
status = "AMDSMI_STATUS_BUSY"

[[check]]
id = "partition.modes"
compute = "${target}"
expect = "unmet"
finding = "compute-mode"
"#;

fn cases_of(text: &str) -> Result<Vec<Case>, String> {
    let origin = Origin::Embedded("test/whole.toml".to_owned());
    read(text, "test/whole", &origin, &|_| Err("there is no such file".to_owned()))
        .map_err(|problems| problems.iter().map(|problem| problem.render(false)).collect::<Vec<_>>().join("\n\n"))
}

/// The whole file with one piece of it replaced.
fn with(from: &str, to: &str) -> String {
    assert!(WHOLE.contains(from), "{from:?} is not in the file");
    WHOLE.replacen(from, to, 1)
}

#[test]
fn lists_multiply_into_cases_in_the_order_of_the_file() {
    let cases = cases_of(WHOLE).unwrap();
    let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    insta::assert_snapshot!(ids.join("\n"), @r"
    test/whole::compute=SPX,amd-smi=26.2.1,target=DPX
    test/whole::compute=SPX,amd-smi=26.2.1,target=QPX
    test/whole::compute=SPX,amd-smi=27.1.0,target=DPX
    test/whole::compute=SPX,amd-smi=27.1.0,target=QPX
    test/whole::compute=CPX,amd-smi=26.2.1,target=DPX
    test/whole::compute=CPX,amd-smi=26.2.1,target=QPX
    test/whole::compute=CPX,amd-smi=27.1.0,target=DPX
    test/whole::compute=CPX,amd-smi=27.1.0,target=QPX
    ");
    let second = format!("{:?}\n{:?}\n{:?}", cases[1].simulate, cases[1].steps, cases[1].checks);
    insta::assert_snapshot!(second, @r#"
    Simulate { machine: Named("mi300x"), gpus: Some(2), platform: None, compute: Some(Spx), memory: Some(Nps1), caller: Root, amd_smi: ToolVersion { major: 26, minor: 2, patch: 1 }, busy: false, hives: None, alloc_mode: None, pages_limit: None, tuning: Tuning { kernel: None, in_tree: false, cmdline: "", modprobe: {}, written: {}, environ: {}, rocm: None, torch: None }, faults: [] }
    [Hold, Set(Compute { mode: Qpx, gpu: Some(0) }), Run(["static", "--vram"])]
    [Check { spec: SetRefused { status: Some("AMDSMI_STATUS_BUSY") }, expect: Met }, Check { spec: PartitionModes { compute: Some(Qpx), memory: None }, expect: Unmet { finding: "compute-mode" } }]
    "#);
}

#[test]
fn one_list_of_faults_is_one_machine_and_a_list_of_lists_is_several() {
    let ids = |faults: &str| -> Vec<String> {
        let text = with("gpus = 2", &format!("faults = {faults}")).replace("[\"SPX\", \"CPX\"]", "\"SPX\"");
        let text = text.replace("[\"26.2.1\", \"27.1.0\"]", "\"26.2.1\"").replace("[\"DPX\", \"QPX\"]", "[\"DPX\"]");
        cases_of(&text).unwrap().into_iter().map(|case| case.id).collect()
    };
    assert_eq!(ids("[\"compute=EBUSY\", \"memory=EIO\"]"), ["test/whole"]);
    assert_eq!(
        ids("[[\"compute=EBUSY\", \"memory=EIO\"], [\"after=2:compute=EIO\"], []]"),
        [
            "test/whole::faults=compute=EBUSY+memory=EIO",
            "test/whole::faults=after=2:compute=EIO",
            "test/whole::faults=none",
        ]
    );
}

#[test]
fn ten_thousand_cases_are_read_and_their_memory_is_bounded() {
    let values = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let text = with("target = [\"DPX\", \"QPX\"]", &format!("target = [\"DPX\"]\nn = [{}]", values(2500)))
        .replace("AMDSMI_STATUS_BUSY", "S${n}");
    assert_eq!(cases_of(&text).unwrap().len(), 10_000);
    let run = format!("run = [{}]", vec![format!("\"{}\"", "x".repeat(900)); 60].join(", "));
    let problem = cases_of(&text.replace("run = [\"static\", \"--vram\"]", &run)).unwrap_err();
    assert!(problem.contains("take more than 128 MiB"), "{problem}");
}

#[test]
fn an_axis_of_one_value_is_not_in_the_id() {
    let text = with("[\"SPX\", \"CPX\"]", "[\"SPX\"]").replace("[\"26.2.1\", \"27.1.0\"]", "\"26.2.1\"");
    let ids: Vec<String> = cases_of(&text).unwrap().into_iter().map(|case| case.id).collect();
    assert_eq!(ids, ["test/whole::target=DPX", "test/whole::target=QPX"]);
}

#[test]
fn a_sweep_keeps_the_type_of_its_values_and_is_text_inside_a_longer_string() {
    let text = with("target = [\"DPX\", \"QPX\"]", "target = [\"DPX\"]\nn = [0, 1]")
        .replace("gpu = 0", "gpu = \"${n}\"")
        .replace("AMDSMI_STATUS_BUSY", "S${n}");
    let cases = cases_of(&text).unwrap();
    assert_eq!(cases.len(), 8);
    let shown = format!("{:?} {:?}", cases[1].steps[1], cases[1].checks[0].spec);
    insta::assert_snapshot!(shown, @r#"Set(Compute { mode: Dpx, gpu: Some(1) }) SetRefused { status: Some("S1") }"#);
}

/// The file with a probe in the place of its last step.
fn probe(keys: &str) -> String {
    with("run = [\"static\", \"--vram\"]", &format!("probe = {{ {keys} }}"))
}

#[test]
fn a_probe_is_named_or_given_in_full_and_pins_solvers_by_their_variables() {
    let step = |keys: &str| {
        let case = cases_of(&probe(keys)).unwrap().remove(0);
        let Some(Step::Probe(step)) = case.steps.last() else { panic!("{:?}", case.steps) };
        step.clone()
    };
    let ids = |step: &ProbeStep| step.specs.iter().map(|spec| spec.id()).collect::<Vec<_>>();
    let named = step("name = \"conv-rocm-3951\"");
    assert_eq!(ids(&named).len(), 2);
    assert_eq!((named.on, named.processes, named.budget, named.deadline), (DeviceKind::Gpu, 1, None, None));
    let full = step(
        "work = \"matmul/_/8x16x8\", dtype = \"f16\", on = \"cpu\", repeats = 5, processes = 3, budget = \"30m\", \
         deadline = \"1500ms\", env = { HSA_ENABLE_SDMA = \"0\" }",
    );
    assert_eq!(ids(&full), ["matmul/f16/8x16x8"]);
    assert_eq!(
        (full.on, full.specs[0].repeats, full.processes, full.budget, full.deadline),
        (DeviceKind::Cpu, 5, 3, Some(1800), Some(Duration::from_millis(1500)))
    );
    assert_eq!(full.env, BTreeMap::from([("HSA_ENABLE_SDMA".to_owned(), "0".to_owned())]));
    let variables = |solver: &str| step(&format!("name = \"conv-1x1\", solver = \"{solver}\"")).env;
    assert!(variables("any").is_empty());
    let names: Vec<String> = variables("gemm").into_keys().collect();
    assert_eq!(
        names,
        [
            "MIOPEN_DEBUG_CONV_DIRECT",
            "MIOPEN_DEBUG_CONV_FFT",
            "MIOPEN_DEBUG_CONV_IMPLICIT_GEMM",
            "MIOPEN_DEBUG_CONV_WINOGRAD"
        ]
    );
    assert!(variables("gemm").values().all(|value| value == "0"));
    assert_eq!(variables("ConvOclBwdWrW53")["MIOPEN_DEBUG_FIND_ONLY_SOLVER"], "ConvOclBwdWrW53");
}

/// The file with a check of kernel parameters.
fn settings(demand: &str) -> String {
    format!("{WHOLE}\n[[check]]\nid = \"kernel.parameters\"\n{demand}\n")
}

/// Name of the snapshot, and the file.
fn broken() -> Vec<(&'static str, String)> {
    vec![
        ("unknown-key", with("title =", "titel =")),
        ("unknown-key-in-simulate", with("memory = \"NPS1\"", "memmory = \"NPS1\"")),
        ("unknown-parameter", with("status = \"AMDSMI", "state = \"AMDSMI")),
        ("parameter-of-another-check", with("status = \"AMDSMI_STATUS_BUSY\"", "per-gpu = 3")),
        ("unknown-check", with("id = \"set.refused\"", "id = \"set.refuse\"")),
        (
            "required-and-banned",
            settings("required = { noretry = 0, runpm = 0 }\nbanned = [\"mes\", \"amdgpu.noretry\"]"),
        ),
        (
            "required-and-banned-value",
            settings("required = { noretry = 0 }\nbanned = [\"noretry=1\", \"vm-fragment-size\", \"noretry=0\"]"),
        ),
        ("banned-twice", settings("banned = [\"runpm\", \"mes\", \"amdgpu.runpm=0\"]")),
        ("required-and-banned-in-another-spelling", settings("required = { noretry = 0 }\nbanned = [\"noretry=0x0\"]")),
        ("required-and-not-legal", settings("required = { vm_fragment_size = 12 }")),
        ("required-opposites", settings("required = { iommu = \"pt\", amd_iommu = \"fullflush,off\" }")),
        ("required-and-taken-back", settings("required = { iommu = \"pt,nopt\" }")),
        ("banned-words", settings("banned = [\"pci=noaer,realloc=off\"]")),
        ("required-twice", settings("required = { noretry = 0, \"amdgpu.noretry\" = 1 }")),
        ("unknown-parameter-of-the-kernel", settings("required = { no_retry = 0 }")),
        ("value-for-a-shell", settings("required = { noretry = \"0; reboot\" }")),
        ("demands-nothing", settings("banned = []")),
        ("tuning-of-an-unknown-key", with("gpus = 2", "gpus = 2\ntuning = { kernal = \"6.8.0\" }")),
        ("tuning-that-cannot-be", with("gpus = 2", "gpus = 2\ntuning = { modprobe = { \"etc/passwd\" = \"x\" } }")),
        ("check-without-id", with("id = \"set.refused\"", "expect = \"met\"")),
        ("unknown-mode", with("[\"SPX\", \"CPX\"]", "[\"SPX\", \"XPS\"]")),
        ("unknown-machine", with("\"mi300x\"\ncompute", "\"mi300\"\ncompute")),
        ("machine-leaves-the-folder", with("\"mi300x\"\ncompute", "\"../../etc/passwd\"\ncompute")),
        ("machine-is-absolute", with("\"mi300x\"\ncompute", "\"/etc/passwd\"\ncompute")),
        ("machine-file-is-absent", with("\"mi300x\"\ncompute", "\"own/machine.toml\"\ncompute")),
        ("no-version", with("amd-smi = [\"26.2.1\", \"27.1.0\"]\n", "")),
        ("bad-version", with("\"27.1.0\"", "\"27.1\"")),
        ("bad-range", with(">=26, <28", "~26")),
        ("wrong-type", with("gpus = 2", "gpus = \"two\"")),
        ("out-of-range", with("gpus = 2", "gpus = 9")),
        ("huge-integer", with("gpus = 2", "gpus = 99999999999999999999")),
        ("title-of-two-lines", with("\"QPX is", "\"QPX\\nis")),
        ("level-too-low", with("level = \"reconfigure\"", "level = \"observe\"")),
        ("level-left-out", with("level = \"reconfigure\"\n", "")),
        ("unknown-level", with("\"reconfigure\"", "\"reconfig\"")),
        ("step-of-two-kinds", with("hold = true", "hold = true\nreload = true")),
        ("step-that-is-empty", with("hold = true", "")),
        ("hold-that-is-false", with("hold = true", "hold = false")),
        ("release-without-hold", with("hold = true", "release = true")),
        ("set-of-both-modes", with("gpu = 0", "memory = \"NPS4\"")),
        ("confirm-of-compute", with("gpu = 0", "confirm = true")),
        ("run-that-changes-modes", with("level = \"reconfigure\"\n", "").replace("\"static\"", "\"set\"")),
        ("probe-of-no-name", probe("name = \"conv-bounds\"")),
        ("probe-of-no-work", probe("work = \"matmul/f32/8x16\"")),
        ("probe-of-both", probe("name = \"conv-boundary\", work = \"matmul/f32/8x16x8\"")),
        ("probe-of-nothing", probe("repeats = 3")),
        ("probe-in-another-format", probe("name = \"conv-boundary\", dtype = \"bf16\"")),
        ("probe-with-two-formats", probe("work = \"matmul/f32/8x16x8\", dtype = \"f16\"")),
        ("probe-with-an-unknown-key", probe("work = \"matmul/f32/8x16x8\", repeat = 3")),
        ("probe-elsewhere", probe("work = \"matmul/f32/8x16x8\", on = \"gpus\"")),
        ("probe-with-a-preload", probe("work = \"matmul/f32/8x16x8\", env = { LD_PRELOAD = \"/x.so\" }")),
        ("probe-without-last-words", probe("name = \"linear\", env = { AMD_LOG_LEVEL_FILE = \"/tmp/x\" }")),
        ("probe-with-a-variable-of-two-lines", probe("name = \"linear\", env = { HIP_X = \"a\\nb\" }")),
        ("probe-with-no-time", probe("name = \"linear\", deadline = \"soon\"")),
        ("probe-with-too-much-time", probe("name = \"linear\", budget = \"3 days\"")),
        ("probe-with-an-unknown-solver", probe("name = \"linear\", solver = \"winograt\"")),
        (
            "probe-with-a-solver-twice",
            probe("name = \"linear\", solver = \"gemm\", env = { MIOPEN_DEBUG_CONV_FFT = \"1\" }"),
        ),
        ("probe-level-too-low", probe("name = \"linear\"").replace("level = \"reconfigure\"", "level = \"observe\"")),
        ("run-that-writes-files", with("\"--vram\"", "\"--file=/etc/passwd\"")),
        ("unknown-sweep", with("gpu = 0", "gpu = \"${tarjet}\"")),
        ("sweep-that-nobody-uses", with("target =", "other = [1, 2]\ntarget =")),
        ("sweep-of-a-key-with-a-place", with("target = [\"DPX\", \"QPX\"]", "target = [\"DPX\"]\ncaller = [\"root\"]")),
        ("sweep-not-closed", with("\"${target}\", gpu", "\"${target\", gpu")),
        ("value-twice", with("\"DPX\", \"QPX\"", "\"DPX\", \"DPX\"")),
        ("empty-list", with("[\"DPX\", \"QPX\"]", "[]")),
        ("unknown-fault", with("gpus = 2", "faults = [\"compute=EBUZY\"]")),
        ("fault-without-a-list", with("gpus = 2", "faults = \"compute=EBUSY\"")),
        ("faults-of-two-shapes", with("gpus = 2", "faults = [[\"compute=EBUSY\"], \"memory=EIO\"]")),
        ("machine-that-cannot-be", with("\"SPX\", \"CPX\"", "\"SPX\", \"TPX\"")),
        ("wrong-in-one-case-only", with("\"DPX\", \"QPX\"", "\"DPX\", \"NPS4\"")),
        ("unmet-without-finding", with("finding = \"compute-mode\"\n", "")),
        ("finding-without-unmet", with("expect = \"unmet\"\n", "")),
        ("unknown-expectation", with("\"unmet\"", "\"fail\"")),
        ("no-checks", WHOLE.split("[[check]]").next().unwrap().to_owned()),
        ("check-is-a-table", with("[[check]]\nid = \"set.refused\"", "[check]\nid = \"set.refused\"")),
        ("bad-pattern", with("\"gfx94x\"", "\"gfx9[\"")),
        ("applies-to-nothing", with("\"gfx94x\"", "[]")),
        ("bad-tag", with("\"set\", \"mi300x\"", "\"Set\", \"mi300x\", \"mi300x\"")),
        (
            "several-problems",
            with("title =", "titel =").replace("gpus = 2", "gpus = 0").replace("\"list\"", "\"lists\""),
        ),
        ("truncated", WHOLE[..WHOLE.find("gpu = 0").unwrap()].to_owned()),
        ("key-twice", with("gpus = 2", "gpus = 2\ngpus = 3")),
        ("not-toml", "{\"title\": 1}".to_owned()),
        ("empty", String::new()),
        ("nested-deeply", format!("title = {}1{}", "[".repeat(1000), "]".repeat(1000))),
        (
            "too-many-cases",
            with("\"DPX\", \"QPX\"", &(0..3000).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")),
        ),
        ("long-line", with("gpus = 2", &format!("gpus = \"{}\"", "x".repeat(5000)))),
        (
            "many-problems",
            format!("{WHOLE}\n[zzz]\n").replace(
                "[applies]\n",
                &format!("[applies]\n{}", (0..100).map(|n| format!("a{n} = 1\n")).collect::<String>()),
            ),
        ),
    ]
}

#[test]
fn every_mistake_is_shown_with_its_line_and_what_would_be_right() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/scenario-errors");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, text) in broken() {
        let rendered = match cases_of(&text) {
            Ok(cases) => panic!("{name}: read as {} cases", cases.len()),
            Err(rendered) => rendered,
        };
        assert!(rendered.starts_with("error: "), "{name}: {rendered}");
        settings.bind(|| insta::assert_snapshot!(name, rendered));
    }
}

/// Files of nearly the size limit, each large in another way. Any step that is quadratic in one of them is felt here.
#[test]
fn files_that_are_large_in_any_way_are_refused() {
    let many = |line: &dyn Fn(usize) -> String| (0..40_000).map(line).collect::<String>();
    for text in [
        many(&|n| format!("key{n} = {n}\n")),
        many(&|_| "[[check]]\n".to_owned()),
        format!("{WHOLE}{}", many(&|_| "[[step]]\nhold=true\n".to_owned())),
        with("target =", &format!("{}target =", many(&|n| format!("s{n} = [{n}]\n")))),
        with("\"DPX\", \"QPX\"", &many(&|n| format!("{n},"))),
        with("gpus = 2", &format!("faults = [[{}]]", many(&|_| "\"compute=EIO\",".to_owned()))),
        with("\"list\"", &many(&|_| "\"list\",".to_owned())).replace("title", "titel"),
        with("AMDSMI_STATUS_BUSY", &many(&|_| "${target}".to_owned())),
        with("AMDSMI_STATUS_BUSY", &many(&|_| "${other}".to_owned())),
        many(&|_| "= =\n".to_owned()),
        "\n".repeat(1_000_000),
        format!("a = \"{}", "x".repeat(1_000_000)),
    ] {
        let problem = cases_of(&text).unwrap_err();
        assert!(problem.len() < 20_000, "{}", problem.len());
    }
}

#[test]
fn a_file_over_the_size_limit_is_refused_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.toml");
    // Sparse: 100 MB that nobody wrote.
    std::fs::File::create(&path).unwrap().set_len(100_000_000).unwrap();
    let error = load(&[path]).unwrap_err();
    assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
}

/// A folder of files, by path and text.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn a_folder_gives_its_scenarios_once_each_and_not_its_machines() {
    let folder = folder(&[
        ("b/two.toml", WHOLE),
        ("a/one.toml", WHOLE),
        ("machines/own.toml", "not a scenario"),
        (".hidden.toml", "not a scenario"),
        ("README.md", "not a scenario"),
    ]);
    let root = folder.path().to_owned();
    let cases = load(&[root.clone(), root.join("a/one.toml")]).unwrap();
    let mut ids: Vec<&str> = cases.iter().map(|case| case.scenario.id.as_str()).collect();
    ids.dedup();
    assert_eq!(ids, ["a/one", "b/two"]);
}

#[test]
fn two_files_with_one_id_are_an_error_that_names_both() {
    let one = folder(&[("x.toml", WHOLE)]);
    let two = folder(&[("x.toml", WHOLE)]);
    let error = load(&[one.path().to_owned(), two.path().to_owned()]).unwrap_err().to_string();
    assert!(
        error.contains("the id `x` is also that of") && error.contains(&one.path().display().to_string()),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_the_folder_only() {
    let outside = folder(&[("secret.toml", "password = 1")]);
    let inside = folder(&[("a.toml", WHOLE)]);
    std::os::unix::fs::symlink("a.toml", inside.path().join("b.toml")).unwrap();
    assert!(load(&[inside.path().to_owned()]).is_ok());
    std::os::unix::fs::symlink(outside.path().join("secret.toml"), inside.path().join("c.toml")).unwrap();
    let error = load(&[inside.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("a link that leads out of the folder") && !error.contains("password"), "{error}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = folder(&[("a b.toml", WHOLE)]);
    std::fs::write(folder.path().join("bytes.toml"), b"title = 1\n\xff\n").unwrap();
    let paths = [folder.path().to_owned(), PathBuf::from("/no/such/path"), PathBuf::from("/dev/null")];
    let error = load(&paths).unwrap_err().to_string();
    for part in ["cannot be an id", "line 2 is not UTF-8", "/no/such/path", "neither a file nor a folder"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn the_embedded_scenarios_are_read() {
    if let Err(error) = load(&[]) {
        panic!("{error}");
    }
}

/// What the schema says about a file; `None` when it is fine.
fn schema_problem(text: &str) -> Option<String> {
    let schema = serde_json::to_value(rocvet::scenario::schema()).unwrap();
    let document = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap().validate(&document).err().map(|error| error.to_string())
}

#[test]
fn the_schema_admits_what_the_reader_admits() {
    assert_eq!(schema_problem(WHOLE), None);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    for entry in walkdir::WalkDir::new(folder).into_iter().filter_entry(|entry| entry.file_name() != "machines") {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|extension| extension == "toml") {
            let problem = schema_problem(&std::fs::read_to_string(entry.path()).unwrap());
            assert_eq!(problem, None, "{}", entry.path().display());
        }
    }
}

#[test]
fn the_schema_refuses_what_an_editor_can_see() {
    for (from, to) in [
        ("title =", "titel ="),
        ("memory = \"NPS1\"", "memmory = \"NPS1\""),
        ("[\"SPX\", \"CPX\"]", "[\"SPX\", \"XPS\"]"),
        ("id = \"set.refused\"", "id = \"set.refuse\""),
        ("status = \"AMDSMI", "count = \"AMDSMI"),
        ("hold = true", "hold = true\nreload = true"),
        ("target = [\"DPX\", \"QPX\"]", "target = [[]]"),
        ("\"reconfigure\"", "\"reconfig\""),
        ("expect = \"unmet\"", "expect = \"fail\""),
    ] {
        assert!(schema_problem(&with(from, to)).is_some(), "{to}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(text in any::<String>()) {
        let _ = cases_of(&text);
    }

    #[test]
    fn no_mutation_of_a_good_file_breaks_the_reader(
        at in 0..WHOLE.len(), length in 0_usize..40, insert in "[\\[\\]{}=\"$\\n.0-9a-z, é-]{0,8}",
    ) {
        let mut text = WHOLE.to_owned();
        let end = (at + length).min(text.len());
        text.replace_range(at..end, &insert);
        let _ = cases_of(&text);
    }
}
