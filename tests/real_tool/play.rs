//! One scene on both sides: the real tool over the machine's tree, the shim on the machine, call by call.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rocvet::domain::{ComputeMode, Ended, ToolVersion};
use rocvet::host::HOST_VARIABLE;
use rocvet::host::simulated::{Faces, create, load};
use rocvet::process::{Limits, Outcome, Spec, run};
use rocvet::sim::{Caller, Kernel, Machine, State};

use crate::accepted::Accepted;
use crate::compare::{self, Compared};
use crate::lane::{Lane, RELOADERS, Way};
use crate::plan::{self, Call, Scene};

/// Longest that one call takes: 27.x gives up on a driver after a minute.
const DEADLINE: Duration = Duration::from_secs(90);

/// What one side did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How it ended.
    pub ended: Ended,
    /// The machine afterwards.
    pub state: String,
}

/// Plays a scene; one result for each call.
///
/// # Errors
/// A side could not be set up, so that nothing was compared.
pub fn scene(scene: &Scene, lane: &Lane, scratch: &Path, accepted: &Accepted) -> Result<Vec<Compared>, String> {
    against(scene, &scene.machine, lane, scratch, accepted)
}

/// Sees that a lane tells machines apart: a shim of another mode must differ from the real tool in every call.
///
/// # Errors
/// It does not, or could not be tried: whatever is compared in this lane means nothing.
pub fn planted_difference(tool: ToolVersion, lane: &Lane, scratch: &Path, accepted: &Accepted) -> Result<(), String> {
    let text =
        "[groups]\n[[scene]]\nmachine = 'mi300x'\nmodes = ['CPX/NPS1']\ncalls = ['list --json', 'static -p --json']";
    let scene = plan::read(text, tool, false)?.pop().ok_or("no scene to plant a difference in")?;
    let other = Machine { compute: ComputeMode::Dpx, ..scene.machine.clone() };
    let compared = against(&scene, &other, lane, scratch, accepted)?;
    let blind = compared.iter().find(|each| !matches!(each.outcome, compare::Outcome::Different(_)));
    blind.map_or(Ok(()), |each| Err(format!("a planted difference was not seen: {}", each.name)))
}

fn against(
    scene: &Scene,
    other: &Machine,
    lane: &Lane,
    scratch: &Path,
    accepted: &Accepted,
) -> Result<Vec<Compared>, String> {
    let folder = tempfile::tempdir_in(scratch).map_err(|error| error.to_string())?;
    let (real, shim) = (folder.path().join("real"), folder.path().join("shim"));
    create(&real, &scene.machine, Faces::Both).map_err(|error| error.to_string())?;
    create(&shim, other, Faces::Tool).map_err(|error| error.to_string())?;
    let shown = lane.show(&real)?;
    let user = scene.machine.caller == Caller::User;
    // Where the reference transcripts were made there was no modprobe.
    let first = (!scene.machine.quirks.reference_tree).then_some(RELOADERS);
    let mut compared = Vec::new();
    for call in &scene.calls {
        let mut words = vec!["/usr/bin/amd-smi"];
        words.extend(call.args.iter().map(String::as_str));
        let way = Way { user, first, stdin: call.stdin.as_deref(), deadline: DEADLINE };
        let outcome = shown.run(&words, way);
        // Where the reference transcripts were made the profiles were put back, and so the shim leaves them.
        let selected = if scene.machine.quirks.reference_tree { Vec::new() } else { shown.selected() };
        let theirs = answer(outcome, &load_kernel(&real)?, selected);
        let outcome = shim_call(&shim, call);
        let kernel = load_kernel(&shim)?;
        let ours = answer(outcome, &kernel, selected_of(&kernel));
        compared.push(compare::compare(scene, call, &theirs, &ours, accepted));
    }
    Ok(compared)
}

fn shim_call(host: &Path, call: &Call) -> Outcome {
    run(&Spec {
        arg0: Some("amd-smi".into()),
        args: call.args.iter().map(Into::into).collect(),
        env: vec![(HOST_VARIABLE.into(), host.into())],
        stdin: call.stdin.as_ref().map(|line| line.as_bytes().to_vec()),
        limits: Limits { deadline: DEADLINE, ..Limits::default() },
        ..Spec::new(env!("CARGO_BIN_EXE_validate"))
    })
}

fn load_kernel(host: &Path) -> Result<Kernel, String> {
    load(host).map_err(|error| error.to_string())
}

fn answer(outcome: Outcome, kernel: &Kernel, selected: Vec<String>) -> Answer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Answer {
        stdout: text(&outcome.stdout),
        stderr: text(&outcome.stderr),
        ended: outcome.ended,
        state: modes(kernel.state(), &selected),
    }
}

/// As [`crate::lane::Shown::selected`].
fn selected_of(kernel: &Kernel) -> Vec<String> {
    let gpus = kernel.view().gpus;
    let selected = gpus.iter().zip(&kernel.state().selected);
    selected.filter_map(|(gpu, mode)| Some(format!("xcp_config of {}: {}", gpu.bdf, (*mode)?))).collect()
}

/// What a set may change. How often the tool was called, and how often it wrote, is no state of the machine.
fn modes(state: &State, selected: &[String]) -> String {
    let mut text = String::new();
    for (gpu, compute) in state.compute.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "GPU {gpu}: {compute}");
    }
    let _ = writeln!(text, "memory: {}, asked for: {:?}", state.memory, state.memory_requested);
    selected.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    text
}
