//! `validate partition plan --model`: in which modes models fit, which device each gets, and what to use there.

use anyhow::anyhow;

use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome as Ended};
use crate::domain::Bytes;
use crate::placement::{
    Closest, Devices, Instance, Known, Lacking, Mode, ModelPlan, Outcome, Room, Sizes, Wanted as Model, devices_of,
    plan_models,
};
use crate::run::{Wanted, look};
use crate::topology::sockets;
use crate::witness::Snapshot;
use crate::witness::amd_smi;

use super::choose::{MachineArgs, Session, places};
use super::models::ModelArgs;
use super::page::{self, Document, Format, Page};

/// Plans.
///
/// # Errors
/// A model or GPU is not known, or a device cannot be named as it is to be.
pub fn run(session: &Session, machine: &MachineArgs, models: &ModelArgs, format: Format) -> Ended {
    let wishes = models.wishes()?;
    let seen = looked(session);
    let all = sockets(&seen);
    let gpus: Vec<_> = places(machine, &all)?.into_iter().filter_map(|place| all.get(place)).collect();
    some_device(&devices_of(&seen, &gpus))?;
    let plan = plan_models(&seen, &gpus, &wishes, models.ceiling(), &models.style()).map_err(Failure::usage)?;
    if let Some(signal) = session.signal() {
        return Ok(Exit::Interrupted(signal));
    }
    let about = session.about();
    let text = match format {
        Format::Json => page::json(&Document::of(session.host.provenance(), &about, &plan))?,
        Format::Human => human(&plan, &about),
    };
    console::print(text.as_bytes()).map_err(Failure::unavailable)?;
    Ok(match plan.outcome {
        Outcome::Now | Outcome::InOtherModes { .. } => Exit::Done,
        Outcome::Nowhere { .. } => Exit::Run(1),
    })
}

/// Models need devices that say what they have.
///
/// # Errors
/// None of these GPUs has one.
pub fn some_device(devices: &Devices) -> Result<(), Failure> {
    if !devices.usable.is_empty() {
        return Ok(());
    }
    let why: String = devices.unusable.iter().map(|why| format!("; {why}")).collect();
    Err(Failure::unavailable(anyhow!(
        "no logical device of these GPUs can be read from the KFD topology, so nothing is known of their memory{why}; \
         `validate doctor` says what stands in the way"
    )))
}

/// What models need to know of a machine: the kernel's trees, and HIP's free memory.
pub fn looked(session: &Session) -> Snapshot {
    let wanted = Wanted { hip: true, ..Wanted::trees() };
    look(&session.host, &wanted, amd_smi::Format::Json, &session.asking)
}

fn human(plan: &ModelPlan, about: &str) -> String {
    let mut page = Page::new();
    for model in &plan.models {
        page.labelled("model", &model_line(model));
    }
    page.gap();
    let header = ["modes", "devices", "each", "fits", "largest\nalone", "KV\ntokens", "sizes"];
    page.table(&header, plan.modes.iter().map(|mode| mode_row(mode, plan)).collect());
    for mode in plan.modes.iter().filter(|mode| mode.in_force) {
        if let Some(all) = mode.under_all {
            let text = format!(
                "under CAPPING, the default, a device allocates what it reports; under ALL up to {all}, which it shares with \
                 its neighbours. Its total, and so vLLM's share of it, stays the same"
            );
            page.labelled("ALL", &text);
        }
    }
    for note in &plan.notes {
        page.labelled("note", note);
    }
    for instance in &plan.placed {
        page.gap();
        show_instance(&mut page, instance);
    }
    page.gap();
    for each in &plan.refused {
        page.labelled("refused", &format!("no device in the modes in force: {}", told(each)));
    }
    page.labelled("", &verdict(plan));
    page.labelled("on", about);
    page.text()
}

fn verdict(plan: &ModelPlan) -> String {
    match &plan.outcome {
        Outcome::Now => "everything fits in the modes in force; nothing was touched".to_owned(),
        Outcome::InOtherModes { modes } => {
            let (compute, memory) = modes[0].split_once('/').unwrap_or((&modes[0], "?"));
            format!(
                "they do not all fit in the modes in force, but in {}; next: validate partition plan --compute {compute} \
                 --memory {memory}",
                modes.join(", ")
            )
        }
        Outcome::Nowhere { closest: Closest { model, mode, lacks } } => {
            format!(
                "they fit in no mode of this machine: {model} lacks {} in {mode}, which comes closest",
                exact(*lacks)
            )
        }
    }
}

/// Which model lacks what.
pub fn told(lacking: &Lacking) -> String {
    let Lacking { model, instances, lacks } = lacking;
    match instances {
        1 => format!("{model} lacks {}", exact(*lacks)),
        several => format!("{several} x {model} lack {} each", exact(*lacks)),
    }
}

/// One instance: its device and share, and what to use there.
pub fn show_instance(page: &mut Page, instance: &Instance) {
    let Instance { model, device, share, budget, tokens, recipe } = instance;
    let budget = gib(*budget);
    page.labelled("place", &format!("{model} on {device}: share {share} ({budget}), KV cache of {tokens} tokens"));
    page.copied("run", &recipe.shell());
    if !recipe.docker.is_empty() {
        page.copied("docker", &recipe.docker.join(" "));
    }
    let mixed = recipe.kubernetes_mixed.as_ref().map(|name| format!(", or {name}: 1 with the strategy mixed"));
    page.labelled("k8s", &format!("{}: 1{}", recipe.kubernetes_single, mixed.unwrap_or_default()));
    for note in &recipe.notes {
        page.labelled("note", note);
    }
}

/// What an instance needs, as a sum. Names of models are long: in a column of a table they would be broken.
fn model_line(model: &Model) -> String {
    let weights = Bytes(model.need.weights.0.saturating_add(model.need.overhead.0));
    let copies = if model.copies == 1 { String::new() } else { format!(" x {}", model.copies) };
    let known = match &model.known {
        Known::Facts { id } => format!("facts: {id}"),
        Known::CommandLine => "the command line".to_owned(),
        Known::Config { computed: true } => "config.json, parameters computed".to_owned(),
        Known::Config { computed: false } => "config.json, parameters given".to_owned(),
    };
    format!(
        "{}{copies} in {}: weights {} + KV cache {} for {} tokens + reserve {} = {} (known from {known})",
        model.model,
        model.dtype,
        gib(weights),
        gib(model.need.kv_cache),
        model.max_model_len,
        gib(model.need.reserve),
        gib(model.total)
    )
}

fn mode_row(mode: &Mode, plan: &ModelPlan) -> Vec<String> {
    let instances: u32 = plan.models.iter().map(|model| model.copies).sum();
    let each: Vec<_> = mode.each.iter().map(|alike| format!("{} x {}", alike.count, alike.size)).collect();
    vec![
        format!("{}{}", mode.name(), if mode.in_force { " (now)" } else { "" }),
        mode.devices.to_string(),
        each.join("\n"),
        if mode.fits { "yes".to_owned() } else { format!("{} of {instances}", mode.placed) },
        match mode.room {
            Room::Spare(spare) => format!("{} spare", gib(spare)),
            Room::Lacks(lacks) => format!("lacks {}", gib(lacks)),
        },
        mode.tokens.to_string(),
        match mode.sizes {
            Sizes::Measured => "measured".to_owned(),
            Sizes::Computed => "computed".to_owned(),
        },
    ]
}

/// To a decimal of a GiB: for people; documents have bytes.
pub fn gib(bytes: Bytes) -> String {
    let tenths = (u128::from(bytes.0) * 10 + (1 << 29)) >> 30;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// `123 bytes (0.1 GiB)`.
pub fn exact(bytes: Bytes) -> String {
    format!("{} bytes ({})", bytes.0, gib(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people_are_rounded_and_what_is_lacking_is_exact() {
        for (bytes, shown) in [
            (0, "0 bytes (0.0 GiB)"),
            (1 << 30, "1073741824 bytes (1.0 GiB)"),
            ((1 << 30) + (1 << 29), "1610612736 bytes (1.5 GiB)"),
            ((2 << 30) - 1, "2147483647 bytes (2.0 GiB)"),
        ] {
            assert_eq!(exact(Bytes(bytes)), shown);
        }
        assert!(gib(Bytes(u64::MAX)).starts_with("17179869184.0"));
    }
}
