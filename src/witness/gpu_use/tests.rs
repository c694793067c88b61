use std::path::Path;

use super::*;

const PID: u32 = 4242;

/// A folder with these files; as (sys, proc).
fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Trees) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let below = |name: &str| Path::new(dir.path()).join(name);
    let trees = Trees { sys: below("sys"), proc: below("proc"), same_pids: true };
    (dir, trees)
}

fn read(files: &[(&str, &str)], depth: Depth) -> Reading<GpuUse> {
    let (_dir, trees) = machine(files);
    read_gpu_use(&trees, PID, depth)
}

const OWN: [(&str, &str); 12] = [
    ("sys/class/kfd/kfd/proc/4242/pasid", "0\n"),
    ("sys/class/kfd/kfd/proc/4242/vram_24248", "4096\n"),
    ("sys/class/kfd/kfd/proc/4242/sdma_24248", "17\n"),
    ("sys/class/kfd/kfd/proc/4242/stats_24248/evicted_ms", "0\n"),
    ("sys/class/kfd/kfd/proc/4242/stats_24248/cu_occupancy", "3\n"),
    ("sys/class/kfd/kfd/proc/4242/queues/0/gpuid", "24248\n"),
    ("sys/class/kfd/kfd/proc/4242/queues/0/type", "0\n"),
    ("sys/class/kfd/kfd/proc/4242/queues/1/gpuid", "24248\n"),
    ("sys/class/kfd/kfd/proc/4242/queues/1/type", "1\n"),
    ("proc/4242/stat", "4242 (a) b) R 1 4242 4242 0\n"),
    (
        "proc/4242/fdinfo/5",
        "pos:\t0\ndrm-driver:\tamdgpu\ndrm-client-id:\t9\ndrm-pdev:\t0000:0c:00.0\ndrm-memory-vram:\t2 MiB\ndrm-engine-gfx:\t5 ns\ndrm-engine-compute:\t7 ns\n",
    ),
    (
        "proc/4242/fdinfo/6",
        "drm-driver:\tamdgpu\ndrm-client-id:\t9\ndrm-pdev:\t0000:0c:00.0\ndrm-engine-compute:\t7 ns\n",
    ),
];

#[test]
fn every_counter_of_a_process_is_read_in_its_unit_and_a_client_counts_once() {
    let found = read(&OWN, Depth::AskingTheGpu);
    let kfd = KfdUse { vram: Bytes(4096), compute_queues: 1, sdma: 17, occupied: 3 };
    let drm = DrmUse { vram: Bytes(2 << 20), engines: 12 };
    let expected =
        GpuUse { kfd: BTreeMap::from([(24248, kfd)]), drm: BTreeMap::from([("0000:0c:00.0".to_owned(), drm)]) };
    assert_eq!(found, Reading::Value(expected.clone()));
    assert!(expected.is_work());
    // What may wait for the GPU is left alone.
    let found = read(&OWN, Depth::AtHand);
    let kfd = KfdUse { sdma: 0, occupied: 0, ..kfd };
    assert_eq!(found, Reading::Value(GpuUse { kfd: BTreeMap::from([(24248, kfd)]), drm: BTreeMap::new() }));
}

#[test]
fn a_child_counts_and_a_stranger_does_not() {
    for (stat, vram) in
        [("77 (c) S 4242 4242 4242 0", Some(5)), ("77 (c) S 1 77 77 0", None), ("77 (4242) 4242 (c", None), ("", None)]
    {
        let files = [("sys/class/kfd/kfd/proc/77/vram_1", "5"), ("proc/77/stat", stat)];
        let found = read(&files, Depth::AtHand);
        assert_eq!(found.value().unwrap().kfd.get(&1).map(|each| each.vram.0), vram, "{stat}");
    }
}

#[test]
fn nothing_is_counted_is_not_the_same_as_nobody_counts() {
    let nobody = read(&[("proc/4242/stat", "4242 (a) R 1 4242")], Depth::AskingTheGpu);
    assert_eq!(nobody, Reading::NotReported);
    let nothing = read(&[("sys/class/kfd/kfd/proc/1/vram_1", "5")], Depth::AskingTheGpu);
    assert_eq!(nothing, Reading::Value(GpuUse::default()));
    let old = read(&[("sys/class/kfd/kfd/proc/4242/pasid", "32770")], Depth::AskingTheGpu);
    assert_eq!(old, Reading::NotReported);
    let opened = read(&[("sys/class/kfd/kfd/proc/4242/vram_1", "0")], Depth::AskingTheGpu);
    assert!(opened.value().is_some_and(GpuUse::is_nothing));
    // In a container the driver's numbers are others: the process 4242 of its list is somebody else.
    let (_dir, trees) = machine(&OWN[..10]);
    let other = Trees { same_pids: false, ..trees };
    assert_eq!(read_gpu_use(&other, PID, Depth::AskingTheGpu), Reading::NotReported);
    let (_dir, trees) = machine(&OWN);
    let other = Trees { same_pids: false, ..trees };
    let found = read_gpu_use(&other, PID, Depth::AskingTheGpu);
    assert!(found.value().is_some_and(|found| found.kfd.is_empty() && found.is_work()), "{found:?}");
}

#[test]
fn files_of_strange_content_add_nothing_and_take_nothing_away() {
    let long = "x".repeat(100_000);
    let found = read(
        &[
            ("sys/class/kfd/kfd/proc/4242/vram_24248", "lots"),
            ("sys/class/kfd/kfd/proc/4242/vram_", "1"),
            ("sys/class/kfd/kfd/proc/4242/vram_99999999999", "1"),
            ("sys/class/kfd/kfd/proc/4242/sdma_1", "-4"),
            ("sys/class/kfd/kfd/proc/4242/stats_1/cu_occupancy", "99999999999"),
            ("sys/class/kfd/kfd/proc/4242/queues/0/type", "0"),
            ("sys/class/kfd/kfd/proc/4242/queues/x", "0"),
            ("sys/class/kfd/kfd/proc/self/vram_24248", "7"),
            ("proc/4242/fdinfo/1", &long),
            ("proc/4242/fdinfo/2", "drm-driver:\ti915\ndrm-pdev:\t0000:00:02.0\ndrm-engine-render:\t9 ns\n"),
            ("proc/4242/fdinfo/3", "drm-driver:\tamdgpu\ndrm-engine-gfx:\t9 ns\n"),
        ],
        Depth::AskingTheGpu,
    );
    let found = found.value().unwrap();
    assert_eq!(found.kfd[&24248], KfdUse::default());
    assert_eq!(found.kfd[&1].occupied, u32::MAX);
    assert!(found.drm.is_empty());
}

#[test]
fn a_context_that_computed_nothing_is_no_work() {
    let of = |each: KfdUse| GpuUse { kfd: BTreeMap::from([(1, each)]), drm: BTreeMap::new() };
    let context = KfdUse { vram: Bytes(4096), ..KfdUse::default() };
    assert!(!of(context).is_work() && !of(context).is_nothing());
    assert!(!of(KfdUse { compute_queues: 1, ..KfdUse::default() }).is_work());
    assert!(of(KfdUse { compute_queues: 1, ..context }).is_work());
    let mut most = of(context);
    most.raise(&of(KfdUse { compute_queues: 1, ..KfdUse::default() }));
    assert!(most.is_work(), "the most of several looks");
    assert!(GpuUse::default().is_nothing());
}

#[test]
fn a_process_that_is_only_remembered_is_not_alive() {
    for (stat, alive) in
        [("4242 (a) R 1 4242", true), ("4242 (a) D 1 4242", true), ("4242 (a) Z 1 4242", false), ("", false)]
    {
        let (_dir, trees) = machine(&[("proc/4242/stat", stat)]);
        assert_eq!(is_alive(&trees, PID), alive, "{stat}");
    }
    let (_dir, trees) = machine(&[]);
    assert!(!is_alive(&trees, PID));
}
