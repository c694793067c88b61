//! From readings to the description of a machine.

use crate::domain::{AllocMode, ComputeMode, MemoryMode, Platform, Reading, ToolVersion};
use crate::facts::{self, Part};
use crate::sim::{
    Caller, Hives, KERNEL_RELEASE, MAX_GPUS, Machine, Quirks, Tuning, default_pages_limit, is_reference_tree,
};
use crate::topology::{Socket, sockets, whereabouts};
use crate::witness::tuning::MODULES;
use crate::witness::{Access, ModuleState, Snapshot};

/// A machine, and what speaks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inferred {
    /// The machine, without faults.
    pub machine: Machine,
    /// What was inferred: a key of the machine file, its value, and by what.
    pub because: Vec<(&'static str, String, String)>,
    /// What was not, and what stands in its place.
    pub not: Vec<String>,
}

/// Infers. `tool` is the version that the host names itself, where its transcripts do not.
///
/// # Errors
/// Why no simulated machine can be like this one: every reason.
pub fn infer(look: &Snapshot, tool: Option<ToolVersion>) -> Result<Inferred, Vec<String>> {
    let sockets = sockets(look);
    let parts = part(&sockets)?;
    let mut found = Notes::default();
    let gpus = gpus(&sockets, &mut found)?;
    let Some(part) = chosen(&parts, &sockets, &mut found) else { return Err(vec![NO_GPU.to_owned()]) };
    let platform = platform(look, &mut found);
    let compute = compute(part, &sockets, &mut found)?;
    let memory = memory(part, compute, &sockets, &mut found);
    let reference = is_reference(look);
    let machine = Machine {
        name: if reference { format!("reference-{}", part.machine_name()) } else { part.machine_name() },
        part: part.machine_name(),
        gpus,
        platform,
        compute,
        memory,
        alloc_mode: alloc_mode(&sockets, &mut found),
        pages_limit: pages_limit(look, part, gpus, &mut found),
        hives: hives(&sockets, &mut found),
        amd_smi: amd_smi(look, tool, &mut found),
        caller: caller(look, &mut found),
        quirks: Quirks { reference_tree: reference },
        faults: Vec::new(),
        busy: busy(look, &mut found),
        tuning: tuning(look, &mut found),
    };
    machine.check().map_err(|error| vec![format!("no machine can be simulated so: {error}")])?;
    found.not.push(
        "PCI addresses, serial numbers, UUIDs, clocks and temperatures: the simulator's own stand in their place"
            .to_owned(),
    );
    found.not.push("what amd-smi printed: the shim answers by the rules of its version".to_owned());
    Ok(Inferred { machine, because: found.because, not: found.not })
}

#[derive(Default)]
struct Notes {
    because: Vec<(&'static str, String, String)>,
    not: Vec<String>,
}

impl Notes {
    fn found(&mut self, key: &'static str, value: impl ToString, by: impl Into<String>) {
        self.because.push((key, value.to_string(), by.into()));
    }
}

const NO_GPU: &str = "it shows no GPU, so nothing says which part to simulate: name one with --machine";

/// Parts that all GPUs can be.
fn part(sockets: &[Socket<'_>]) -> Result<Vec<&'static Part>, Vec<String>> {
    let Some(first) = sockets.first() else {
        return Err(vec![
            "it shows no GPU, so nothing says which part to simulate: name one with --machine".to_owned(),
        ]);
    };
    let unknown: Vec<String> = sockets
        .iter()
        .filter(|socket| socket.parts().0.is_empty())
        .map(|socket| match socket.device_id() {
            Some(id) => format!("{} has the PCI id 1002:{id:04x}, which no known part has", socket.name()),
            None => format!("{} shows no PCI id", socket.name()),
        })
        .collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let common: Vec<_> = first.parts().0;
    let other = sockets.iter().find(|socket| !socket.parts().0.iter().any(|part| common.contains(part)));
    match other {
        Some(other) => Err(vec![format!("its GPUs are of different parts: {} and {}", named(first), named(other))]),
        None => Ok(common),
    }
}

fn named(socket: &Socket<'_>) -> String {
    let parts = socket.parts().0.iter().map(|part| part.id.clone()).collect::<Vec<_>>();
    format!("{} is {}", socket.name(), parts.join(" or "))
}

fn gpus(sockets: &[Socket<'_>], found: &mut Notes) -> Result<u32, Vec<String>> {
    let count = u32::try_from(sockets.len()).unwrap_or(u32::MAX);
    if count > MAX_GPUS {
        return Err(vec![format!("it has {count} GPUs, and a simulated machine has at most {MAX_GPUS}")]);
    }
    found.found("gpus", count, "sysfs and KFD");
    Ok(count)
}

/// Of parts that share a PCI id, the one whose SIMDs KFD counts.
fn chosen(parts: &[&'static Part], sockets: &[Socket<'_>], found: &mut Notes) -> Option<&'static Part> {
    let node = sockets.iter().flat_map(|socket| socket.nodes.iter()).next();
    let simds = |part: &Part| {
        let partition = part.xccs.checked_div(*node?.num_xcc.value()?).unwrap_or(1);
        Some(*node?.simd_count.value()? * partition)
    };
    let expected = |part: &Part| part.xccs * part.cus_per_xcc * part.simds_per_cu;
    let exact = parts.iter().find(|part| simds(part) == Some(expected(part))).copied();
    let part = exact.or_else(|| parts.first().copied())?;
    let id = sockets.first().and_then(Socket::device_id).unwrap_or_default();
    match exact {
        Some(_) => {
            found.found("part", part.machine_name(), format!("PCI id 1002:{id:04x} and {} SIMDs", expected(part)))
        }
        None => found.found("part", part.machine_name(), format!("PCI id 1002:{id:04x}")),
    }
    if parts.len() > 1 && exact.is_none() {
        found.not.push(format!("which of the parts with PCI id {id:04x} it is: {} was taken", part.id));
    }
    let simulated =
        if sockets.first().is_some_and(|socket| socket.parts().1) { &part.vf_pci_ids } else { &part.pci_ids };
    if simulated.first() != Some(&id) {
        let own = simulated.first().copied().unwrap_or_default();
        found.not.push(format!("PCI id {id:04x}: the simulated {} has {own:04x}", part.id));
    }
    Some(part)
}

fn platform(look: &Snapshot, found: &mut Notes) -> Platform {
    let said = whereabouts(look);
    match said.platform.value() {
        Some(&platform) => {
            found.found("platform", platform, said.why.join("; "));
            platform
        }
        None => {
            found.not.push(format!("platform ({}): bare metal was taken", said.why.join("; ")));
            Platform::BareMetal
        }
    }
}

/// By the XCCs of KFD's nodes, which are what they are; the file may be stale, or fail.
fn compute(part: &Part, sockets: &[Socket<'_>], found: &mut Notes) -> Result<ComputeMode, Vec<String>> {
    if !part.partitionable {
        return Ok(ComputeMode::Spx);
    }
    let modes: Vec<(String, ComputeMode, &str)> = sockets
        .iter()
        .filter_map(|socket| {
            let (mode, by) = match (socket.compute_by_nodes(), socket.compute()) {
                (Reading::Value(mode), _) => (mode, "XCCs of KFD's nodes"),
                (_, Reading::Value(mode)) => (mode, "current_compute_partition"),
                (_, Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => return None,
            };
            Some((socket.name(), mode, by))
        })
        .collect();
    let Some((first, mode, by)) = modes.first() else {
        found.not.push("compute mode (no file and no KFD node tells it): SPX was taken".to_owned());
        return Ok(ComputeMode::Spx);
    };
    if let Some((other, different, _)) = modes.iter().find(|(_, other, _)| other != mode) {
        let problem = format!("its GPUs are in different compute modes, {first} in {mode} and {other} in {different}");
        return Err(vec![format!("{problem}: a simulated machine starts with one for all")]);
    }
    found.found("compute", mode, *by);
    Ok(*mode)
}

fn memory(part: &Part, compute: ComputeMode, sockets: &[Socket<'_>], found: &mut Notes) -> MemoryMode {
    if !part.partitionable {
        return MemoryMode::Nps1;
    }
    if let Some(mode) = sockets.iter().find_map(|socket| socket.memory().value().copied()) {
        found.found("memory", mode, "current_memory_partition");
        return mode;
    }
    match sockets.iter().find_map(|socket| socket.memory_by_nodes().value().copied()) {
        Some(mode) => {
            found.found("memory", mode, "the memory of KFD's nodes");
            mode
        }
        None => {
            // The first mode that goes with the compute mode.
            let legal = |mode: &&MemoryMode| {
                facts::kernel_allows(part, compute, **mode, crate::domain::KernelRules::Latest).is_ok()
            };
            let mode = part.memory_modes.iter().find(legal).copied().unwrap_or(MemoryMode::Nps1);
            found.not.push(format!("memory mode (its file cannot be read): {mode} was taken"));
            mode
        }
    }
}

fn alloc_mode(sockets: &[Socket<'_>], found: &mut Notes) -> Option<AllocMode> {
    let mode = sockets.iter().find_map(|socket| socket.sysfs?.alloc_mode.value().copied())?;
    found.found("alloc-mode", mode.name(), "compute_partition_mem_alloc_mode");
    Some(mode)
}

fn pages_limit(look: &Snapshot, part: &Part, gpus: u32, found: &mut Notes) -> Option<u64> {
    let limit = *look.driver.as_ref()?.pages_limit.value()?;
    if !part.apu || default_pages_limit(gpus) == limit {
        return None;
    }
    found.found("pages-limit", limit, "pages_limit of the TTM module");
    Some(limit)
}

fn hives(sockets: &[Socket<'_>], found: &mut Notes) -> Hives {
    let ids: Vec<u64> =
        sockets.iter().map(|socket| socket.sysfs.and_then(|gpu| gpu.hive_id.value().copied()).unwrap_or(0)).collect();
    let half = ids.len().div_ceil(2);
    let same = |ids: &[u64]| ids.windows(2).all(|pair| pair[0] == pair[1]);
    if same(&ids) {
        return Hives::One;
    }
    let (left, right) = ids.split_at(half);
    let (last, others) = ids.split_last().unwrap_or((&0, &[]));
    if *last == 0 && same(others) {
        found.found("hives", "last-outside", "xgmi_hive_id");
        Hives::LastOutside
    } else if same(left) && same(right) {
        found.found("hives", "two", "xgmi_hive_id");
        Hives::Two
    } else {
        found.not.push(format!("how the GPUs are wired ({ids:?}): one hive was taken"));
        Hives::One
    }
}

fn amd_smi(look: &Snapshot, named: Option<ToolVersion>, found: &mut Notes) -> ToolVersion {
    let report = look.version.as_ref().and_then(|asked| asked.answer.value.value());
    if let Some(&version) = report.and_then(|report| report.tool.value()) {
        found.found("amd-smi", version, "amd-smi version");
        return version;
    }
    if let Some(version) = named {
        found.found("amd-smi", version, "host.toml");
        return version;
    }
    let version = Machine::DEFAULT_TOOL;
    found.not.push(format!("version of amd-smi (nobody recorded it): {version} was taken; --amd-smi names another"));
    version
}

fn caller(look: &Snapshot, found: &mut Notes) -> Caller {
    let kfd = look.access.iter().flatten().find(|device| device.path == "/dev/kfd");
    if kfd.is_some_and(|device| matches!(device.access, Access::Denied { .. })) {
        found.found("caller", "user", "/dev/kfd refused whoever recorded it");
        return Caller::User;
    }
    Caller::Actual
}

fn busy(look: &Snapshot, found: &mut Notes) -> bool {
    let holders = look.processes.as_ref().and_then(Reading::value).map_or(0, Vec::len);
    if holders > 0 {
        found.found("busy", true, format!("{holders} in KFD's process list"));
    }
    holders > 0
}

/// What was set, as far as a simulated machine follows it.
fn tuning(look: &Snapshot, found: &mut Notes) -> Tuning {
    let mut tuning = Tuning::default();
    let release = look.kernel.as_ref().and_then(|kernel| kernel.release.value());
    if let Some(release) = release.filter(|release| *release != KERNEL_RELEASE && !is_reference_tree(release)) {
        found.found("tuning.kernel", release, "/proc/sys/kernel/osrelease");
        tuning.kernel = Some(release.clone());
    }
    let driver = look.driver.as_ref();
    if driver.is_some_and(|driver| driver.module == ModuleState::Live && driver.version == Reading::NotReported) {
        found.found("tuning.in-tree", true, "no /sys/module/amdgpu/version");
        tuning.in_tree = true;
    }
    let line = look.kernel.as_ref().and_then(|kernel| kernel.cmdline.value()).map_or("", String::as_str);
    let ours = |word: &&str| MODULES.iter().any(|module| word.split('.').next() == Some(module));
    tuning.cmdline = line.split_whitespace().filter(ours).collect::<Vec<_>>().join(" ");
    if !tuning.cmdline.is_empty() {
        found.found("tuning.cmdline", &tuning.cmdline, "/proc/cmdline");
    }
    tuning
}

fn is_reference(look: &Snapshot) -> bool {
    let release = look.kernel.as_ref().and_then(|kernel| kernel.release.value());
    release.is_some_and(|release| is_reference_tree(release))
}
