//! The ledger of a machine: which models were given which share of which device. Pure: the module `ledger` has its file.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::{Bdf, Bytes, ComputeMode, MemoryMode};

use super::plan::{FIRST_PORT, Instance, Lacking, lacking};
use super::{Device, Dtype, KvDtype, NoUuid, Recipe, Share, Slot, Style, Wish, allocate, instances, modes};

/// Version of the file that this program writes and reads.
pub const BOOK_SCHEMA: u32 = 1;

/// Models that one ledger holds at most.
const MOST_HELD: usize = 4096;

/// Largest number of a model: so many are never placed.
const MOST_NUMBER: u64 = 1 << 50;

/// Devices that one machine has at most.
const MOST_DEVICES: usize = 4096;

/// Longest text in it, in characters.
const LONGEST: usize = 4096;

/// The ledger of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    schema: u32,
    machine: String,
    boot_id: Option<String>,
    devices: Vec<Seen>,
    next: u64,
    held: Vec<Held>,
}

/// A device as it was when the first of the models was placed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    device: Bdf,
    total: Bytes,
    compute: Option<ComputeMode>,
    memory: Option<MemoryMode>,
}

/// One model on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Number by which it is released.
    pub id: u64,
    /// Name.
    pub model: String,
    /// Format of its weights.
    pub dtype: Dtype,
    /// Format of its KV cache.
    pub kv_cache_dtype: KvDtype,
    /// Tokens of its longest request.
    pub max_model_len: u32,
    /// Address of the device; the function digit is the partition.
    pub device: Bdf,
    /// Its share of the device.
    pub share: Share,
    /// Port of its server.
    pub port: u16,
    /// When it was placed, RFC 3339.
    pub since: String,
}

/// The machine as it is now.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// What it is, in words.
    pub machine: &'a str,
    /// Id of this boot, where it is reported.
    pub boot_id: Option<&'a str>,
    /// All of its devices.
    pub devices: &'a [Device],
}

/// How models are to be placed.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Devices that may be used.
    pub on: &'a [Bdf],
    /// Most of a device that its models may have together.
    pub ceiling: Share,
    /// Whether a model with nothing else on its device gets all of that.
    pub whole: bool,
    /// When: RFC 3339.
    pub since: &'a str,
    /// What recipes are made with.
    pub style: &'a Style,
}

/// A file that is no ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// Of another version.
    #[error("key `schema`: version {found} is not one that this program reads (it reads {BOOK_SCHEMA})")]
    Schema {
        /// Its version.
        found: u32,
    },
    /// It says something that cannot be.
    #[error("{0}")]
    Malformed(String),
}

/// Why nothing was placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPlaced {
    /// The machine is not the one that the ledger was kept for.
    #[error("the machine has changed since models were placed on it")]
    Changed(Vec<String>),
    /// These found no device.
    #[error("there is no room")]
    NoRoom(Vec<Lacking>),
    /// The ledger is full.
    #[error("the ledger holds {0} models at most")]
    Full(usize),
    /// A device cannot be named as it is to be.
    #[error(transparent)]
    NoUuid(#[from] NoUuid),
}

/// No such model is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing is placed under the number {id}; {known}")]
pub struct NotHeld {
    id: u64,
    known: String,
}

impl Book {
    /// An empty ledger of a machine.
    pub fn new(present: Present<'_>) -> Self {
        let mut book = Self {
            schema: BOOK_SCHEMA,
            machine: String::new(),
            boot_id: None,
            devices: Vec::new(),
            next: 1,
            held: Vec::new(),
        };
        book.begin(present);
        book
    }

    /// Reads a ledger, which is untrusted: it may say only what a ledger can.
    ///
    /// # Errors
    /// It is of another version, malformed, or overcommitted.
    pub fn parse(text: &str) -> Result<Self, BookError> {
        /// Read first: a later version may have other keys.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let malformed = |error: serde_json::Error| BookError::Malformed(error.to_string());
        let Version { schema } = serde_json::from_str(text).map_err(malformed)?;
        if schema != BOOK_SCHEMA {
            return Err(BookError::Schema { found: schema });
        }
        let book: Self = serde_json::from_str(text).map_err(malformed)?;
        book.check().map_err(BookError::Malformed)?;
        Ok(book)
    }

    fn check(&self) -> Result<(), String> {
        if self.held.len() > MOST_HELD || self.devices.len() > MOST_DEVICES {
            return Err(format!("more than {MOST_HELD} models or {MOST_DEVICES} devices"));
        }
        if !(1..=MOST_NUMBER).contains(&self.next) {
            return Err(format!("key `next`: {} is not between 1 and {MOST_NUMBER}", self.next));
        }
        let texts = self.held.iter().flat_map(|held| [&held.model, &held.since]);
        for text in texts.chain([&self.machine]).chain(&self.boot_id) {
            if text.chars().any(char::is_control) || text.chars().count() > LONGEST {
                return Err(format!("a text is too long or has control characters: {:?}", cut(text)));
            }
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.devices.iter().find(|device| !seen.insert(device.device)) {
            return Err(format!("key `devices`: {} is there twice", twice.device));
        }
        let (mut ids, mut ports) = (BTreeSet::new(), BTreeSet::new());
        for held in &self.held {
            if held.id == 0 || held.id >= self.next || !ids.insert(held.id) || !ports.insert(held.port) {
                return Err(format!("key `held`: number {} or its port cannot be, or is there twice", held.id));
            }
            if !seen.contains(&held.device) {
                return Err(format!("key `held`: number {} is on {}, which is no device", held.id, held.device));
            }
        }
        let over = self.devices.iter().find(|device| self.held_on(device.device, device.total) > device.total);
        over.map_or(Ok(()), |over| Err(format!("key `held`: {} is overcommitted", over.device)))
    }

    /// The text of the file.
    ///
    /// # Errors
    /// It cannot be written as JSON: our bug.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Every model in it, by number.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// What has changed since models were placed; empty where nothing has, or no model is placed.
    pub fn changes(&self, present: Present<'_>) -> Vec<String> {
        let mut changes = Vec::new();
        if self.held.is_empty() {
            return changes;
        }
        if let (Some(then), Some(now)) = (self.boot_id.as_deref(), present.boot_id)
            && then != now
        {
            changes.push("it was booted since, so none of the models in the ledger runs any more".to_owned());
        }
        let now = seen(present.devices);
        if self.devices.len() != now.len() {
            changes.push(format!("it had {} logical devices and has {}", self.devices.len(), now.len()));
        }
        let differing = |then: &&Seen| now.iter().find(|now| now.device == then.device).is_none_or(|now| now != *then);
        if let Some(then) = self.devices.iter().find(differing) {
            let was = format!("{} was {} with {}", then.device, modes(then.compute, then.memory), then.total);
            changes.push(match now.iter().find(|now| now.device == then.device) {
                Some(now) => format!("{was} and is {} with {}", modes(now.compute, now.memory), now.total),
                None => format!("{was} and is not there"),
            });
        }
        changes
    }

    /// Places every instance of the wishes, or none of them.
    ///
    /// # Errors
    /// The machine has changed since others were placed, or not every instance finds a device.
    pub fn place(
        &mut self,
        present: Present<'_>,
        wishes: &[Wish],
        terms: Terms<'_>,
    ) -> Result<Vec<(u64, Instance)>, NotPlaced> {
        let changes = self.changes(present);
        if !changes.is_empty() {
            return Err(NotPlaced::Changed(changes));
        }
        if self.held.is_empty() {
            self.begin(present);
        }
        let each = instances(wishes);
        if self.held.len() + each.len() > MOST_HELD {
            return Err(NotPlaced::Full(MOST_HELD));
        }
        let usable: Vec<&Device> = present.devices.iter().filter(|device| terms.on.contains(&device.bdf)).collect();
        let slots: Vec<Slot> = usable.iter().map(|device| self.slot(device, terms.ceiling)).collect();
        let needs: Vec<Bytes> = each.iter().map(|&wish| wishes[wish].need().total()).collect();
        let allocation = allocate(&needs, &slots);
        if !allocation.refused.is_empty() {
            let name = |instance: usize| wishes[each[instance]].shape.name().to_owned();
            return Err(NotPlaced::NoRoom(lacking(&allocation, name)));
        }
        let mut after = self.clone();
        let mut placed = Vec::new();
        for place in &allocation.placed {
            let (device, slot, wish) = (usable[place.slot], &slots[place.slot], &wishes[each[place.model]]);
            let others = allocation.placed.iter().filter(|other| other.slot == place.slot).count() > 1;
            let widest =
                (terms.whole && !slot.taken && !others).then(|| Share::largest(slot.total, slot.left)).flatten();
            let share = widest.map_or(place.share, |widest| widest.max(place.share));
            let port = after.free_port();
            let recipe = Recipe::new(wish, device, share, port, terms.style)?;
            let budget = share.budget(device.total);
            let instance = Instance {
                model: wish.shape.name().to_owned(),
                device: device.bdf,
                share,
                budget,
                tokens: wish.need().tokens_in(budget),
                recipe,
            };
            placed.push((after.next, instance));
            after.held.push(Held {
                id: after.next,
                model: wish.shape.name().to_owned(),
                dtype: wish.dtype,
                kv_cache_dtype: wish.kv,
                max_model_len: wish.tokens,
                device: device.bdf,
                share,
                port,
                since: terms.since.to_owned(),
            });
            after.next += 1;
        }
        *self = after;
        Ok(placed)
    }

    /// Takes models out, all of them or none.
    ///
    /// # Errors
    /// One is not in it.
    pub fn release(&mut self, ids: &[u64]) -> Result<Vec<Held>, NotHeld> {
        for &id in ids {
            if !self.held.iter().any(|held| held.id == id) {
                let known: Vec<String> = self.held.iter().take(20).map(|held| held.id.to_string()).collect();
                let known =
                    if known.is_empty() { "nothing is".to_owned() } else { format!("there are {}", known.join(", ")) };
                return Err(NotHeld { id, known });
            }
        }
        let (gone, kept) = std::mem::take(&mut self.held).into_iter().partition(|held| ids.contains(&held.id));
        self.held = kept;
        Ok(gone)
    }

    /// Takes every model out.
    pub fn release_all(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.held)
    }

    /// What the models on a device may use together, of its total.
    pub fn held_on(&self, device: Bdf, total: Bytes) -> Bytes {
        let budgets = self.held.iter().filter(|held| held.device == device).map(|held| held.share.budget(total).0);
        Bytes(budgets.fold(0, u64::saturating_add))
    }

    /// What is left of a device: of the share that models may have, beside what is placed and what is in use.
    pub fn left_on(&self, device: &Device, ceiling: Share) -> Bytes {
        let held = self.held_on(device.bdf, device.total);
        // A model that was placed uses its share already, or will: the larger of the two is gone.
        let gone = held.max(device.used.bytes().unwrap_or(Bytes(0)));
        let of_share = ceiling.budget(device.total).0.saturating_sub(held.0);
        Bytes(of_share.min(device.total.0.saturating_sub(gone.0)))
    }

    fn slot(&self, device: &Device, ceiling: Share) -> Slot {
        let taken = self.held.iter().any(|held| held.device == device.bdf);
        Slot { total: device.total, left: self.left_on(device, ceiling), taken, last: device.taken_for_whole() }
    }

    fn begin(&mut self, present: Present<'_>) {
        self.machine = present.machine.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        self.boot_id = present.boot_id.map(|id| id.chars().filter(|c| !c.is_control()).take(LONGEST).collect());
        self.devices = seen(present.devices);
    }

    fn free_port(&self) -> u16 {
        // There are more ports than models that a ledger holds.
        (FIRST_PORT..).find(|port| self.held.iter().all(|held| held.port != *port)).unwrap_or(FIRST_PORT)
    }
}

fn seen(devices: &[Device]) -> Vec<Seen> {
    let seen = |device: &Device| Seen {
        device: device.bdf,
        total: device.total,
        compute: device.compute,
        memory: device.memory,
    };
    let mut all: Vec<Seen> = devices.iter().map(seen).collect();
    all.sort();
    all
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
