//! `validate probe`: what probes there are, and one of them by hand.

mod evidence;
mod soak;
mod supervised;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use super::console;
use super::exit::{Exit, Failure, Outcome};
use super::list::Screen;
use super::session::Earlier;
use super::values::{kind, quoted, time, variable};
use super::workers::WorkerArgs;
use super::{Parsed, dropped, resume, stand};
use crate::probe::catalogue::{self, Probe};
use crate::probe::engine::reference;
use crate::probe::protocol::Kind;
use crate::probe::record::ProbeRecord;
use crate::probe::spec::{Conv, Direction, Dtype, Operation, Work, extents};
use crate::probe::stand::{Engine, Stand};
use crate::probe::supervise::Limits;
use crate::probe::warm::WarmParent;
use crate::probe::{Numbers, Output, ProbeSpec, judge};

use supervised::Supervising;

/// Format name and major version of the journal.
const SCHEMA: &str = "rocvet.probes/1";

/// Runs operations whose numbers are known, and judges what comes out.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ProbeArgs {
    #[command(subcommand)]
    command: Option<ProbeCommand>,
    #[command(flatten)]
    one: OneArgs,
}

#[derive(Debug, Subcommand)]
enum ProbeCommand {
    /// List the probes of the catalogue, with why each is there
    List(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// How to print [default: human on a terminal, else ids]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// How `list` prints.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A table
    Human,
    /// One JSON document, each probe with the specifications that a worker reads
    Json,
    /// One computation on each line
    Ids,
}

#[derive(Debug, Args)]
struct OneArgs {
    /// A name of the catalogue (conv-boundary), a computation in full (matmul/f16/64x64x64), or an operation (conv2d,
    /// softmax, …) with --shape
    #[arg(required = true, value_name = "PROBE")]
    probes: Vec<String>,
    /// Number format; of a name of the catalogue, only the probes in it [default: f32, or all of the catalogue's]
    #[arg(long, value_parser = dtype)]
    dtype: Option<Dtype>,
    /// Extents of the input: batch, channels and the rest, like 1x16x44x44
    #[arg(long, value_name = "AxB…", value_parser = sizes)]
    shape: Option<Sizes>,
    #[command(flatten)]
    conv: ConvArgs,
    /// What the inputs are made of
    #[arg(long, default_value_t = ProbeSpec::SEED)]
    seed: u32,
    /// What computes it [default: the engine of --worker, else reference]
    #[arg(long, value_parser = engine, value_name = "reference|simulated|torch|python")]
    engine: Option<Engine>,
    #[command(flatten)]
    worker: ProcessArgs,
}

/// What a worker in a process of its own has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Workers (every engine but reference)")]
struct ProcessArgs {
    /// Simulated machine whose GPU is used: a folder that `validate shim` made
    #[arg(long, value_name = "DIR", required_if_eq("engine", "simulated"))]
    host: Option<PathBuf>,
    #[command(flatten)]
    programs: WorkerArgs,
    /// Where torch or python computes [default: gpu]
    #[arg(long, value_name = "gpu|cpu", value_parser = kind)]
    on: Option<Kind>,
    /// Variable of the worker, like HSA_ENABLE_SDMA=0; nothing of this shell's environment reaches it by itself. May be
    /// given several times
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// Run each probe in so many processes, one after the other, and say how many of them passed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
    /// Run the probes in turn, each again and again, until so much time is over: 90s, 30m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "repeat")]
    soak: Option<Duration>,
    /// Longest time to the first result, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Folder for results [default: ./results in a checkout, else the state folder of this user]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Go on with probes that were cut off, by their folder or id: what ended is kept, and the rest is run as it was begun
    #[arg(long, value_name = "RUN", exclusive = true)]
    resume: Option<String>,
}

/// What a convolution has beside its input.
#[derive(Debug, Args)]
#[command(next_help_heading = "Convolutions")]
struct ConvArgs {
    /// Number of filters and their extents, like 32x3x3
    #[arg(long, value_name = "NxAxB…", value_parser = sizes, requires = "shape")]
    filters: Option<Sizes>,
    /// One number, or one for each extent [default: 1]
    #[arg(long, value_parser = sizes, requires = "filters")]
    stride: Option<Sizes>,
    /// One number, or one for each extent [default: 0]
    #[arg(long, value_parser = sizes, requires = "filters")]
    padding: Option<Sizes>,
    /// One number, or one for each extent [default: 1]
    #[arg(long, value_parser = sizes, requires = "filters")]
    dilation: Option<Sizes>,
    /// Independent groups of channels [default: 1]
    #[arg(long, requires = "filters")]
    groups: Option<usize>,
    /// Which of its computations [default: forward]
    #[arg(long, value_parser = direction, value_name = "forward|backward-data|backward-weights", requires = "filters")]
    direction: Option<Direction>,
}

/// Extents as they are written: `1x16x44x44`.
#[derive(Debug, Clone)]
struct Sizes(Vec<usize>);

fn sizes(text: &str) -> Result<Sizes, String> {
    extents(text).map(Sizes)
}

fn dtype(text: &str) -> Result<Dtype, String> {
    text.parse().map_err(|_| "one of f32, f16, bf16, f64".to_owned())
}

fn engine(text: &str) -> Result<Engine, String> {
    let known = || Engine::ALL.map(Engine::name).join(", ");
    Engine::ALL.into_iter().find(|each| each.name() == text).ok_or_else(|| format!("one of {}", known()))
}

fn direction(text: &str) -> Result<Direction, String> {
    let known = || Direction::ALL.map(Direction::name).join(", ");
    Direction::ALL.into_iter().find(|each| each.name() == text).ok_or_else(|| format!("one of {}", known()))
}

/// # Errors
/// There is no such probe, or its engine is not there.
pub fn run(args: &ProbeArgs) -> Outcome {
    match &args.command {
        Some(ProbeCommand::List(args)) => {
            super::print(list(args, console::screen()).map_err(|error| Failure::from(anyhow!(error)))?.as_bytes())
        }
        None => match &args.one.worker.resume {
            None => args.one.run(None),
            Some(run) => {
                let earlier = Earlier::take_up(SCHEMA, run)?;
                match super::parsed(&earlier.command)? {
                    Parsed::Probe(args) => args.one.run(Some(earlier)),
                    Parsed::Run(_) | Parsed::Matrix(_) | Parsed::Shrink(_) | Parsed::Other => {
                        Err(resume::other_command(&earlier.command, "probe"))
                    }
                }
            }
        },
    }
}

fn list(args: &ListArgs, screen: Screen) -> Result<String, serde_json::Error> {
    let default = if screen.terminal { Format::Human } else { Format::Ids };
    Ok(match args.format.unwrap_or(default) {
        Format::Human => table(screen),
        Format::Ids => {
            let specs = catalogue::catalogue().iter().flat_map(|probe| &probe.specs);
            specs.map(|spec| spec.id() + "\n").collect()
        }
        Format::Json => {
            let probe = |probe: &Probe| {
                let specs = probe.specs.iter().map(|spec| serde_json::json!({ "id": spec.id(), "spec": spec }));
                serde_json::json!({
                    "name": probe.name, "title": probe.title, "why": probe.why, "source": probe.source,
                    "probes": specs.collect::<Vec<_>>(),
                })
            };
            let probes: Vec<_> = catalogue::catalogue().iter().map(probe).collect();
            serde_json::to_string_pretty(&serde_json::json!({ "schema": 1, "probes": probes }))? + "\n"
        }
    })
}

fn table(screen: Screen) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    match screen.width {
        Some(width) => table.set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(["probe", "formats", "n", "what", "why"]);
    for probe in catalogue::catalogue() {
        let dtypes: Vec<_> = probe.dtypes().iter().map(|dtype| dtype.name()).collect();
        table.add_row([&probe.name, &dtypes.join(" "), &probe.specs.len().to_string(), &probe.title, &probe.why]);
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    lines.concat() + "\nrun one with: validate probe NAME; `validate explain probe.NAME` has its shapes and source\n"
}

impl OneArgs {
    fn run(&self, earlier: Option<Earlier<ProbeRecord>>) -> Outcome {
        let specs = self.specs().map_err(|problem| Failure::usage(anyhow!(problem)))?;
        let named = &self.worker.programs;
        let engine = self.engine.or_else(|| named.only()).unwrap_or(Engine::Reference);
        if let Some(other) = named.engines().find(|other| *other != engine) {
            let (other, engine) = (other.name(), engine.name());
            let problem = format!("--worker names the engine {other}, and what computes is {engine}: --engine {other}");
            return Err(Failure::usage(anyhow!(problem)));
        }
        match (engine, self.worker.on) {
            (Engine::Reference, None | Some(Kind::Cpu)) if self.worker.soak.is_some() => {
                self.supervised(specs, stand::here(named, engine, Kind::Cpu)?, String::new(), earlier)
            }
            (Engine::Reference, None | Some(Kind::Cpu)) => self.here(&specs),
            (Engine::Reference, Some(Kind::Gpu)) => {
                Err(Failure::usage(anyhow!("the engine reference computes on the CPU; torch and python on a GPU")))
            }
            (Engine::Simulated, None | Some(Kind::Gpu)) => self.simulated(specs, earlier),
            (Engine::Simulated, Some(Kind::Cpu)) => {
                Err(Failure::usage(anyhow!("the engine simulated is the GPU of a simulated machine; leave --on out")))
            }
            (Engine::Torch | Engine::Python, on) => {
                let stand = stand::here(named, engine, on.unwrap_or(Kind::Gpu))?;
                let program = quoted(&stand.worker.program.display().to_string());
                let place = format!(" --worker {}={program} --on {}", engine.name(), stand.on.name());
                self.supervised(specs, stand, place, earlier)
            }
        }
    }

    /// By the reference engine, in this process.
    fn here(&self, specs: &[ProbeSpec]) -> Outcome {
        let mut wrong = 0;
        for spec in specs {
            let numbers = computed(spec).map_err(Failure::unavailable)?;
            super::print(told(spec, &numbers).as_bytes())?;
            wrong += usize::from(matches!(numbers, Numbers::Wrong { .. }));
        }
        let (count, right) = (specs.len(), specs.len() - wrong);
        console::note(&format!(
            "{right} of {count} right, computed by this program on the CPU: this says nothing about any GPU"
        ));
        Ok(Exit::Run(u8::from(wrong > 0)))
    }

    fn simulated(&self, specs: Vec<ProbeSpec>, earlier: Option<Earlier<ProbeRecord>>) -> Outcome {
        let Some(host) = &self.worker.host else {
            return Err(Failure::usage(anyhow!("--engine simulated needs --host; `validate shim DIR` makes one")));
        };
        let place = format!(" --host {}", quoted(&host.display().to_string()));
        self.supervised(specs, stand::in_folder(host)?, place, earlier)
    }

    fn supervised(
        &self,
        specs: Vec<ProbeSpec>,
        stand: Stand,
        place: String,
        earlier: Option<Earlier<ProbeRecord>>,
    ) -> Outcome {
        let first = Duration::from_secs(self.worker.timeout);
        let mut stand = Stand { limits: Limits { first, ..stand.limits }, ..stand };
        let mut place = place;
        for (name, value) in &self.worker.variables {
            stand.worker.env.push((name.into(), value.into()));
            place += &format!(" --env {}", quoted(&format!("{name}={value}")));
        }
        dropped::note(&self.worker.variables.iter().map(|(name, _)| name.clone()).collect(), dropped::How::Option);
        // Loaded once for all on the CPU. Where that is not possible each probe is a fresh process, which says what is wrong.
        let several = specs.len() > 1 || self.worker.repeat > 1 || self.worker.soak.is_some();
        let warm = if several && stand.engine == Engine::Torch { WarmParent::start(&stand).ok() } else { None };
        let stand = warm.as_ref().map_or(stand, |warm| warm.stand().clone());
        let supervising = Supervising { specs, repeat: self.worker.repeat, stand, place };
        match self.worker.soak {
            Some(time) => soak::run(&supervising, time),
            None => supervising.run(earlier, self.worker.results.as_deref()),
        }
    }

    /// What is meant.
    fn specs(&self) -> Result<Vec<ProbeSpec>, String> {
        let mut specs = Vec::new();
        for probe in &self.probes {
            specs.extend(self.specs_of(probe)?);
        }
        Ok(specs)
    }

    fn specs_of(&self, text: &str) -> Result<Vec<ProbeSpec>, String> {
        let mut specs = match (catalogue::named(text), text.split_once('/'), &self.shape) {
            (Some(probe), _, None) => {
                let wanted = |spec: &&ProbeSpec| match (&spec.work, self.dtype) {
                    (Work::Compute { dtype, .. }, Some(wanted)) => *dtype == wanted,
                    (Work::Compute { .. } | Work::Memory { .. }, _) => true,
                };
                probe.specs.iter().filter(wanted).cloned().collect()
            }
            (None, Some(_), None) if self.dtype.is_none() => vec![text.parse().map_err(as_text)?],
            (Some(_) | None, Some(_), _) => return Err("a computation in full has its format and its shape".to_owned()),
            (_, None, Some(shape)) => vec![self.by_hand(text, shape)?],
            (None, None, None) => return Err(unknown(text)),
        };
        if specs.is_empty() {
            return Err(format!("{text} has no probe in that format; `validate probe list` has the formats"));
        }
        for spec in &mut specs {
            spec.seed = self.seed;
        }
        Ok(specs)
    }

    /// An operation with a shape.
    fn by_hand(&self, name: &str, Sizes(shape): &Sizes) -> Result<ProbeSpec, String> {
        let dtype = self.dtype.unwrap_or(Dtype::F32);
        let plain = name.strip_suffix("-transposed").unwrap_or(name);
        if !["conv1d", "conv2d", "conv3d"].contains(&plain) {
            if self.conv.filters.is_some() {
                return Err(format!("{name} is no convolution, and has no --filters"));
            }
            let shape: Vec<_> = shape.iter().map(usize::to_string).collect();
            return format!("{name}/{dtype}/{}", shape.join("x")).parse().map_err(as_text);
        }
        let Some(Sizes(filters)) = &self.conv.filters else {
            return Err(format!("{name} needs --filters, like --filters 32x3x3"));
        };
        let (filters, kernel) = filters.split_first().ok_or("--filters is empty")?;
        if plain != format!("conv{}d", kernel.len()) {
            return Err(format!("{plain} does not go with a filter of {} extents", kernel.len()));
        }
        let mut conv = Conv::plain(shape, *filters, kernel);
        let given = [
            (&self.conv.stride, &mut conv.stride),
            (&self.conv.padding, &mut conv.padding),
            (&self.conv.dilation, &mut conv.dilation),
        ];
        for (given, value) in given {
            match given.as_ref().map(|Sizes(given)| given.as_slice()) {
                None => {}
                Some([one]) => value.fill(*one),
                Some(several) => *value = several.to_vec(),
            }
        }
        conv.groups = self.conv.groups.unwrap_or(1);
        conv.direction = self.conv.direction.unwrap_or(Direction::Forward);
        conv.transposed = plain != name;
        let spec = ProbeSpec::compute(Operation::Conv(conv), dtype);
        spec.check().map_err(as_text)?;
        Ok(spec)
    }
}

fn as_text(error: crate::probe::SpecError) -> String {
    error.to_string()
}

fn unknown(text: &str) -> String {
    let names = catalogue::catalogue().iter().map(|probe| probe.name.as_str());
    let near = names
        .map(|name| (strsim::jaro_winkler(name, text), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8);
    let near = near.map(|(_, name)| format!(" (nearest: {name})")).unwrap_or_default();
    let text: String = text.chars().take(60).collect();
    format!("no probe is called {text:?}{near}; `validate probe list` has all, and an operation needs --shape")
}

fn computed(spec: &ProbeSpec) -> Result<Numbers, reference::NotComputed> {
    let (result, oracle) = (reference::run(spec)?, reference::oracle(spec)?);
    Ok(match &spec.work {
        Work::Compute { operation, dtype } => judge(operation, *dtype, &Output::of(&result), &oracle),
        Work::Memory { .. } => return Err(reference::NotComputed::NoDevice(spec.id())),
    })
}

fn told(spec: &ProbeSpec, numbers: &Numbers) -> String {
    let word = match numbers {
        Numbers::Right(_) => "ok   ",
        Numbers::Wrong { .. } => "WRONG",
    };
    let again = match numbers {
        Numbers::Right(_) => String::new(),
        Numbers::Wrong { .. } => {
            format!("    again  validate probe {} --seed {} --engine reference\n", spec.id(), spec.seed)
        }
    };
    format!("{word}  {}\n    {numbers}\n{again}", spec.id())
}
