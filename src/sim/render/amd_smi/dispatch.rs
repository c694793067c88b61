//! One call from beginning to end: start, command line, command.

use crate::domain::{ComputeMode, ToolVersion};
use crate::sim::fault::Named;
use crate::sim::{Kernel, View, show_faults};

use super::args::select::Identity;
use super::args::{self, Call, Scene};
use super::dialect::{Bugs, Dialect, PartitionCommand};
use super::failure::not_simulated;
use super::generation::Generation;
use super::library::Library;
use super::query::{self, device, metric::MetricSections, static_::StaticSections, version::VersionArgs};
use super::set::Task;
use super::startup::{self, Platform};
use super::{Context, Format, Response, Session, prompt, reset, set};

/// Answers one call. Writes that the tool makes go to `kernel`; saving its state is the caller's job.
/// Bytes that were shown before a question ([`Session::ask`]) are not in the response again.
pub fn answer(kernel: &mut Kernel, tool: ToolVersion, session: &mut Session<'_>) -> Response {
    let generation = Generation::of(tool);
    if kernel.has_fault(Named::LibraryMissing) {
        return startup::without_library(tool);
    }
    if kernel.has_fault(Named::InitHang) {
        return match generation {
            Generation::V27 => startup::gave_up(),
            Generation::V24_5 | Generation::V24_7 | Generation::V25 | Generation::V26 => {
                (session.hang)(b"");
                Response::default()
            }
        };
    }
    if kernel.has_fault(Named::AsksFirst) {
        let mut response = Response::default();
        if prompt::ask(&mut response, session, "") == prompt::Answered::No {
            return response;
        }
    }
    let mut view = kernel.view();
    show_faults::apply_to_tool(kernel, &mut view);
    if let Some(response) = startup::refuse(&view, tool) {
        return response;
    }
    let platform = Platform::of(&view, generation);
    let bugs = bugs(kernel);
    let devices = identities(&view, tool, bugs);
    let profiles = if session.root { profiles(&view) } else { Vec::new() };
    let choices = choices(&profiles);
    let banner = startup::banner(tool, platform);
    let scene = Scene {
        generation,
        platform,
        lacks: if Dialect::of(tool).partition == PartitionCommand::Absent { &["partition"] } else { &[] },
        devices: &devices,
        accelerators: (!choices.is_empty()).then_some(choices.as_slice()),
        banner: &banner,
        choices_one_string: kernel.has_fault(Named::SetChoicesOneString),
    };
    if (tool.major, tool.minor) == (24, 6) && session.args.first().is_some_and(|arg| arg == "reset") {
        // 6.2 resets partition modes as 6.1 does (facts/amd-smi.md 1.2); the rest of its options is not known.
        let mut response = Response::default();
        not_simulated(&mut response, "`reset` of 24.6");
        return response;
    }
    let noise = startup::noise(&view, tool);
    if !profiles.is_empty() && platform.bare_metal() && builds_set(generation, session.args) {
        view.devices.first().into_iter().for_each(|device| kernel.walk_profiles(device.gpu));
    }
    let call = match args::read(session.args, &scene) {
        Ok(call) => call,
        Err(response) => return response.after_noise(noise),
    };
    let all: Vec<usize> = (0..devices.len()).collect();
    let targets = call.targets.as_deref().unwrap_or(&all);
    if kernel.has_fault(Named::MissingGroups)
        && !session.root
        && let Some(response) = startup::without_groups(tool)
    {
        return response.after_noise(noise);
    }
    let ctx = Context { view: &view, tool, format: call.format, targets, root: session.root, bugs };
    if let Some(response) = query(&call, &ctx, &devices) {
        // One that crashed did so before it came to the profiles.
        for gpu in walked(&call, &ctx).into_iter().filter(|_| response.code == 0) {
            kernel.walk_profiles(gpu);
        }
        return response;
    }
    let handles = view.devices.iter().map(|device| (device.gpu, device.partition)).collect();
    let task = Task {
        call: &call,
        targets,
        devices: &devices,
        profiles: &profiles,
        bare_metal: platform.bare_metal(),
        library: Library { kernel, tool, root: session.root, noise: String::new(), waits_for_ever: false, handles },
        session,
        out: Response::default(),
    };
    match call.command {
        "set" => set::run(task).after_noise(noise),
        "reset" => reset::run(task).after_noise(noise),
        other => {
            let mut response = Response::default();
            not_simulated(&mut response, &format!("`{other}`"));
            response
        }
    }
}

/// Commands that only ask. `None` for the others.
fn query(call: &Call, ctx: &Context<'_>, devices: &[Identity]) -> Option<Response> {
    let has = |name: &str| call.has(name);
    let known: &[&str] = match call.command {
        "version" => &["--gpu_version", "--cpu_version", "--nic_version"],
        "list" => &["-e", "--enumeration"],
        "static" => &["--asic", "--bus", "--vbios", "--ifwi", "--driver", "--vram", "--board", "--partition"],
        "partition" => &["--current", "--memory", "--accelerator"],
        "metric" => &["--mem-usage"],
        "default" => &[],
        _ => return None,
    };
    let other = |name: &&str| !known.contains(name) && *name != "--loglevel";
    if let Some(name) = call.options.iter().map(|(name, _)| *name).find(other) {
        let mut response = Response::default();
        not_simulated(&mut response, &format!("`{} {name}`", call.command));
        return Some(response);
    }
    debug_assert!(ctx.targets.iter().all(|&target| target < devices.len()));
    Some(match call.command {
        "version" => {
            let args = VersionArgs {
                gpu_driver: has("--gpu_version"),
                cpu_driver: has("--cpu_version"),
                nic_driver: has("--nic_version"),
            };
            query::version::render(ctx, args)
        }
        "list" => query::list::render(ctx, has("-e") || has("--enumeration")),
        "static" => {
            let sections = StaticSections {
                asic: has("--asic"),
                bus: has("--bus"),
                vbios: has("--vbios") || has("--ifwi"),
                driver: has("--driver"),
                board: has("--board"),
                vram: has("--vram"),
                partition: has("--partition"),
            };
            query::static_::render(ctx, sections)
        }
        "partition" => query::partition::render(ctx, has("--current"), has("--memory"), has("--accelerator")),
        "metric" => query::metric::render(ctx, MetricSections { mem_usage: has("--mem-usage") }),
        _ => query::default_table::render(ctx),
    })
}

/// Whether the tool builds its parser of `set`, for whose choices it reads the profiles of the first GPU: whatever becomes
/// of the call. From 6.4 on; it builds all parsers for help, else that of the first command in this order that is named.
/// Source: writes that were counted under 26.2.1 and 27.1.0.
fn builds_set(generation: Generation, args: &[String]) -> bool {
    const ORDER: [&str; 12] = [
        "version",
        "list",
        "static",
        "firmware",
        "ucode",
        "bad-pages",
        "metric",
        "process",
        "profile",
        "event",
        "topology",
        "set",
    ];
    if generation < Generation::V25 {
        return false;
    }
    let named = |word: &str| args.iter().any(|arg| arg == word);
    let help = named("-h") || named("--help");
    help || ORDER.into_iter().find(|word| named(word)) == Some("set")
}

/// GPUs whose profiles a query reads by writing them one after the other, which only root may (facts/amd-smi.md 1.4).
fn walked(call: &Call, ctx: &Context<'_>) -> Vec<usize> {
    let writes = match Dialect::of(ctx.tool).partition {
        PartitionCommand::Several | PartitionCommand::Combined => ctx.root && call.command == "partition",
        PartitionCommand::Absent | PartitionCommand::Separate { .. } => false,
    };
    let shown = call.has("--accelerator") || !(call.has("--current") || call.has("--memory"));
    let primaries = device::chosen(ctx).into_iter().filter(|seen| writes && shown && seen.primary());
    primaries.map(|seen| seen.device.gpu).collect()
}

/// Bugs of the tool that this machine has switched on.
fn bugs(kernel: &Kernel) -> Bugs {
    Bugs {
        whole_gpu_memory: kernel.has_fault(Named::WholeGpuMemory),
        secondaries_na: kernel.has_fault(Named::SecondariesNa),
        uuid_shared: kernel.has_fault(Named::UuidShared),
    }
}

/// What every device answers to.
fn identities(view: &View, tool: ToolVersion, bugs: Bugs) -> Vec<Identity> {
    let ctx = Context { view, tool, format: Format::Human, targets: &[], root: false, bugs };
    let identity = |seen: &device::Seen<'_>| Identity { bdf: seen.bdf(), uuid: seen.uuid() };
    device::all(&ctx).iter().map(identity).collect()
}

/// The accelerator profiles that `set` offers: those of the first GPU. One without partitions offers none, for all.
fn profiles(view: &View) -> Vec<ComputeMode> {
    let first = view.devices.first().and_then(|device| view.gpus.get(device.gpu));
    let files = first.and_then(|gpu| gpu.partition.as_ref());
    files.map(|files| files.profiles.iter().map(|profile| profile.mode).collect()).unwrap_or_default()
}

/// Types, then indexes: what `set -C` takes from 6.4 on.
fn choices(profiles: &[ComputeMode]) -> Vec<String> {
    let types = profiles.iter().map(|mode| mode.name().to_owned());
    types.chain((0..profiles.len()).map(|index| index.to_string())).collect()
}
