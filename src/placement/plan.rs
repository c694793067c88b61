//! The whole answer: which modes hold the models, which device each gets now, and what to use there.

use serde::Serialize;

use crate::domain::{AllocMode, Bdf, Bytes, ComputeMode, MemoryMode};
use crate::topology::{Socket, sockets};
use crate::witness::Snapshot;

use super::{
    Allocation, Devices, Dtype, Known, KvDtype, ModeFit, Need, NoUuid, Recipe, Room, Share, Sizes, Style, Wish,
    alloc_mode, allocate, devices, instances, measured_slots, mode_fits, modes,
};

/// First port of the servers; vLLM's own default.
pub const FIRST_PORT: u16 = 8000;

/// What runs where.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelPlan {
    /// What is wanted, with what one instance of each needs.
    pub models: Vec<Wanted>,
    /// Most of a device that its models may have together.
    pub ceiling: Share,
    /// The modes, the one in force first.
    pub modes: Vec<Mode>,
    /// Whether, and how, all of it can run.
    pub outcome: Outcome,
    /// Instances with a device in the mode in force, in the order of the models.
    pub placed: Vec<Instance>,
    /// Those without one.
    pub refused: Vec<Lacking>,
    /// Whether devices may allocate more than they report.
    pub policy: Option<AllocMode>,
    /// What to know about it.
    pub notes: Vec<String>,
}

/// One model that is wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wanted {
    /// Name.
    pub model: String,
    /// Where its numbers come from.
    pub known: Known,
    /// Parameters.
    pub params: u64,
    /// Format of its weights.
    pub dtype: Dtype,
    /// Format of its KV cache.
    pub kv_cache_dtype: KvDtype,
    /// Tokens of its longest request.
    pub max_model_len: u32,
    /// Instances.
    pub copies: u32,
    /// What one instance needs.
    pub need: Need,
    /// All of that.
    pub total: Bytes,
}

/// One pair of modes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mode {
    /// Compute mode.
    pub compute: Option<ComputeMode>,
    /// Memory mode.
    pub memory: Option<MemoryMode>,
    /// Whether it is in force.
    pub in_force: bool,
    /// How its sizes are known.
    pub sizes: Sizes,
    /// Number of devices of all the GPUs.
    pub devices: usize,
    /// Their total memory.
    pub each: Vec<Alike>,
    /// Whether every instance has a device in it.
    pub fits: bool,
    /// Instances that have one.
    pub placed: usize,
    /// The model that needs most, alone on the device that has most.
    pub room: Room,
    /// Tokens of KV cache there, of one request or of several.
    pub tokens: u64,
    /// What a device may allocate where the policy is ALL.
    pub under_all: Option<Bytes>,
    /// Those without a device.
    pub refused: Vec<Lacking>,
}

/// Devices of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Alike {
    /// How many.
    pub count: usize,
    /// Total memory of each.
    pub size: Bytes,
}

/// Whether all of it can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fits", rename_all = "kebab-case")]
pub enum Outcome {
    /// In the mode in force.
    Now,
    /// Not in it, but in these.
    InOtherModes {
        /// As `SPX/NPS1`.
        modes: Vec<String>,
    },
    /// In no mode.
    Nowhere {
        /// What lacks least, where it comes closest.
        closest: Closest,
    },
}

/// A model that fits nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closest {
    /// Which model.
    pub model: String,
    /// In which mode it comes closest.
    pub mode: String,
    /// Bytes that it lacks there.
    pub lacks: Bytes,
}

/// One instance on its device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instance {
    /// Which model.
    pub model: String,
    /// Address of the device; the function digit is the partition.
    pub device: Bdf,
    /// Its share of the device.
    pub share: Share,
    /// That share in bytes.
    pub budget: Bytes,
    /// Tokens of KV cache in it, of one request or of several.
    pub tokens: u64,
    /// What to use.
    pub recipe: Recipe,
}

/// Instances without a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lacking {
    /// Which model.
    pub model: String,
    /// How many of its instances.
    pub instances: usize,
    /// Bytes that each of them lacks on the device that comes closest.
    pub lacks: Bytes,
}

/// What an allocation refused, by model and what it lacks; `name` is that of an instance.
pub(super) fn lacking(allocation: &Allocation, name: impl Fn(usize) -> String) -> Vec<Lacking> {
    let mut found: Vec<Lacking> = Vec::new();
    for refused in &allocation.refused {
        let (model, lacks) = (name(refused.model), refused.lacks);
        match found.iter_mut().find(|known| known.model == model && known.lacks == lacks) {
            Some(known) => known.instances += 1,
            None => found.push(Lacking { model, instances: 1, lacks }),
        }
    }
    found
}

/// The logical devices of some of the GPUs of a look.
pub fn devices_of(look: &Snapshot, gpus: &[&Socket<'_>]) -> Devices {
    let mut all = devices(look);
    all.usable.retain(|device| gpus.iter().any(|gpu| gpu.bdf == device.bdf.socket()));
    all
}

/// Plans for some of the GPUs of a look: models with nothing else on their device get all of its share, others as
/// little as they need.
///
/// # Errors
/// A device is to be named by a UUID and has none of its own.
pub fn plan_models(
    look: &Snapshot,
    gpus: &[&Socket<'_>],
    wishes: &[Wish],
    ceiling: Share,
    style: &Style,
) -> Result<ModelPlan, NoUuid> {
    let found = devices_of(look, gpus);
    let each = instances(wishes);
    let needs: Vec<Need> = each.iter().map(|&wish| wishes[wish].need()).collect();
    let name = &|instance: usize| wishes[each[instance]].shape.name().to_owned();
    let fits = mode_fits(gpus, &found.usable, &needs, ceiling);
    let rows: Vec<Mode> =
        fits.iter().enumerate().map(|(at, fit)| row(at == 0, fit, lacking(&fit.allocation, name))).collect();

    let slots = measured_slots(&found.usable, ceiling);
    let totals: Vec<Bytes> = needs.iter().map(Need::total).collect();
    let allocation = allocate(&totals, &slots);
    let mut placed = Vec::new();
    for (port, place) in (FIRST_PORT..).zip(&allocation.placed) {
        let (device, slot) = (&found.usable[place.slot], &slots[place.slot]);
        let alone = allocation.placed.iter().filter(|other| other.slot == place.slot).count() == 1;
        let widest = Share::largest(slot.total, slot.left).filter(|widest| alone && *widest > place.share);
        let share = widest.unwrap_or(place.share);
        let wish = &wishes[each[place.model]];
        let budget = share.budget(device.total);
        placed.push(Instance {
            model: name(place.model),
            device: device.bdf,
            share,
            budget,
            tokens: needs[place.model].tokens_in(budget),
            recipe: Recipe::new(wish, device, share, port, style)?,
        });
    }
    Ok(ModelPlan {
        models: wishes.iter().map(wanted).collect(),
        ceiling,
        outcome: outcome(&rows),
        modes: rows,
        placed,
        refused: lacking(&allocation, name),
        policy: alloc_mode(look),
        notes: notes(look, &found, wishes, ceiling),
    })
}

fn wanted(wish: &Wish) -> Wanted {
    let need = wish.need();
    Wanted {
        model: wish.shape.name().to_owned(),
        known: wish.shape.known().clone(),
        params: wish.shape.numbers().params,
        dtype: wish.dtype,
        kv_cache_dtype: wish.kv,
        max_model_len: wish.tokens,
        copies: wish.copies,
        need,
        total: need.total(),
    }
}

fn row(in_force: bool, fit: &ModeFit, refused: Vec<Lacking>) -> Mode {
    let mut sizes = fit.devices.clone();
    sizes.sort_unstable_by_key(|&size| std::cmp::Reverse(size));
    Mode {
        compute: fit.compute,
        memory: fit.memory,
        in_force,
        sizes: fit.sizes,
        devices: sizes.len(),
        each: sizes
            .chunk_by(|left, right| left == right)
            .map(|same| Alike { count: same.len(), size: same[0] })
            .collect(),
        fits: fit.fits(),
        placed: fit.allocation.placed.len(),
        room: fit.room,
        tokens: fit.tokens,
        under_all: fit.under_all,
        refused,
    }
}

impl Mode {
    /// `CPX/NPS4`.
    pub fn name(&self) -> String {
        modes(self.compute, self.memory)
    }
}

fn outcome(rows: &[Mode]) -> Outcome {
    if rows.first().is_some_and(|row| row.fits) {
        return Outcome::Now;
    }
    let others: Vec<String> = rows.iter().filter(|row| row.fits).map(Mode::name).collect();
    if !others.is_empty() {
        return Outcome::InOtherModes { modes: others };
    }
    // What stops a mode is the model that lacks most in it; the mode that comes closest is where that is least.
    let worst = rows.iter().filter_map(|row| Some((row, row.refused.iter().max_by_key(|lacking| lacking.lacks)?)));
    let closest = worst.min_by_key(|(_, lacking)| lacking.lacks).map(|(row, lacking)| Closest {
        model: lacking.model.clone(),
        mode: row.name(),
        lacks: lacking.lacks,
    });
    closest.map_or(Outcome::Now, |closest| Outcome::Nowhere { closest })
}

fn notes(look: &Snapshot, found: &Devices, wishes: &[Wish], ceiling: Share) -> Vec<String> {
    let mut notes: Vec<String> = found.unusable.iter().map(|why| format!("not used: {why}")).collect();
    let silent = found.usable.iter().filter(|device| device.used.bytes().is_none()).count();
    if silent > 0 {
        let of = found.usable.len();
        notes.push(format!(
            "how much is in use is not reported for {silent} of {of} devices: they are taken for idle, so look whether \
             they are"
        ));
    }
    if alloc_mode(look) == Some(AllocMode::All) {
        notes.push(
            "the driver's policy is ALL: a neighbour may take more of the memory partition than it reports, and nothing \
             protects a model from that (validate explain fact.memory.alloc-mode)"
                .to_owned(),
        );
    }
    if sockets(look).iter().any(|socket| socket.parts().1) {
        notes.push(
            "these are virtual functions: their modes are set on their host, so only the one in force is shown".into(),
        );
    }
    if ceiling.at_least_98_percent() {
        notes.push(format!("a share of {ceiling} fails at the start: an idle device has about 98 % free"));
    }
    if found.usable.iter().any(|device| device.render_minor.is_some()) {
        notes.push(
            "a container with one render node sees that device only, as number 0: set no ROCR_VISIBLE_DEVICES in it"
                .into(),
        );
    }
    for wish in wishes {
        if wish.shape.known() == (&Known::Config { computed: true }) {
            let (name, params) = (wish.shape.name(), wish.shape.numbers().params);
            notes.push(format!("{name}: {params} parameters, computed from its config.json"));
        }
    }
    notes
}

#[cfg(test)]
mod tests;
