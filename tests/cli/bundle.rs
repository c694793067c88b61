//! `validate bundle`: one archive of what failed, without what names a machine or a person.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use rocvet::matrix::record::MatrixRecord;
use rocvet::run::RunRecord;

use super::support::{Bench, Done, in_memory, record};

/// Fails always, for a reason that has a signature.
const SCENARIO: &str = "\
title = 'a convolution dies'
why = 'to send a report of it'
source = 'this test'
level = 'exercise'
[simulate]
machine = 'rx5700xt'
amd-smi = '27.1.0'
faults = ['probe=hsa_memory_access_fault@op=conv*']
[[step]]
probe = { work = 'conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward', processes = 2, env = { MIOPEN_FIND_MODE = 'FAST' } }
[[step]]
probe = { work = 'add/f32/8x8' }
[[check]]
id = 'probe.outcome'
";

/// What stands in the evidence of the machine in question, and of nobody else.
const SECRETS: &[&str] = &[
    "lab-node-17",
    "alicebob",
    "6f1c9a52-11aa-4d2b-9c1f-0123456789ab",
    "692307000042",
    "9c:6b:00:12:34:56",
    "10.11.12.13",
    "alice@example.org",
    "hf_verysecret",
];

const LOG: &str = "Nov 21 10:00:00 lab-node-17 kernel: amdgpu 0000:03:00.0: [gfxhub] page fault\n\
    lab-node-17 boot 6f1c9a52-11aa-4d2b-9c1f-0123456789ab eth0 9c:6b:00:12:34:56 10.11.12.13\n\
    File \"/home/alicebob/train.py\" by alicebob <alice@example.org> HF_TOKEN=hf_verysecret\n\
    PRODUCT_SERIAL: 692307000042 and 692307000042 again\n";

/// A run with one failing case, and the folder of that case's evidence.
fn failing(bench: &Bench) -> (PathBuf, PathBuf) {
    bench.write("s/bad.toml", SCENARIO);
    bench.write("s/good.toml", SCENARIO.replace("op=conv*", "op=matmul"));
    let done = bench.run(&["run", "s", "--results", "r"]);
    assert_eq!(done.code, 1, "{}", done.told());
    let run = bench.only_run("r");
    let record = record(&run);
    let case = record.cases.iter().find(|case| case.id.contains("bad")).unwrap();
    let evidence = run.join(case.evidence.as_ref().unwrap());
    (run, evidence)
}

fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let mut tar = tar::Archive::new(GzDecoder::new(File::open(archive).unwrap()));
    let mut files = BTreeMap::new();
    for (number, entry) in tar.entries().unwrap().enumerate() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let header = entry.header();
        assert!(header.entry_type().is_file(), "{path}");
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 946_684_800));
        let (top, below) = path.split_once('/').unwrap();
        assert!(top.starts_with("rocvet-") && !below.contains(".."), "{path}");
        assert_eq!(number == 0, below == "README.md", "the first page comes first: {path}");
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert!(files.insert(below.to_owned(), text).is_none(), "{path} is there twice");
    }
    files
}

#[test]
fn an_archive_says_what_failed_and_how_to_see_it_again_and_names_nobody() {
    let bench = Bench::new();
    let (run, evidence) = failing(&bench);
    fs::write(evidence.join("dmesg.log"), LOG).unwrap();
    // Bare, in a file without a label.
    fs::write(evidence.join("alicebob.txt"), "alicebob on lab-node-17\n").unwrap();
    let jsonl = "{\"probe\":\"none\",\"process\":{\"end\":\"on\\nlab-node-17\\nalicebob\"}}\n";
    fs::write(evidence.join("more.jsonl"), jsonl).unwrap();
    let said = bench.must(&["bundle", &run.display().to_string(), "--output", "a.tar.gz"]);
    for part in ["archive   a.tar.gz (", "cases     1 failed", "left out  1,", "look through it before you send it"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let files = unpacked(&bench.path("a.tar.gz"));
    let page = &files["README.md"];
    for part in [
        "# What failed in run ",
        "On a simulated machine",
        "1 of 2 cases failed",
        "1 of 1 times",
        "bad",
        "hsa_memory_access_fault",
        "expected  ",
        "observed  ",
        "again               validate run s -E 'id(",
        "MIOpenDriver convfp16 -n 1 -c 16 -H 44 -W 44 -k 32",
        "export MIOPEN_FIND_MODE='FAST'",
        "torch.nn.functional.conv2d",
        "gfx                 gfx1010",
        "amd-smi             27.1.0",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains("ISA, effective      the native one"), "{page}");
    assert!(!page.contains("--host /"), "the machine of the case is gone: {page}");
    assert!(!page.contains("add/f32/8x8"), "what is right needs no script: {page}");
    let kept = RunRecord::read(files["run.json"].as_bytes()).unwrap().value;
    assert_eq!(kept.cases.len(), 1, "only what failed");
    assert!(files["left-out.txt"].contains("good"), "{}", files["left-out.txt"]);
    assert!(files["left-out.txt"].contains("host names"), "{}", files["left-out.txt"]);
    for secret in SECRETS {
        for (path, text) in &files {
            assert!(!path.contains(secret) && !text.contains(secret), "{secret} is in {path}: {text}");
        }
    }
    let find = |end: &str| files.iter().find(|(path, _)| path.ends_with(end)).map(|(_, text)| text.as_str()).unwrap();
    assert_eq!(find("user-1.txt"), "user-1 on host-1\n", "the same pseudonyms in every file");
    assert!(find("dmesg.log").contains("amdgpu 0000:03:00.0: [gfxhub] page fault"));

    bench.must(&["bundle", &run.display().to_string(), "--output", "b.tar.gz"]);
    assert_eq!(fs::read(bench.path("a.tar.gz")).unwrap(), fs::read(bench.path("b.tar.gz")).unwrap());
}

/// Lines of evidence, and what of each must be nowhere in the archive.
const PLANTED: &[(&str, &[&str])] = &[
    ("export HF_TOKEN='hf_q1'; then bare hf_q1", &["hf_q1"]),
    ("curl 'https://h/x?token=abcd1234' -o x", &["abcd1234"]),
    ("curl -H 'Authorization: Bearer eyJhbGciOi.eyJzdWIi.c2ln' h", &["eyJhbGciOi", "c2ln"]),
    ("Authorization: Digest username=\"qjane\", response=\"6629fae\"", &["qjane", "6629fae"]),
    ("remote: ghp_16C7e42F292c6912E7710c838347Ae178B4a", &["16C7e42F"]),
    ("login with hf_QwErTyUiOpAsDfGhJkLzXcVbNm worked", &["QwErTyUi"]),
    ("using AKIAIOSFODNN7EXAMPLE and xoxb-17653672481-19874698323", &["IOSFODNN", "17653672481"]),
    ("{\"aws_secret_access_key\": \"wJalrXUtnFEMI/K7MDENG\"}", &["wJalrXUtn"]),
    ("password: 'it is-long' and --api-key k7k7k7k7", &["it is-long", "k7k7k7k7"]),
    ("git clone https://bob:s3cr3tpw@git.lan/x.git", &["s3cr3tpw", "bob:"]),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----", &["b3BlbnNzaC1r"]),
    ("amdgpu: serial 692343000123", &["692343000123"]),
    (
        "Accepted publickey for jane.doe from 10.4.5.6 port 22 ssh2: RSA SHA256:Zm9vYmFyYmF6cXV4MTIzNDU2",
        &["jane.doe", "10.4.5.6", "Zm9vYmFy"],
    ),
    ("BOOT_IMAGE=/vmlinuz ip=10.7.2.3::10.7.2.1:255.255.255.0:qhost9:eth0:off", &["10.7.2", "qhost9"]),
    ("peer [2001:db8:77::5]:443, 10.8.1.1-10.8.1.9", &["2001:db8", "10.8.1"]),
];

/// Whether a text stands anywhere in an archive: names, headers and content, as bytes.
fn holds(archive: &Path, text: &str) -> bool {
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(archive).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn no_secret_that_is_planted_anywhere_comes_into_the_archive() {
    let bench = Bench::new();
    let (run, evidence) = failing(&bench);
    for (number, (line, _)) in PLANTED.iter().enumerate() {
        fs::write(evidence.join(format!("{number}.log")), format!("{line}\nstays-{number}\n")).unwrap();
        let json = serde_json::json!({ "probe": "none", "process": { "end": line } });
        fs::write(evidence.join(format!("{number}.jsonl")), format!("{json}\n")).unwrap();
    }
    let json = "{\"serial\": 692343000777, \"env\": {\"WANDB_API_KEY\": \"qq17\"}, \"said\": \"it was qq17\"}";
    fs::write(evidence.join("env.json"), json).unwrap();
    fs::write(evidence.join("bare.log"), "of whoever calls: zz-top-secret\n").unwrap();
    let mut command = bench.command(&["bundle", &run.display().to_string(), "--output", "a.tar.gz"]);
    let done = Done::of(command.env("MY_TOKEN", "zz-top-secret"));
    assert_eq!(done.code, 0, "{}", done.told());
    let archive = bench.path("a.tar.gz");
    for (number, (line, secrets)) in PLANTED.iter().enumerate() {
        assert!(holds(&archive, &format!("stays-{number}")), "what is no secret must be found: {number}");
        for secret in *secrets {
            assert!(line.contains(secret), "{secret} was not planted in {line}");
            assert!(!holds(&archive, secret), "{secret} of {line}");
        }
    }
    for secret in ["692343000777", "qq17", "zz-top-secret"] {
        assert!(!holds(&archive, secret), "{secret}");
    }
    assert!(unpacked(&archive)["left-out.txt"].contains("tokens, keys and passwords"));
}

#[test]
fn the_variables_of_a_matrix_come_without_their_secrets() {
    let (memory, bench) = in_memory();
    let host = memory.path().join("sim").display().to_string();
    bench.must(&["shim", &host, "--machine", "rx5700xt", "--fault", "probe=zeros@op=reduce*"]);
    let words = "matrix run --probe reduce-sum/f32/64/all --repeat 1 --results r --env HF_TOKEN=hf_abc \
                 --env A_PASSWORD=it's_me --env HSA_XNACK=0 --host";
    bench.run(&words.split_whitespace().chain([host.as_str()]).collect::<Vec<_>>());
    bench.must(&["bundle", &bench.only_run("r").display().to_string(), "--output", "m.tar.gz"]);
    let archive = bench.path("m.tar.gz");
    for secret in ["hf_abc", "s_me"] {
        assert!(!holds(&archive, secret), "{secret}: {:#?}", unpacked(&archive));
    }
    let page = &unpacked(&archive)["README.md"];
    for part in ["export HF_TOKEN='[left out]'", "export HSA_XNACK='0'"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_disk_that_is_full_leaves_no_archive_under_its_name() {
    let bench = Bench::new();
    let (run, _) = failing(&bench);
    bench.write("old.tar.gz", "what was there");
    for name in ["new.tar.gz", "old.tar.gz"] {
        let mut command = bench.command(&[]);
        let program = command.get_program().to_owned();
        // A limit on the size of files, of one block, stands for a disk that is full.
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" bundle \"$1\" --output \"$2\"";
        command = std::process::Command::new("/bin/sh");
        command.args(["-c", script]).arg(program).arg(&run).arg(bench.path(name)).current_dir(bench.path(""));
        let done = Done::of(&mut command);
        assert_eq!(done.code, 69, "{}", done.told());
    }
    assert!(!bench.path("new.tar.gz").exists());
    assert_eq!(fs::read_to_string(bench.path("old.tar.gz")).unwrap(), "what was there");
    let left: Vec<_> = fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".rocvet-")), "{left:?}");
}

#[test]
fn hostile_evidence_is_bounded_and_leads_nowhere() {
    let bench = Bench::new();
    let (run, evidence) = failing(&bench);
    symlink("/etc/passwd", evidence.join("passwd.txt")).unwrap();
    symlink("calls.txt", evidence.join("other.txt")).unwrap();
    symlink("/etc", run.join("evidence/link")).unwrap();
    File::create(evidence.join("huge.log")).unwrap().set_len(1 << 30).unwrap();
    fs::write(evidence.join("binary"), b"a\0b").unwrap();
    fs::write(evidence.join("-rf `x`\n.txt"), "a strange name\n").unwrap();
    fs::write(evidence.join("README.md"), "not the first page\n").unwrap();
    for number in 0..8 {
        fs::write(evidence.join(format!("large-{number}.log")), "x y\n".repeat(1 << 20)).unwrap();
    }
    let said = bench.must(&["bundle", &run.display().to_string(), "--output", "a.tar.gz"]);
    let files = unpacked(&bench.path("a.tar.gz"));
    assert!(files.values().map(String::len).sum::<usize>() < 21 << 20, "{said}");
    assert!(files.keys().any(|path| path.ends_with("/_rf__x__.txt")), "{:?}", files.keys());
    assert!(files["README.md"].starts_with("# What failed"));
    let left_out = &files["left-out.txt"];
    for part in ["passwd.txt", "other.txt", "huge.log", "binary", "large-7.log", "larger than the limit", "a link"] {
        assert!(left_out.contains(part), "{part}: {left_out}");
    }
    assert!(!files.values().any(|text| text.contains("root:x:0")));

    // The record itself says where its evidence lies, and may say anything.
    let text = fs::read_to_string(run.join("run.json")).unwrap();
    let real = evidence.strip_prefix(&run).unwrap().display().to_string();
    for folder in ["../../../../../etc", "/etc", "evidence/link", "evidence/../../s", "."] {
        let changed = text.replace(&format!("\"{real}\""), &format!("\"{folder}\""));
        assert_ne!(changed, text);
        fs::write(run.join("run.json"), changed).unwrap();
        bench.must(&["bundle", &run.display().to_string(), "--output", "c.tar.gz"]);
        let files = unpacked(&bench.path("c.tar.gz"));
        assert_eq!(files.keys().collect::<Vec<_>>(), ["README.md", "left-out.txt", "run.json"], "{folder}");
        assert!(files["left-out.txt"].contains(folder), "{folder}: {}", files["left-out.txt"]);
    }
}

#[test]
fn a_matrix_is_told_with_k_of_n_and_both_isas() {
    let (memory, bench) = in_memory();
    let host = memory.path().join("sim").display().to_string();
    bench.must(&["shim", &host, "--machine", "rx5700xt", "--fault", "probe=zeros@op=matmul,every=2"]);
    let matrix = "matrix run --probe matmul/f32/8x8x8 --probe reduce-sum/f32/64/all --repeat 2 --results r --host";
    let args: Vec<&str> = matrix.split(' ').chain([host.as_str()]).collect();
    bench.must(&args);
    bench.must(&["bundle", &bench.only_run("r").display().to_string(), "--output", "m.tar.gz"]);
    let files = unpacked(&bench.path("m.tar.gz"));
    let page = &files["README.md"];
    for part in [
        "flaky, 1 of 2 times",
        "ISA, native         gfx1010",
        "ISA, effective      ",
        "again               validate probe matmul/f32/8x8x8",
        "a @ b",
        "1 of 2 cases failed",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let cells = MatrixRecord::read(files["matrix.json"].as_bytes()).unwrap().value.cells;
    assert_eq!(cells.iter().map(|cell| cell.probe.as_str()).collect::<Vec<_>>(), ["matmul/f32/8x8x8"]);
    assert!(files["left-out.txt"].contains("reduce-sum"), "{}", files["left-out.txt"]);
}

#[test]
fn where_nothing_failed_it_says_so_and_what_is_no_run_is_refused_with_the_next_step() {
    let bench = Bench::new();
    bench.write("s/good.toml", SCENARIO.replace("op=conv*", "op=matmul"));
    bench.must(&["run", "s", "--results", "r"]);
    let run = bench.only_run("r");
    let said = bench.must(&["bundle", &run.join("run.json").display().to_string()]);
    assert!(said.contains("nothing failed in this run"), "{said}");
    let name = format!("rocvet-{}.tar.gz", run.file_name().unwrap().to_string_lossy());
    assert!(unpacked(&bench.path(&name))["README.md"].contains("Nothing failed, of 1 cases."));

    bench.write("cut/events.jsonl", "{}\n");
    bench.write("other/run.json", "{\"schema\":\"rocvet.run/9\"}");
    bench.write("empty/none", "");
    for (run, part) in [
        ("nowhere", "`validate run`"),
        ("cut", "--resume"),
        ("other", "this program reads"),
        ("empty", "no run.json and no matrix.json"),
    ] {
        let done = bench.run(&["bundle", run]);
        assert_eq!(done.code, 64, "{run}: {}", done.told());
        assert!(done.stderr.contains(part), "{run}: {}", done.stderr);
    }
    let done = bench.run(&["bundle", &run.display().to_string(), "--output", "/proc/none/a.tar.gz"]);
    assert_eq!(done.code, 69, "{}", done.told());
}

#[test]
fn who_calls_and_from_which_folder_is_known_without_a_label() {
    let bench = Bench::new();
    let (run, evidence) = failing(&bench);
    let home = bench.path("private").display().to_string();
    fs::write(evidence.join("last.log"), format!("zaphodb was in {home}/x, not zaphodbx\n")).unwrap();
    let mut command = bench.command(&["bundle", &run.display().to_string(), "--output", "a.tar.gz"]);
    let done = Done::of(command.env("USER", "zaphodb").env("HOME", &home));
    assert_eq!(done.code, 0, "{}", done.told());
    let files = unpacked(&bench.path("a.tar.gz"));
    let (_, text) = files.iter().find(|(path, _)| path.ends_with("last.log")).unwrap();
    assert_eq!(text, "user-1 was in home-1/x, not zaphodbx\n");
}
