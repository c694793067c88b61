//! `validate partition plan --model`, `place`, `release` and `usage`.

use std::fs;
use std::process::Child;

use serde_json::Value;

use super::support::{Bench, Done, snapshot, steady};

const LLAMA: &str = "meta-llama/Llama-3.1-8B-Instruct";

/// One MI300X in CPX/NPS4, in `sim`: room for eight models of 8 billion parameters.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4", "--caller", "root"]);
    bench
}

fn partition(bench: &Bench, args: &[&str]) -> Done {
    bench.run(&[&["partition"], args].concat())
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.told()))
}

fn llama_config() -> Value {
    serde_json::json!({
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    })
}

#[test]
fn a_plan_says_which_modes_hold_a_model_and_what_to_use() {
    let bench = bench();
    let args = ["plan", "--model", LLAMA, "--dtype", "fp16", "--max-model-len", "8192", "--host", "sim"];
    let done = partition(&bench, &[&args[..], &["--env-prefix", "AIM"]].concat());
    assert_eq!(done.code, 0, "{}", done.told());
    snapshot("partition-plan-model", &steady(&done.stdout, &bench));
    let plan = json(&partition(&bench, &[&args[..], &["--format", "json"]].concat()));
    assert_eq!((&plan["schema"], &plan["provenance"]), (&1.into(), &"simulated".into()));
    assert_eq!(
        plan["modes"][0]["each"],
        serde_json::json!([{"count": 6, "size": 25_769_803_776_u64}, {"count": 2, "size": 25_761_415_168_u64}])
    );
    assert_eq!(plan["placed"][0]["recipe"]["env"], serde_json::json!([{"name": "ROCR_VISIBLE_DEVICES", "value": "6"}]));
}

#[test]
fn a_model_that_fits_nowhere_ends_with_1_and_the_bytes_that_it_lacks() {
    let bench = bench();
    let model = "meta-llama/Llama-3.1-405B";
    let done = partition(&bench, &["plan", "--model", model, "--host", "sim"]);
    assert_eq!(done.code, 1, "{}", done.told());
    // 811706777600 of weights, 2 GiB of reserve and 8192 x 516096 of cache, in 0.92 of 206141652992 bytes.
    let lacks = 811_706_777_600_u64 + (2 << 30) + 8192 * 516_096 * 2 - 189_650_320_753;
    let lacks = lacks - 8192 * 516_096;
    assert!(done.stdout.contains(&format!("{model} lacks {lacks} bytes")), "{lacks}: {}", done.stdout);
    let elsewhere = partition(&bench, &["plan", "--model", "meta-llama/Llama-3.1-70B", "--host", "sim"]);
    assert_eq!(elsewhere.code, 0, "{}", elsewhere.told());
    assert!(elsewhere.stdout.contains("validate partition plan --compute SPX --memory NPS1"), "{}", elsewhere.stdout);
}

#[test]
fn several_models_get_devices_without_overcommit() {
    let bench = bench();
    let models = ["--model", "Qwen/Qwen2.5-0.5B x 12", "--model", "Qwen/Qwen2.5-14B,dtype=int8,max-model-len=4096 x 2"];
    let plan = json(&partition(&bench, &[&["plan", "--host", "sim", "--format", "json"], &models[..]].concat()));
    assert_eq!(plan["placed"].as_array().map(Vec::len), Some(14), "{plan}");
    let mut on: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for each in plan["placed"].as_array().unwrap() {
        *on.entry(each["device"].as_str().unwrap()).or_default() += each["budget"].as_u64().unwrap();
    }
    assert_eq!(on.len(), 8, "every device is used: {on:?}");
    assert!(on.values().all(|&given| given <= 23_708_219_474), "{on:?}");
}

#[test]
fn a_model_is_known_by_name_by_its_numbers_or_by_its_configuration() {
    let bench = bench();
    bench.write("my model/config.json", llama_config().to_string());
    let numbers = ["--params", "8030261248", "--layers", "32", "--kv-heads", "8", "--head-dim", "128"];
    let total = |args: &[&str]| {
        let plan = json(&partition(&bench, &[&["plan", "--host", "sim", "--format", "json"], args].concat()));
        (plan["models"][0]["total"].as_u64().unwrap(), plan["models"][0]["known"]["from"].clone())
    };
    let expected = total(&["--model", LLAMA]).0;
    assert_eq!(total(&numbers), (expected, "command-line".into()));
    assert_eq!(total(&[&["--model", "own/name"], &numbers[..]].concat()), (expected, "command-line".into()));
    for path in ["my model/config.json", "my model"] {
        assert_eq!(total(&["--model", path]), (expected, "config".into()), "{path}");
    }
    let told = partition(&bench, &["plan", "--host", "sim", "--model", "my model"]).stdout;
    assert!(told.contains("vllm serve 'my model' --dtype"), "{told}");
    assert!(told.contains("8030261248 parameters, computed from its config.json"), "{told}");
}

#[test]
fn what_cannot_be_planned_is_refused_with_the_reason() {
    let bench = bench();
    bench.write("bad/config.json", "{\"num_attention_heads\": \"many\"}");
    bench.write("huge/config.json", vec![b' '; (1 << 20) + 1]);
    bench.write("other/config.json", llama_config().to_string().replace("\"llama\"", "\"deepseek_v3\""));
    rustix::fs::mkfifoat(rustix::fs::CWD, bench.path("pipe.json"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    for (args, told) in [
        (&["--model", "meta-llama/Llama-3.1-9B"][..], "nearest: meta-llama/Llama-3.1-8B"),
        (&["--model", "no/such.json"], "no/such.json"),
        (&["--model", "bad"], "bad/config.json: key `num_attention_heads`: \"\\\"many\\\"\" is not"),
        (&["--model", "huge"], "larger than the limit"),
        (&["--model", "other"], "type \"deepseek_v3\" cannot be computed here"),
        (&["--model", "pipe.json"], "not a regular file"),
        (&["--model", "other", "--params", "5", "--layers", "3"], "leave them out"),
        (&["--params", "7000000000"], "needs --params, --layers"),
        (&["--model", "a", "--model", "b", "--params", "7"], "describe one model"),
        (&["--model", LLAMA, "--compute", "CPX"], "cannot be used with"),
        (&["--model", LLAMA, "--dtype", "fp12"], "not one of fp32"),
        (&["--model", LLAMA, "--gpu-memory-utilization", "92"], "fraction"),
        (&["--model", LLAMA, "--env-prefix", "A B"], "cannot begin the name"),
        (&["--model", LLAMA, "--by", "uuid"], "before ROCm"),
        (&["--model", LLAMA, "--gpu", "3"], "no GPU 3"),
        (
            &[
                "--model",
                "Qwen/Qwen2.5-0.5B x 1000",
                "--model",
                "Qwen/Qwen2.5-0.5B x 1024",
                "--model",
                "Qwen/Qwen2.5-0.5B x 1024",
                "--model",
                "Qwen/Qwen2.5-0.5B x 1024",
                "--model",
                "Qwen/Qwen2.5-0.5B x 1024",
            ],
            "more than 4096",
        ),
    ] {
        let done = partition(&bench, &[&["plan", "--host", "sim"], args].concat());
        assert_eq!(done.code, 64, "{args:?}: {}", done.told());
        assert!(done.stderr.contains(told), "{args:?}: {}", done.told());
    }
}

#[test]
fn what_is_placed_is_held_and_what_is_released_is_left() {
    let bench = bench();
    let done = partition(&bench, &["place", "--model", LLAMA, "--dtype", "fp16", "--host", "sim"]);
    assert_eq!(done.code, 0, "{}", done.told());
    snapshot("partition-place", &steady(&done.stdout, &bench));
    let second = partition(&bench, &["place", "--model", "Qwen/Qwen2.5-0.5B x 9", "--host", "sim", "--format", "json"]);
    let numbers: Vec<_> =
        json(&second)["placed"].as_array().unwrap().iter().map(|each| each["number"].clone()).collect();
    assert_eq!(numbers, (2..11).map(Value::from).collect::<Vec<_>>());
    let usage = partition(&bench, &["usage", "--host", "sim"]);
    assert_eq!(usage.code, 1, "nothing runs where models are placed: {}", usage.told());
    snapshot("partition-usage", &steady(&usage.stdout, &bench));

    let refused = partition(&bench, &["place", "--model", &format!("{LLAMA} x 8"), "--host", "sim"]);
    assert_eq!(refused.code, 1, "{}", refused.told());
    snapshot("partition-place-refused", &steady(&refused.stdout, &bench));
    assert_eq!(partition(&bench, &["release", "1", "2", "--host", "sim"]).code, 0);
    let again = partition(&bench, &["release", "1", "--host", "sim"]);
    assert_eq!(again.code, 64);
    assert!(again.stderr.contains("nothing is placed under the number 1"), "{}", again.stderr);
    let all = partition(&bench, &["release", "--all", "--host", "sim"]);
    assert_eq!((all.code, all.stdout.lines().count()), (0, 8), "{}", all.told());
    assert_eq!(partition(&bench, &["usage", "--host", "sim"]).code, 0, "an idle machine with nothing placed agrees");
}

#[test]
fn usage_sees_what_runs_beside_the_ledger() {
    let bench = bench();
    rocvet::host::simulated::hold(&bench.path("sim"), true).unwrap();
    let done = partition(&bench, &["usage", "--host", "sim", "--format", "json"]);
    assert_eq!(done.code, 1, "{}", done.told());
    let usage = json(&done);
    let differences = usage["differences"].as_array().unwrap();
    assert!(differences.iter().any(|each| each.as_str().unwrap().contains("in use beyond the 0 bytes")), "{usage}");
    assert!(usage["devices"].as_array().unwrap().iter().any(|row| row["holders"][0]["pid"].is_u64()), "{usage}");
}

#[test]
fn a_changed_mode_or_boot_is_refused_until_the_models_are_released() {
    let bench = bench();
    let place = || partition(&bench, &["place", "--model", "Qwen/Qwen2.5-0.5B", "--host", "sim"]);
    assert_eq!(place().code, 0);
    let boot = bench.path("sim/proc/sys/kernel/random/boot_id");
    let before = fs::read(&boot).unwrap();
    fs::remove_file(&boot).unwrap();
    fs::write(&boot, "00000000-0000-0000-0000-000000000000\n").unwrap();
    for (command, told) in
        [(place(), "it was booted since"), (partition(&bench, &["usage", "--host", "sim"]), "it was booted since")]
    {
        assert_eq!(command.code, 1, "{}", command.told());
        assert!(command.stdout.contains(told) && command.stdout.contains("release --all"), "{}", command.told());
    }
    fs::write(&boot, before).unwrap();
    assert_eq!(place().code, 0);
    let path = format!("{}:/usr/bin:/bin", bench.path("sim/bin").display());
    let mut tool = std::process::Command::new("amd-smi");
    tool.args(["set", "-g", "0", "-C", "QPX"]).env("PATH", &path);
    assert_eq!(Done::of(&mut tool).code, 0);
    let changed = place();
    assert_eq!(changed.code, 1, "{}", changed.told());
    assert!(changed.stdout.contains("was CPX/NPS4 with 24576 MiB and is QPX/NPS4"), "{}", changed.stdout);
    assert_eq!(partition(&bench, &["release", "--all", "--host", "sim"]).code, 0);
    assert_eq!(place().code, 0);
}

#[test]
fn a_machine_made_anew_has_an_empty_ledger() {
    let bench = bench();
    assert_eq!(partition(&bench, &["place", "--model", LLAMA, "--host", "sim"]).code, 0);
    bench.must(&["shim", "sim", "--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4"]);
    let released = partition(&bench, &["release", "--all", "--host", "sim"]);
    assert_eq!((released.code, released.stdout.as_str()), (0, "nothing is placed on this machine\n"));
}

#[test]
fn devices_that_cannot_be_read_are_no_answer() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi300x", "--fault", "kfd_missing"]);
    for args in [&["plan", "--model", LLAMA][..], &["place", "--model", LLAMA], &["usage"]] {
        let done = partition(&bench, &[args, &["--host", "sim"]].concat());
        assert_eq!(done.code, 69, "{args:?}: {}", done.told());
        assert!(done.stderr.contains("KFD topology") && done.stderr.contains("validate doctor"), "{}", done.stderr);
    }
}

#[test]
fn programs_that_place_at_once_never_overcommit() {
    let bench = bench();
    let start = |at: usize| -> Child {
        let mut command = bench.command(&["partition", "place", "--model", LLAMA, "--host", "sim"]);
        let out = fs::File::create(bench.path(&format!("out{at}"))).unwrap();
        command.stdout(out).spawn().unwrap()
    };
    let children: Vec<Child> = (0..14).map(start).collect();
    let codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
    let placed = codes.iter().filter(|&&code| code == 0).count();
    assert_eq!((placed, codes.iter().filter(|&&code| code == 1).count()), (8, 6), "{codes:?}");
    let ledger: Value = serde_json::from_slice(&fs::read(bench.path("sim/partition/ledger.json")).unwrap()).unwrap();
    let mut devices: Vec<_> =
        ledger["held"].as_array().unwrap().iter().map(|held| held["device"].to_string()).collect();
    devices.sort();
    devices.dedup();
    assert_eq!(devices.len(), 8, "one on each device: {ledger}");
}

#[test]
fn a_program_that_is_killed_while_it_places_leaves_a_ledger_that_reads() {
    let bench = bench();
    let mut chance = fastrand::Rng::with_seed(3);
    for _ in 0..20 {
        let mut command = bench.command(&["partition", "place", "--model", "Qwen/Qwen2.5-0.5B", "--host", "sim"]);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(chance.u64(0..40_000)));
        let _ = child.kill();
        child.wait().unwrap();
        let usage = partition(&bench, &["usage", "--host", "sim"]);
        assert!([0, 1].contains(&usage.code), "{}", usage.told());
    }
    assert_eq!(partition(&bench, &["place", "--model", "Qwen/Qwen2.5-0.5B", "--host", "sim"]).code, 0);
}

#[test]
fn a_ledger_that_cannot_be_trusted_is_named_and_left_alone() {
    let bench = bench();
    assert_eq!(partition(&bench, &["place", "--model", LLAMA, "--host", "sim"]).code, 0);
    let path = bench.path("sim/partition/ledger.json");
    let good = fs::read_to_string(&path).unwrap();
    for (text, told) in [
        (good.replace("\"schema\": 1", "\"schema\": 2"), "version 2 is not one that this program reads"),
        (good.replace("0000:05:00.6\",\n      \"share", "0000:99:00.6\",\n      \"share"), "which is no device"),
        (good.replace("meta-llama", "\\u001b[31m"), "control characters"),
        (String::new(), "EOF"),
    ] {
        assert_ne!(text, good, "{told}");
        fs::write(&path, &text).unwrap();
        for args in [&["place", "--model", LLAMA][..], &["usage"], &["release", "--all"]] {
            let done = partition(&bench, &[args, &["--host", "sim"]].concat());
            assert_eq!(done.code, 69, "{args:?}: {}", done.told());
            assert!(done.stderr.contains(told) && done.stderr.contains("sim/partition/ledger.json"), "{}", done.told());
            assert!(!done.told().contains('\u{1b}'));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn auto_takes_hardware_where_it_can_be_queried_else_a_simulated_machine_and_says_which() {
    let bench = Bench::new();
    let args = ["plan", "--model", "Qwen/Qwen2.5-0.5B", "--host", "auto", "--format", "json"];
    let done = partition(&bench, &args);
    assert_eq!(done.code, 0, "{}", done.told());
    let plan = json(&done);
    let machine = plan["machine"].as_str().unwrap();
    // Where these tests run there is a GPU or there is none.
    match plan["provenance"].as_str().unwrap() {
        "hardware" => assert!(machine.starts_with("this machine (hardware); this machine can be queried"), "{machine}"),
        _ => {
            assert!(
                machine.starts_with("a simulated machine: simulated mi300x (1 GPU); this machine cannot"),
                "{machine}"
            );
            let shown = partition(&bench, &["show", "--host", "auto"]);
            assert_eq!(shown.code, 0, "{}", shown.told());
            assert!(shown.stdout.contains("a simulated machine: simulated mi300x"), "{}", shown.stdout);
            let place = partition(&bench, &["place", "--model", "Qwen/Qwen2.5-0.5B", "--host", "auto"]);
            assert_eq!(place.code, 69, "nothing is placed on what is not there: {}", place.told());
        }
    }
}

#[test]
fn nothing_is_written_into_a_recording() {
    let bench = bench();
    bench.must(&["record", "rec", "--host", "sim"]);
    let place = ["place", "--model", LLAMA, "--host", "rec"];
    let done = partition(&bench, &place);
    assert_eq!(done.code, 64, "{}", done.told());
    assert!(done.stderr.contains("--state DIR names another folder"), "{}", done.stderr);
    let done = partition(&bench, &[&place[..], &["--state", "books"]].concat());
    assert_eq!(done.code, 0, "{}", done.told());
    assert!(done.stdout.contains("a recorded machine"), "{}", done.stdout);
    assert!(bench.path("books/ledger.json").exists() && !bench.path("rec/partition").exists());
}

#[test]
fn help_has_examples_that_are_read_and_exit_codes() {
    let bench = Bench::new();
    for command in ["plan", "place", "release", "usage"] {
        let help = bench.must(&["partition", command, "--help"]);
        assert!(help.contains("Exit codes:") && help.contains("Examples:"), "{help}");
        snapshot(&format!("help-partition-{command}"), &help);
        for example in help.lines().filter_map(|line| line.trim().strip_prefix("validate ")) {
            let line = example.split("   ").next().unwrap().split(" | ").next().unwrap();
            let words = shlex::split(line).unwrap();
            let words: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
            assert_eq!(bench.run(&words).code, 0, "{words:?}");
        }
    }
}
