//! `validate matrix`: a sweep is planned, run, cut off and shown.

use std::fs;
use std::path::Path;

use rocvet::domain::Status;
use rocvet::matrix::record::MatrixRecord;
use rocvet::sim::fault::ProbeFault;

use super::support::{Bench, COPY, partitions, simulated, spawn, until};

const CONV: &str = "conv2d/f32/1x4x8x8/4x3x3/s1p1d1g1/forward";
const SUM: &str = "reduce-sum/f32/64/all";

fn record(run: &Path) -> MatrixRecord {
    MatrixRecord::read(&fs::read(run.join("matrix.json")).unwrap()).unwrap().value
}

#[test]
fn a_sweep_counts_k_of_n_in_every_setting_and_shows_the_grid() {
    let (_memory, bench, host) =
        simulated(&["probe=hip_queue_abort_aperture@op=conv*,env.MIOPEN_FIND_MODE=", "probe=zeros@op=reduce*,every=2"]);
    let args = [
        "matrix",
        "run",
        "--host",
        &host,
        "--probe",
        CONV,
        "--probe",
        SUM,
        "--find-modes",
        "--repeat",
        "2",
        "--results",
        "r",
    ];
    let done = bench.run(&args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let run = bench.only_run("r");
    let record = record(&run);
    // Four settings of the convolution: one of the find modes is the default. To a sum a find mode says nothing.
    assert_eq!(record.cells.len(), 5);
    assert!(done.stderr.contains("find=DYNAMIC_HYBRID is the same as none here: it makes no cells"), "{}", done.stderr);
    let at = |probe: &str, setting: &str| {
        record.cells.iter().find(|cell| cell.probe == probe && cell.setting == setting).unwrap()
    };
    assert_eq!(at(CONV, "none").passed(), 0);
    assert_eq!(at(CONV, "none").runs[0].signatures, ["hip_queue_abort_aperture"]);
    assert_eq!(at(CONV, "find=FAST").passed(), 2);
    assert_eq!(at(SUM, "none").status(), Some(Status::Flaky));
    assert_eq!(at(CONV, "none").device.native_isa.as_deref(), Some("gfx1010"));
    // What may be worse runs later: of sums errors are reported on this chip, of convolutions nothing bad.
    assert_eq!(record.cells.last().unwrap().probe, SUM);
    let shown = bench.must(&["matrix", "show", &run.display().to_string()]);
    assert!(
        shown.contains("X 0/2 aperture-violation") && shown.contains("~ 1/2") && shown.contains("SIMULATED"),
        "{shown}"
    );
}

#[test]
fn memory_in_a_cell_is_judged_by_what_the_machine_shows() {
    let (_memory, bench, host) = partitions(&["probe=whole_gpu_total"]);
    bench.must(&["matrix", "run", "--host", &host, "--probe", COPY, "--repeat", "2", "--results", "r"]);
    let cells = record(&bench.only_run("r")).cells;
    assert_eq!(cells[0].status(), Some(Status::Fail), "{cells:?}");
    let evidence = cells[0].runs[0].evidence.join("\n");
    assert!(evidence.contains("the runtime reports 196592 MiB where the machine gives"), "{evidence}");
}

#[test]
fn a_dry_run_says_what_would_run_and_runs_nothing() {
    let (_memory, bench, host) = simulated(&[]);
    let spoofed = ["--env", "HSA_OVERRIDE_GFX_VERSION=11.0.0"];
    let told = bench.must(&[&["matrix", "run", "--host", &host, "--families", "--dry-run"], &spoofed[..]].concat());
    for part in ["conv-", "conv2d/f16/1x16x44x44", "family=GEMM", "resets the GPU (like r1-13)", "nothing was run"] {
        assert!(part == "conv-" || told.contains(part), "{part}: {told}");
    }
    assert!(!Path::new(&host).join("probe-starts").exists());
    assert!(!bench.path("results").exists());
}

#[test]
fn a_matrix_that_was_killed_goes_on_and_repeats_nothing_that_ended() {
    let (_memory, bench, host) = simulated(&["probe=hang@start=3"]);
    let sizes: Vec<String> = (1..=5).map(|n| format!("--probe reduce-sum/f32/{n}/all")).collect();
    let args = format!("matrix run --host {host} {} --repeat 1 --results r", sizes.join(" "));
    let mut child = spawn(&bench, &args);
    let starts = || fs::read(Path::new(&host).join("probe-starts")).map_or(0, |bytes| bytes.len());
    until(|| starts() == 3);
    child.kill().unwrap();
    child.wait().unwrap();
    let run = bench.only_run("r");
    let shown = bench.run(&["matrix", "show", &run.display().to_string()]);
    assert!(shown.code == 64 && shown.stderr.contains("--resume"), "{}", shown.stderr);
    bench.must(&["matrix", "run", "--resume", &run.display().to_string()]);
    // Two had ended, the third is run again, and the fourth and fifth.
    assert_eq!(starts(), 6);
    let cells = record(&run).cells;
    assert_eq!(cells.iter().map(|cell| cell.passed()).collect::<Vec<_>>(), [1; 5]);
}

#[test]
fn a_cell_that_took_the_machine_down_is_not_run_again() {
    let (_memory, bench, host) = simulated(&["probe=hang@start=2"]);
    let args = format!(
        "matrix run --host {host} --probe reduce-sum/f32/1/all --probe reduce-sum/f32/2/all --repeat 1 --results r"
    );
    let mut child = spawn(&bench, &args);
    let starts = || fs::read(Path::new(&host).join("probe-starts")).map_or(0, |bytes| bytes.len());
    until(|| starts() == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let boot = Path::new(&host).join("proc/sys/kernel/random/boot_id");
    fs::remove_file(&boot).unwrap();
    fs::write(boot, "another-boot\n").unwrap();
    let run = bench.only_run("r");
    bench.must(&["matrix", "run", "--resume", &run.display().to_string()]);
    assert_eq!(starts(), 2);
    let statuses: Vec<_> = record(&run).cells.iter().map(|cell| cell.status().unwrap()).collect();
    assert_eq!(statuses, [Status::Pass, Status::MachineHang]);
}

#[test]
fn a_gpu_that_is_lost_stops_the_sweep_and_says_how_to_go_on() {
    let (_memory, bench, host) = simulated(&["probe=k_device_lost@start=2"]);
    let sizes: Vec<String> = (1..=3).map(|n| format!("reduce-sum/f32/{n}/all")).collect();
    let done = bench.run(&[
        "matrix",
        "run",
        "--host",
        &host,
        "--probe",
        &sizes[0],
        "--probe",
        &sizes[1],
        "--probe",
        &sizes[2],
        "--repeat",
        "1",
        "--results",
        "r",
    ]);
    assert_eq!(done.code, 112, "{}", done.stderr);
    assert!(done.stderr.contains("--resume"), "{}", done.stderr);
    let cells = record(&bench.only_run("r")).cells;
    assert!(cells[2].runs.is_empty() && cells[2].not_run.is_some());
}

#[test]
fn a_setting_that_never_reached_the_process_is_not_counted() {
    let (_memory, bench, host) = simulated(&["probe=environment_reset@env.MIOPEN_FIND_MODE=2"]);
    let words = ["--probe", CONV, "--find-modes", "--repeat", "2", "--results", "r"];
    let done = bench.run(&[&["matrix", "run", "--host", &host], &words[..]].concat());
    let cells = record(&bench.only_run("r")).cells;
    for cell in &cells {
        let reset = cell.setting == "find=FAST";
        assert_eq!(cell.runs.len(), if reset { 0 } else { 2 }, "{}: {}", cell.setting, done.told());
        let why = cell.not_run.as_deref().unwrap_or_default();
        assert_eq!(why.contains("not in its process: MIOPEN_CUSTOM_CACHE_DIR, MIOPEN_FIND_MODE"), reset, "{why}");
    }
    assert!(cells.len() > 2 && cells.iter().any(|cell| cell.setting == "find=FAST"));
}

#[test]
fn what_cannot_be_swept_is_refused_with_the_next_step() {
    let (_memory, bench, host) = simulated(&[]);
    for (args, part) in [
        (vec!["matrix", "run"], "say where"),
        (vec!["matrix", "run", "--host", &host, "--probe", "conv-boundry"], "nearest: conv-boundary"),
        (vec!["matrix", "run", "--host", &host, "--mitigation", "native-build"], "is another stack"),
        (vec!["matrix", "run", "--host", &host, "--mitigation", "override-rdna"], "nearest: override-rdna"),
        (
            vec!["matrix", "run", "--host", &host, "--mitigation", "nosuch"],
            "`validate explain mitigation` has them all",
        ),
        (
            vec!["matrix", "run", "--host", &host, "--mitigation", "override-rdna2"],
            "and this is gfx1010; to see what it does here: --set HSA_OVERRIDE_GFX_VERSION=10.3.0",
        ),
        (vec!["matrix", "run", "--host", &host, "--set", "A"], "written like"),
        (vec!["matrix", "run", "--host", &host, "--set", "HSA_FORCE_FINE_GRAIN_PCIE=1"], "contradicts its aim"),
        (vec!["matrix", "campaign", "--host", &host, "--set", "HSA_XNACK=yes"], "validate explain env.HSA_XNACK"),
        (vec!["matrix", "run", "--host", &host, "--budget", "soon"], "a time like"),
        (vec!["matrix", "show", "nowhere"], "no finished matrix"),
        (vec!["matrix", "run", "--resume", "nowhere"], "cannot go on"),
    ] {
        let done = bench.run(&args);
        assert_eq!(done.code, 64, "{args:?} {}", done.stderr);
        assert!(done.stderr.contains(part), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn a_machine_that_reboots_takes_its_supervisor_with_it_and_the_cell_is_not_run_again() {
    assert!(ProbeFault::named("reboot").is_some());
    let (_memory, bench, host) = simulated(&["probe=reboot@op=conv*"]);
    let first = "softmax/f32/8x8";
    let args = ["matrix", "run", "--host", &host, "--probe", first, "--probe", CONV, "--repeat", "1", "--results", "r"];
    let ended = bench.command(&args).output().unwrap().status;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9), "{ended}");
    let run = bench.only_run("r");
    bench.must(&["matrix", "run", "--resume", &run.display().to_string()]);
    let cells = record(&run).cells;
    let statuses: Vec<_> = cells.iter().map(|cell| cell.status().unwrap()).collect();
    assert_eq!(statuses, [Status::Pass, Status::MachineHang]);
    let evidence = cells[1].runs[0].evidence.join("\n");
    assert!(evidence.contains("Machine Check"), "{evidence}");
    assert_eq!(fs::read(Path::new(&host).join("probe-starts")).unwrap().len(), 2);
}

#[test]
fn a_report_of_a_machine_that_went_down_is_played_by_one_that_does() {
    let bench = Bench::new();
    let down = ["r1-40", "r2-10", "r2-11", "r2-13"];
    bench.must(&["matrix", "run", "--reported", "--report", &down.join(","), "--results", "r"]);
    let run = bench.only_run("r").display().to_string();
    let shown: serde_json::Value =
        serde_json::from_str(&bench.must(&["matrix", "show", &run, "--against", "reported", "--format", "json"]))
            .unwrap();
    for id in down {
        let line = shown["reported"].as_array().unwrap().iter().find(|line| line["id"] == id).unwrap();
        assert_eq!(line["verdict"], "agrees", "{line}");
    }
    assert_eq!(shown["counts"]["agreeing"], 4);
}

/// Boots a simulated machine with this command line, which its driver takes.
fn boot(host: &str, id: &str, cmdline: &str) {
    boot_with(host, id, cmdline, cmdline);
}

/// Boots a simulated machine with this command line, and a driver that was loaded with those words.
fn boot_with(host: &str, id: &str, cmdline: &str, loaded: &str) {
    let put = |file: &str, content: &str| {
        let file = Path::new(host).join(file);
        fs::remove_file(&file).unwrap();
        fs::write(file, format!("{content}\n")).unwrap();
    };
    put("proc/sys/kernel/random/boot_id", id);
    put("proc/cmdline", cmdline);
    for (name, unset) in
        [("cwsr_enable", "1"), ("runpm", "-1"), ("vm_update_mode", "-1"), ("noretry", "-1"), ("vm_fragment_size", "-1")]
    {
        let asked =
            |word: &'_ str| word.strip_prefix("amdgpu.")?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        let value = loaded.split_whitespace().filter_map(asked).next_back().unwrap_or_else(|| unset.to_owned());
        put(&format!("sys/module/amdgpu/parameters/{name}"), &value);
    }
}

#[test]
fn what_a_setting_does_on_the_machine_is_said_before_anything_runs() {
    const DRY: [&str; 5] = ["--mitigation", "noretry-fragment-size", "--set", "HIP_FORCE_COARSE_GRAIN=1", "--dry-run"];
    for (machine, keep, says, says_not) in [
        (
            "rx5700xt",
            false,
            &[
                "on gfx1010, Linux 6.8, AMD's driver 6.16:",
                "0 is the default on gfx1010",
                "9 is the default on gfx1010",
                "noretry-fragment-size is the same as none here: it makes no cells, and asks for no reboot",
                "HIP_FORCE_COARSE_GRAIN=1 is the same as none here: it makes no cells; --include-no-ops",
                "folklore",
                "\n1 cells, 5 processes",
            ][..],
            &["(kernel)"][..],
        ),
        (
            "rx6800xt",
            false,
            &["on gfx1030", "the default on gfx1030 is 1", "9 is the default on gfx1030", "(kernel)", "\n2 cells"],
            &["noretry-fragment-size is the same as none"],
        ),
        (
            "rx5700xt",
            true,
            &[
                "the reboot that it asks for changes nothing",
                "HIP_FORCE_COARSE_GRAIN=1 is the same as none here\n",
                "\n3 cells",
            ],
            &["makes no cells"],
        ),
    ] {
        let bench = Bench::new();
        bench.must(&["shim", "sim", "--machine", machine]);
        for command in ["run", "campaign"] {
            let keep = if keep { &["--include-no-ops"][..] } else { &[] };
            let told = bench.must(&[&["matrix", command, "--host", "sim", "--probe", SUM], &DRY[..], keep].concat());
            for part in says {
                assert!(told.contains(part), "{machine} {command}: {part}: {told}");
            }
            for part in says_not {
                assert!(!told.contains(part), "{machine} {command}: {part}: {told}");
            }
        }
    }
}

#[test]
fn a_campaign_asks_for_no_reboot_that_changes_nothing_here() {
    let (_memory, bench, host) = simulated(&[]);
    let args = ["matrix", "campaign", "--host", &host, "--probe", SUM, "--repeat", "1", "--results"];
    let mitigation = ["--mitigation", "noretry-fragment-size"];
    let done = bench.run(&[&args[..], &["r"], &mitigation].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("amdgpu.noretry=0: no-op, 0 is the default on gfx1010"), "{}", done.stderr);
    assert_eq!(record(&bench.only_run("r")).cells.len(), 1);

    // Who wants to see it all the same is asked for the reboot, also where the next boot has what is the default.
    let done = bench.run(&[&args[..], &["k"], &mitigation, &["--include-no-ops"]].concat());
    assert_eq!(done.code, 5, "{}", done.stderr);
    let run = bench.only_run("k").display().to_string();
    let cmdline = fs::read_to_string(Path::new(&host).join("proc/cmdline")).unwrap();
    boot(&host, "boot-2", &format!("{} amdgpu.noretry=0 amdgpu.vm_fragment_size=9", cmdline.trim()));
    bench.must(&["matrix", "campaign", "--resume", &run]);
    assert_eq!(record(Path::new(&run)).cells.len(), 2);
}

#[test]
fn a_campaign_plans_by_the_command_line_that_it_was_begun_with() {
    let bench = Bench::new();
    let host = bench.path("sim").display().to_string();
    bench.must(&["shim", &host, "--machine", "rx6800xt"]);
    let cmdline = fs::read_to_string(Path::new(&host).join("proc/cmdline")).unwrap();
    let args = ["matrix", "campaign", "--host", &host, "--probe", SUM, "--repeat", "1", "--results", "r"];
    assert_eq!(bench.run(&[&args[..], &["--mitigation", "noretry-fragment-size"]].concat()).code, 5);
    // In the boot that the cell waits for its setting is in force already: it is a cell all the same.
    boot(&host, "boot-2", &format!("{} amdgpu.noretry=0 amdgpu.vm_fragment_size=9", cmdline.trim()));
    let run = bench.only_run("r").display().to_string();
    bench.must(&["matrix", "campaign", "--resume", &run]);
    let cells = record(Path::new(&run)).cells;
    assert_eq!(cells.iter().map(|cell| cell.passed()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_campaign_goes_by_what_is_in_force_and_says_where_a_reboot_brought_nothing() {
    let (_memory, bench, host) = simulated(&[]);
    let cmdline = fs::read_to_string(Path::new(&host).join("proc/cmdline")).unwrap().trim().to_owned();
    let args = ["matrix", "campaign", "--host", &host, "--probe", SUM, "--repeat", "1", "--mitigation", "cwsr-off"];
    let first = bench.run(&[&args[..], &["--results", "r"]].concat());
    assert_eq!(first.code, 5, "{}", first.stderr);
    let run = bench.only_run("r").display().to_string();
    let again = |word: &str| {
        let done = bench.run(&["matrix", "campaign", "--resume", &run]);
        assert_eq!(done.code, 5, "{}", done.stderr);
        assert!(done.stdout.contains(word), "{word}: {}", done.stdout);
    };
    again("the machine was not booted since");
    boot(&host, "boot-2", &cmdline);
    again("the machine was booted since, and it is not in force");
    // The words are there, and the driver holds something else.
    let wanted = format!("{cmdline} amdgpu.cwsr_enable=0");
    boot_with(&host, "boot-3", &wanted, &cmdline);
    again("amdgpu.cwsr_enable is 1 though /proc/cmdline asks for 0");
    boot(&host, "boot-4", &format!("{wanted} amdgpu.cwsr-enable=1"));
    fs::write(Path::new(&host).join("sys/module/amdgpu/parameters/cwsr_enable"), "1\n").unwrap();
    again("amdgpu.cwsr_enable is 1");
    boot(&host, "boot-5", &wanted);
    let last = bench.run(&["matrix", "campaign", "--resume", &run]);
    assert_eq!(last.code, 0, "{}", last.stderr);
    assert!(last.stdout.contains("The campaign is over, and amdgpu.cwsr_enable is not as it was"), "{}", last.stdout);
    let id = Path::new(&run).file_name().unwrap().to_str().unwrap();
    assert!(
        last.stdout.contains(&format!("sudo cp /etc/default/grub.rocvet-{id} /etc/default/grub")),
        "{}",
        last.stdout
    );
    let cells = record(Path::new(&run)).cells;
    let in_force: Vec<_> = cells.iter().map(|cell| cell.in_force["amdgpu.cwsr_enable"].as_str()).collect();
    assert_eq!(in_force, ["1", "0"]);
}

#[test]
fn a_matrix_that_did_not_find_out_does_not_end_as_one_that_did() {
    let (_memory, bench, host) = simulated(&["probe=elsewhere@op=reduce*"]);
    let run = |probe: &str, repeat: &str| {
        bench.run(&["matrix", "run", "--host", &host, "--probe", probe, "--repeat", repeat, "--results", "r"])
    };
    let fallen = run(SUM, "2");
    assert_eq!(fallen.code, 3, "{}", fallen.stderr);
    assert!(fallen.stderr.contains("1 cells: 1 cpu-fallback"), "{}", fallen.stderr);
    assert_eq!(run(CONV, "1").code, 0);
}

#[test]
fn a_campaign_goes_over_reboots_and_kills_and_loses_and_repeats_nothing() {
    // The third worker hangs: there the campaign is killed.
    let (_memory, bench, host) = simulated(&["probe=hang@start=3"]);
    let cmdline = fs::read_to_string(Path::new(&host).join("proc/cmdline")).unwrap().trim().to_owned();
    let probes = "--probe reduce-sum/f32/1/all --probe reduce-sum/f32/2/all";
    let args = format!(
        "matrix campaign --host {host} {probes} --mitigation runpm-off-cpu-page-tables --mitigation cwsr-off --repeat 1 --results r"
    );
    let words: Vec<&str> = args.split_whitespace().collect();
    let first = bench.run(&words);
    assert_eq!(first.code, 5, "{}", first.stderr);
    assert!(first.stdout.contains("GRUB") && first.stdout.contains("amdgpu."), "{}", first.stdout);
    assert!(first.stderr.contains("validate matrix campaign --resume"), "{}", first.stderr);
    let run = bench.only_run("r").display().to_string();
    let starts = || fs::read(Path::new(&host).join("probe-starts")).map_or(0, |bytes| bytes.len());
    assert_eq!(starts(), 2);

    // Not booted yet: nothing runs, and it says so again.
    assert_eq!(bench.run(&["matrix", "campaign", "--resume", &run]).code, 5);
    assert_eq!(starts(), 2);

    boot(&host, "boot-2", &format!("{cmdline} amdgpu.cwsr_enable=0"));
    let mut child = spawn(&bench, &format!("matrix campaign --resume {run}"));
    until(|| starts() == 3);
    child.kill().unwrap();
    child.wait().unwrap();
    let second = bench.run(&["matrix", "campaign", "--resume", &run]);
    assert_eq!(second.code, 5, "{}", second.stderr);
    // The one in flight was run again, and the other of that boot.
    assert_eq!(starts(), 5);
    assert!(second.stdout.contains("amdgpu.runpm=0 amdgpu.vm_update_mode=3"), "{}", second.stdout);

    // The first group of parameters is still there: the cells wait until it is taken off.
    boot(&host, "boot-3", &format!("{cmdline} amdgpu.cwsr_enable=0 amdgpu.runpm=0 amdgpu.vm_update_mode=3"));
    assert_eq!(bench.run(&["matrix", "campaign", "--resume", &run]).code, 5);
    assert_eq!(starts(), 5);

    boot(&host, "boot-4", &format!("{cmdline} amdgpu.runpm=0 amdgpu.vm_update_mode=3"));
    let last = bench.run(&["matrix", "campaign", "--resume", &run]);
    assert_eq!(last.code, 0, "{}", last.stderr);
    assert_eq!(starts(), 7);
    let cells = record(Path::new(&run)).cells;
    assert_eq!(cells.len(), 6);
    assert!(cells.iter().all(|cell| cell.passed() == 1 && cell.runs.len() == 1), "{cells:?}");
}
