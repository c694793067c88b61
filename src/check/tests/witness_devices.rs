//! `witness.count`, `witness.memory`, `witness.render-nodes` and `witness.order`: the devices, by everybody.

use super::machine::rows;
use super::{case, judge, told};
use crate::domain::{Bdf, Bytes, CheckSpec, Reading};
use crate::facts;
use crate::witness::{KfdProcess, Observations, RenderParent};

const NO_HIP: fn(&mut Observations) = |seen| seen.after.hip = Some(Reading::NotReported);

/// The last device is missing for everybody but the modes.
fn lose_the_last(seen: &mut Observations) {
    drop((seen.kfd().pop(), seen.list().pop(), seen.render().pop(), seen.hip().pop()));
}

#[test]
fn devices_are_counted_by_everybody() {
    judge(
        &CheckSpec::WitnessCount,
        &[
            case("the last is missing for everybody", lose_the_last, &["unmet one-short the machine"]),
            case(
                "two are missing for everybody",
                |seen| {
                    lose_the_last(seen);
                    lose_the_last(seen);
                },
                &["unmet modes-differ the machine"],
            ),
            case("amd-smi alone misses one", |seen| drop(seen.list().pop()), &["unmet amd-smi-differs the machine"]),
            case("a render node is missing", |seen| drop(seen.render().pop()), &["unmet render-differs the machine"]),
            case("HIP misses one", |seen| drop(seen.hip().pop()), &["unmet hip-differs the machine"]),
            case(
                "render nodes that KFD does not name do not count",
                |seen| {
                    let mut more = seen.render()[3].clone();
                    more.minor = 143;
                    seen.render().push(more);
                },
                &[],
            ),
            case(
                "a card of another maker does not count",
                |seen| {
                    let bdf = "0000:99:00.0".parse().unwrap();
                    seen.render()[3].parent = RenderParent::Pci { bdf, vendor: Reading::Value(0x1a03) };
                },
                &["unmet render-differs the machine"],
            ),
            case(
                "without KFD the hole shows in amd-smi",
                |seen| {
                    NO_HIP(seen);
                    seen.after.kfd = None;
                    seen.list().pop();
                },
                &["unmet one-short the machine"],
            ),
            case(
                "KFD and HIP are two",
                |seen| {
                    (seen.after.sysfs, seen.after.render, seen.after.list) = (None, None, None);
                },
                &["gap not reported List"],
            ),
            case(
                "KFD alone contradicts nobody",
                |seen| {
                    NO_HIP(seen);
                    (seen.after.sysfs, seen.after.render, seen.after.list) = (None, None, None);
                },
                &["gap not reported List", "gap not reported the machine"],
            ),
            case(
                "amd-smi and HIP have nobody to believe",
                |seen| (seen.after.sysfs, seen.after.kfd) = (None, None),
                &["gap not reported the machine"],
            ),
            case(
                "nodes that a container hides are no hole",
                |seen| {
                    lose_the_last(seen);
                    seen.after.kfd_hidden = vec![5];
                },
                &[],
            ),
            case("the modes of an unknown part count nothing", |seen| seen.become_part(0x1234), &[]),
        ],
    );
}

fn bank(seen: &mut Observations, at: usize, bytes: impl Fn(u64) -> u64) {
    let node = &mut seen.kfd()[at];
    node.memory = node.memory.clone().map(|size| Bytes(bytes(size.0)));
}

fn shown(seen: &mut Observations, at: usize, bytes: impl Fn(u64) -> u64) {
    let row = &mut seen.sizes()[at];
    row.total = row.total.clone().map(|size| Bytes(bytes(size.0)));
}

fn held(seen: &mut Observations) {
    let process = KfdProcess {
        pid: 1,
        name: Reading::NotReported,
        unit: Reading::NotReported,
        vram: std::collections::BTreeMap::new(),
    };
    seen.after.processes = Some(Reading::Value(vec![process]));
}

#[test]
fn memory_is_measured_by_everybody() {
    judge(
        &CheckSpec::WitnessMemory,
        &[
            case(
                "the nodes do not add up",
                |seen| {
                    NO_HIP(seen);
                    bank(seen, 0, |bytes| bytes - (1 << 20));
                },
                &["unmet sum-differs GPU 0000:05:00.0"],
            ),
            case("a page for each device is rounding", |seen| bank(seen, 0, |bytes| bytes - 4096), &[]),
            case(
                "amd-smi shows half of it",
                |seen| shown(seen, 1, |bytes| bytes / 2),
                &["unmet amd-smi-differs GPU 0000:05:00.0 partition 1"],
            ),
            case(
                "amd-smi shows the whole GPU on partition 0",
                |seen| shown(seen, 2, |bytes| bytes * 2),
                &["doubtful whole-gpu-on-partition-0 GPU 0000:26:00.0 partition 0"],
            ),
            case(
                "an old amd-smi shows the whole GPU on partition 1",
                |seen| {
                    rows(&mut seen.after.version).tool = Reading::Value("25.3.0".parse().unwrap());
                    shown(seen, 3, |bytes| bytes * 2);
                },
                &["doubtful whole-gpu-on-every-partition GPU 0000:26:00.0 partition 1"],
            ),
            case(
                "HIP shows another total",
                |seen| seen.hip()[1].total = Reading::Value(Bytes(1 << 30)),
                &["unmet hip-differs GPU 0000:05:00.0 partition 1"],
            ),
            case(
                "amd-smi and HIP silent: KFD alone contradicts nobody",
                |seen| {
                    NO_HIP(seen);
                    seen.sizes()[3].total = Reading::NotApplicable;
                },
                &["gap not reported GPU 0000:26:00.0 partition 1"],
            ),
            case("amd-smi silent: KFD and HIP are two", |seen| seen.sizes()[3].total = Reading::NotApplicable, &[]),
            case(
                "a device is missing: no sum, and the others are compared",
                |seen| {
                    lose_the_last(seen);
                    seen.sizes().pop();
                },
                &["gap not reported GPU 0000:26:00.0"],
            ),
            case(
                "a tenth of the GPU is lost",
                |seen| seen.sysfs()[0].vram_used = Reading::Value(Bytes(20 << 30)),
                &["unmet not-free GPU 0000:05:00.0"],
            ),
            case(
                "a tenth of a device is lost",
                |seen| seen.hip()[2].free = Reading::Value(Bytes(80 << 30)),
                &["unmet not-free HIP device 2"],
            ),
            case(
                "a tenth of the GPU is used by a process",
                |seen| {
                    held(seen);
                    seen.sysfs()[0].vram_used = Reading::Value(Bytes(20 << 30));
                },
                &["gap not applicable free memory"],
            ),
            case(
                "whether it is idle cannot be told",
                |seen| seen.after.processes = Some(Reading::NotReported),
                &["gap not reported free memory"],
            ),
            case(
                "no KFD",
                |seen| seen.after.kfd = None,
                &[
                    "gap not reported the machine",
                    "gap not reported GPU 0000:05:00.0",
                    "gap not reported GPU 0000:26:00.0",
                ],
            ),
        ],
    );
}

/// Two MI300A in TPX/NPS1 where the kernel lets GPUs take 96 of 128 GiB each.
fn apu(limit: u64) -> Observations {
    let mut seen = super::healthy();
    seen.become_part(facts::part("mi300a").unwrap().pci_ids[0]);
    NO_HIP(&mut seen);
    let mut third: Vec<_> = seen.kfd().iter().filter(|node| node.bdf.value().unwrap().function == 1).cloned().collect();
    third.iter_mut().for_each(|node| node.bdf = node.bdf.clone().map(|bdf| Bdf { function: 2, ..bdf }));
    seen.kfd().extend(third);
    let share = Bytes((96 << 30) / 3);
    seen.kfd().iter_mut().for_each(|node| node.memory = Reading::Value(share));
    seen.sizes().iter_mut().for_each(|row| row.total = Reading::Value(share));
    seen.after.sysfs.iter_mut().flatten().for_each(|gpu| gpu.compute = Reading::Value(crate::domain::ComputeMode::Tpx));
    seen.after.sysfs.iter_mut().flatten().for_each(|gpu| gpu.vram_used = Reading::NotReported);
    (seen.driver().pages_limit, seen.driver().numa_nodes) = (Reading::Value(limit / 4096), Reading::Value(2));
    seen
}

#[test]
fn an_apu_shares_what_the_kernel_lets_it_take() {
    let unmet = |limit: u64| -> Vec<String> {
        let said = told(&CheckSpec::WitnessMemory, &apu(limit));
        said.into_iter().filter(|line| line.starts_with("unmet")).collect()
    };
    assert_eq!(unmet(192 << 30), [""; 0]);
    assert_eq!(unmet(256 << 30), ["unmet ttm-differs GPU 0000:05:00.0", "unmet ttm-differs GPU 0000:26:00.0"]);
    let mut seen = apu(192 << 30);
    seen.driver().pages_limit = Reading::NotReported;
    assert!(told(&CheckSpec::WitnessMemory, &seen).contains(&"gap not reported GPU 0000:05:00.0".to_owned()));
}

#[test]
fn render_nodes_hang_on_their_devices() {
    judge(
        &CheckSpec::WitnessRenderNodes,
        &[
            case(
                "KFD names a node that is not there",
                |seen| drop(seen.render().pop()),
                &["unmet missing GPU 0000:26:00.0 partition 1"],
            ),
            case(
                "partition 0 hangs on the other GPU",
                |seen| {
                    let bdf = "0000:05:00.0".parse().unwrap();
                    seen.render()[2].parent = RenderParent::Pci { bdf, vendor: Reading::Value(0x1002) };
                },
                &["unmet wrong-device GPU 0000:26:00.0 partition 0"],
            ),
            case(
                "a secondary hangs on a PCI device",
                |seen| seen.render()[3].parent = seen.render()[2].parent.clone(),
                &["unmet wrong-device GPU 0000:26:00.0 partition 1"],
            ),
            case(
                "two devices share a node",
                |seen| seen.kfd()[1].render_minor = Reading::Value(128),
                &["unmet shared node 3", "doubtful step-differs render minors"],
            ),
            case(
                "another card took a minor in between",
                |seen| {
                    (2..4).for_each(|at| seen.render()[at].minor += 1);
                    (2..4).for_each(|at| seen.kfd()[at].render_minor = Reading::Value(137 + at as u32 - 2));
                },
                &["doubtful step-differs render minors"],
            ),
            case(
                "another card took the first minor: only the base moves",
                |seen| {
                    seen.render().iter_mut().for_each(|node| node.minor += 1);
                    seen.kfd()
                        .iter_mut()
                        .for_each(|node| node.render_minor = node.render_minor.clone().map(|at| at + 1));
                },
                &[],
            ),
            case(
                "a minor that KFD does not tell",
                |seen| seen.kfd()[0].render_minor = Reading::NotReported,
                &["gap not reported node 2"],
            ),
            case("nobody asked", |seen| seen.after.render = None, &["gap not reported class/drm"]),
            case("no KFD", |seen| seen.after.kfd = None, &["gap not reported the machine"]),
        ],
    );
}

#[test]
fn orders_are_compared() {
    judge(
        &CheckSpec::WitnessOrder,
        &[
            case(
                "amd-smi counts backwards",
                |seen| seen.list().iter_mut().for_each(|row| row.gpu = 3 - row.gpu),
                &["doubtful amd-smi-order amd-smi list"],
            ),
            case(
                "by KFD's ids where addresses are shared",
                |seen| {
                    for row in seen.list() {
                        row.gpu = 3 - row.gpu;
                        row.bdf = row.bdf.clone().map(Bdf::socket);
                    }
                },
                &["doubtful amd-smi-order amd-smi list"],
            ),
            case(
                "neither address nor id tells",
                |seen| {
                    for row in seen.list() {
                        (row.bdf, row.kfd_id) = (Reading::NotReported, Reading::NotReported);
                    }
                },
                &["gap not reported amd-smi list"],
            ),
            case("a device that amd-smi does not list shifts nothing", |seen| drop(seen.list().remove(1)), &[]),
            case(
                "KFD counts the second GPU first",
                |seen| {
                    NO_HIP(seen);
                    for node in seen.kfd() {
                        node.node = if node.node < 4 { node.node + 2 } else { node.node - 2 };
                    }
                },
                &["doubtful pci-order KFD", "doubtful amd-smi-order amd-smi list"],
            ),
            case(
                "HIP's device is another GPU",
                |seen| seen.hip()[0].bdf = Reading::Value("0000:26:00.0".parse().unwrap()),
                &["unmet hip-order HIP device 0"],
            ),
            case(
                "HIP has a device that KFD has not",
                |seen| drop((seen.kfd().pop(), seen.list().pop())),
                &["gap not reported HIP device 3"],
            ),
            case("without HIP the others are compared", NO_HIP, &[]),
            case("no KFD", |seen| seen.after.kfd = None, &["gap not reported the machine"]),
        ],
    );
}
