//! What the amd-smi queries print, against the real tool over the reference tree: byte for byte, except that 24.x
//! prints addresses from uninitialised memory, which are compared by shape.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rocvet::domain::{Bdf, Bytes, ComputeMode, MemoryMode, ToolVersion};
use rocvet::facts;
use rocvet::sim::render::amd_smi::query::{default_table, list, metric, partition, static_, version};
use rocvet::sim::render::amd_smi::{Context, Format, Response};
use rocvet::sim::{
    Device, DriverState, Errno, Gpu, GpuMetrics, KfdNode, PartitionFiles, Profile, Resource, ResourceKind, View,
};

/// The tree that a line of the index was recorded over.
pub struct Tree {
    pub part: &'static str,
    pub compute: ComputeMode,
    pub memory: MemoryMode,
    pub gpus: u8,
    pub hypervisor: bool,
}

impl Tree {
    /// Reads `--gpu rx5700xt --mode CPX --nps NPS4 --n 2 --vm`.
    pub fn parse(arguments: &str) -> Self {
        let mut tree =
            Self { part: "mi300x", compute: ComputeMode::Spx, memory: MemoryMode::Nps1, gpus: 2, hypervisor: false };
        let words: Vec<&str> = arguments.split_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            let value = || words[at + 1];
            match *word {
                "--gpu" => tree.part = if value() == "rx5700xt" { "rx5700xt" } else { "mi300x" },
                "--mode" => tree.compute = value().parse().unwrap(),
                "--nps" => tree.memory = value().parse().unwrap(),
                "--n" => tree.gpus = value().parse().unwrap(),
                "--vm" => tree.hypervisor = true,
                _ => {}
            }
        }
        tree
    }

    /// What the kernel shows on it, by `make-sysfs.py`.
    pub fn view(&self, kernel_release: &str) -> View {
        const BUSES: [u8; 8] = [0x05, 0x27, 0x46, 0x65, 0x85, 0xa7, 0xc6, 0xe5];
        let model = facts::part(self.part).unwrap();
        let parts = if model.partitionable { u8::try_from(self.compute.devices(8)).unwrap() } else { 1 };
        let vram = model.driver_vram.unwrap();
        let mut view = View {
            driver: DriverState::Live { version: Some("6.12.12".to_owned()) },
            kfd: true,
            hypervisor: self.hypervisor,
            gpus: Vec::new(),
            devices: Vec::new(),
            cpu_nodes: 2,
            drm: false,
            kernel_release: kernel_release.to_owned(),
        };
        for number in 0..self.gpus {
            let bus = BUSES[usize::from(number)];
            let unique_id = 0xe3a6_b8a5_a6c0_0001 + u64::from(number);
            view.gpus.push(Gpu {
                model,
                bdf: Bdf { domain: 0, bus, device: 0, function: 0 },
                device_id: model.pci_ids[0],
                unique_id,
                serial: model.partitionable.then(|| format!("69230700{number:04}")),
                numa_node: i32::from(number / 4),
                vram_total: vram,
                vram_used: Bytes(297_525_248),
                gtt_total: vram,
                gtt_used: Bytes(12_345_344),
                partition: model.partitionable.then(|| self.files()),
                virtual_function: false,
                hive_id: 0,
                product_name: model.partitionable.then(|| "AMD Instinct MI300X OAM".to_owned()),
                product_number: model.partitionable.then(|| "102-G30211-00".to_owned()),
                subsystem_device: if model.partitionable { 0x74a1 } else { 0x0b36 },
                revision: 0,
                vram_vendor: Some("hynix".to_owned()),
                max_link_width: 16,
                max_link_speed: 32,
                metrics: model.partitionable.then_some(GpuMetrics {
                    num_partition: Some(u16::from(parts)),
                    hotspot: 42,
                    socket_power: 140,
                    gfx_activity: 0,
                    umc_activity: 0,
                }),
            });
            for partition in 0..parts {
                let minor = u32::try_from(view.devices.len()).unwrap();
                let whole = self.memory == MemoryMode::Nps1;
                view.devices.push(Device {
                    gpu: usize::from(number),
                    partition,
                    card: minor,
                    render: 128 + minor,
                    node: Some(KfdNode {
                        id: 2 + minor,
                        gpu_id: 10_000 + 7 * (2 + minor),
                        simd_count: model.xccs * model.cus_per_xcc * model.simds_per_cu / u32::from(parts),
                        num_xcc: model.xccs / u32::from(parts),
                        location_id: (u32::from(bus) << 8) | u32::from(partition),
                        unique_id,
                        memory: if whole { vram } else { Bytes(vram.0 / u64::from(parts)) },
                    }),
                });
            }
        }
        view
    }

    fn files(&self) -> PartitionFiles {
        let profile = |mode: ComputeMode| {
            let parts = mode.devices(8);
            let resource = |(kind, total): (ResourceKind, u32)| {
                let (instances, shared) = match (kind, mode) {
                    // Two CPX partitions share the JPEG decoders of one video core.
                    (ResourceKind::Jpeg, ComputeMode::Cpx) => (8, 2),
                    (_, _) => ((total / parts).max(1), (parts / total).max(1)),
                };
                Resource { kind, instances, shared }
            };
            let kinds =
                [(ResourceKind::Xcc, 8), (ResourceKind::Decoder, 4), (ResourceKind::Dma, 16), (ResourceKind::Jpeg, 32)];
            let small = matches!(mode, ComputeMode::Spx | ComputeMode::Dpx);
            Profile {
                mode,
                memory_caps: if small { "NPS1" } else { "NPS1, NPS4" }.to_owned(),
                resources: kinds.into_iter().map(resource).collect(),
            }
        };
        PartitionFiles {
            current_compute: Ok(self.compute.name().to_owned()),
            available_compute: Ok("SPX, DPX, QPX, CPX".to_owned()),
            current_memory: Ok(self.memory.name().to_owned()),
            available_memory: Ok("NPS1, NPS4".to_owned()),
            profiles: [ComputeMode::Spx, ComputeMode::Dpx, ComputeMode::Qpx, ComputeMode::Cpx].map(profile).to_vec(),
            mem_alloc_mode: Err(Errno::ENOENT),
        }
    }
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
    let ctx = Context { view, tool, format, targets: &targets, root };
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
        let view = Tree::parse(tree).view("6.18.44-fc-v669");
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
