//! From the modes that a machine has to the modes that it should have, one step at a time. Planning, applying and
//! restoring all ask here what comes next, so that what is planned is what is done.
//!
//! Memory first: a memory mode comes into force with a driver reload, which puts every GPU into the compute mode that
//! the driver chooses (facts/partitions.md section 5). So SPX under NPS4 is left by way of NPS1, and CPX with NPS4 is
//! reached by way of NPS4.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::{Bdf, ComputeMode, MemoryMode, Reading};

/// The two modes of one GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Modes {
    /// Compute partition.
    pub compute: ComputeMode,
    /// Memory partition.
    pub memory: MemoryMode,
}

impl std::fmt::Display for Modes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.compute, self.memory)
    }
}

/// Modes by GPU.
pub type ModesByGpu = BTreeMap<Bdf, Modes>;

/// One thing to do to the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Step {
    /// Ask for a memory mode. One GPU of each hive is named: the request is the hive's.
    Memory {
        /// Which mode.
        mode: MemoryMode,
        /// Through which GPUs.
        gpus: Vec<Bdf>,
    },
    /// Withdraw a request by asking for the mode in force. The tool writes nothing where the mode is in force already, so
    /// this goes through the file.
    Withdraw {
        /// The mode in force.
        mode: MemoryMode,
        /// Through which GPUs.
        gpus: Vec<Bdf>,
    },
    /// Unload and load the driver.
    Reload,
    /// Set the compute mode of one GPU.
    Compute {
        /// Which mode.
        mode: ComputeMode,
        /// Which GPU.
        gpu: Bdf,
    },
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |gpus: &[Bdf]| gpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Memory { mode, gpus } => write!(f, "ask for {mode} (through {})", names(gpus)),
            Self::Withdraw { mode, gpus } => {
                write!(f, "withdraw what waits for a reload: {mode} stays (through {})", names(gpus))
            }
            Self::Reload => f.write_str("reload the driver"),
            Self::Compute { mode, gpu } => write!(f, "set {mode} on {gpu}"),
        }
    }
}

/// What was done already. A step that was begun counts: whether it took effect is read from the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Begun {
    steps: BTreeSet<Step>,
    /// A reload may have been cut short between unloading the driver and loading it.
    cut: bool,
    waiting: Waiting,
}

/// Memory modes of which one may be waiting for a reload, by the GPU that was named when it was asked for.
pub type Waiting = BTreeMap<Bdf, BTreeSet<MemoryMode>>;

impl Begun {
    /// Nothing was begun; these requests may be waiting from before, and a reload from before may have been cut short.
    pub const fn before(waiting: Waiting, cut: bool) -> Self {
        Self { steps: BTreeSet::new(), cut, waiting }
    }

    /// Notes that a step is taken.
    pub fn note(&mut self, step: &Step) {
        if let Step::Memory { mode, gpus } | Step::Withdraw { mode, gpus } = step {
            self.waiting.extend(gpus.iter().map(|gpu| (*gpu, BTreeSet::from([*mode]))));
        }
        self.steps.insert(step.clone());
    }

    /// Notes that the driver was reloaded: no request waits any longer. Gives back those that did.
    pub fn reloaded(&mut self) -> Waiting {
        std::mem::take(&mut self.waiting)
    }

    /// Whether a reload is among the steps.
    pub fn has_reloaded(&self) -> bool {
        self.steps.contains(&Step::Reload)
    }

    /// Whether a request may be waiting for a reload.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Every GPU has its modes, and no other request waits.
    Reached,
    /// This.
    Do(Step),
    /// The machine does not do what it was asked.
    Stuck {
        /// Which GPU has which mode, in words.
        why: String,
    },
}

/// Decides the next step. `hives` gives every GPU of `target` the name of its hive; `now` is what sysfs shows.
pub fn next(
    target: &ModesByGpu,
    now: &BTreeMap<Bdf, Reading<Modes>>,
    hives: &BTreeMap<Bdf, Bdf>,
    begun: &Begun,
) -> Next {
    let mut shown = ModesByGpu::new();
    let missing = |gpu: &Bdf| !matches!(now.get(gpu), Some(Reading::Value(_)));
    if begun.cut && target.keys().any(missing) && !begun.has_reloaded() {
        return Next::Do(Step::Reload);
    }
    for gpu in target.keys() {
        match now.get(gpu) {
            Some(Reading::Value(modes)) => {
                shown.insert(*gpu, *modes);
            }
            Some(absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. })) => {
                return Next::Stuck {
                    why: format!("the modes of GPU {gpu}: {}", absent.absence().unwrap_or_default()),
                };
            }
            None => return Next::Stuck { why: format!("GPU {gpu} is gone") },
        }
    }
    let off = |gpu: &Bdf, modes: &Modes| shown.get(gpu).is_some_and(|now| now.memory != modes.memory);
    let memory_off: Vec<(&Bdf, &Modes)> = target.iter().filter(|(gpu, modes)| off(gpu, modes)).collect();
    let asked = by_hive(target.iter().filter(|(gpu, modes)| off(gpu, modes)), hives);
    let mut requests = asked.into_iter().map(|(mode, gpus)| Step::Memory { mode, gpus });
    if let Some(step) = requests.find(|step| !begun.steps.contains(step)) {
        return Next::Do(step);
    }
    if let Some((gpu, modes)) = memory_off.first() {
        return if begun.steps.contains(&Step::Reload) {
            let now = shown.get(gpu).map(ToString::to_string).unwrap_or_default();
            let why = format!("GPU {gpu} is in {now} after {} was asked for and the driver reloaded", modes.memory);
            Next::Stuck { why }
        } else {
            Next::Do(Step::Reload)
        };
    }
    // A request that waits would come into force with somebody's next reload. The driver has one for each hive.
    let waits = |gpu: &Bdf, modes: &Modes| {
        begun.waiting.get(gpu).is_some_and(|asked| asked.iter().any(|mode| *mode != modes.memory))
    };
    let foreign = by_hive(target.iter().filter(|(gpu, modes)| waits(gpu, modes)), hives);
    let mut withdrawals = foreign.into_iter().map(|(mode, gpus)| Step::Withdraw { mode, gpus });
    if let Some(step) = withdrawals.find(|step| !begun.steps.contains(step)) {
        return Next::Do(step);
    }
    let differs = |(gpu, modes): &(&Bdf, &Modes)| shown.get(gpu).is_some_and(|now| now.compute != modes.compute);
    if let Some((gpu, modes)) = target.iter().find(differs) {
        let step = Step::Compute { mode: modes.compute, gpu: *gpu };
        if !begun.steps.contains(&step) {
            return Next::Do(step);
        }
        let now = shown.get(gpu).map(ToString::to_string).unwrap_or_default();
        return Next::Stuck { why: format!("GPU {gpu} is in {now} after {} was set", modes.compute) };
    }
    Next::Reached
}

/// The modes that are wanted, each with one GPU of each hive.
fn by_hive<'a>(
    wanted: impl Iterator<Item = (&'a Bdf, &'a Modes)>,
    hives: &BTreeMap<Bdf, Bdf>,
) -> BTreeMap<MemoryMode, Vec<Bdf>> {
    let mut modes: BTreeMap<MemoryMode, BTreeMap<Bdf, Bdf>> = BTreeMap::new();
    for (gpu, wanted) in wanted {
        let hive = hives.get(gpu).copied().unwrap_or(*gpu);
        modes.entry(wanted.memory).or_default().entry(hive).or_insert(*gpu);
    }
    modes.into_iter().map(|(mode, gpus)| (mode, gpus.into_values().collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ComputeMode::{Cpx, Qpx, Spx};
    use MemoryMode::{Nps1, Nps4};

    const fn modes(compute: ComputeMode, memory: MemoryMode) -> Modes {
        Modes { compute, memory }
    }

    fn gpu(place: u8) -> Bdf {
        Bdf { domain: 0, bus: place, device: 0, function: 0 }
    }

    /// A driver that does as it is told: requests wait for the reload, which chooses CPX or SPX.
    #[derive(Clone)]
    struct Driver {
        now: Vec<Modes>,
        waiting: Option<MemoryMode>,
    }

    impl Driver {
        fn of(now: &[Modes]) -> Self {
            Self { now: now.to_vec(), waiting: None }
        }

        fn shown(&self) -> BTreeMap<Bdf, Reading<Modes>> {
            (0..).zip(&self.now).map(|(place, modes)| (gpu(place), Reading::Value(*modes))).collect()
        }

        fn take(&mut self, step: &Step) {
            match step {
                // As the tool: nothing is written where the mode is in force.
                Step::Memory { mode, .. } if self.now[0].memory == *mode => {}
                Step::Memory { mode, .. } | Step::Withdraw { mode, .. } => self.waiting = Some(*mode),
                Step::Reload => {
                    let memory = self.waiting.take();
                    for modes in &mut self.now {
                        modes.memory = memory.unwrap_or(modes.memory);
                        modes.compute = if modes.memory == Nps1 { Spx } else { Cpx };
                    }
                }
                Step::Compute { mode, gpu } => self.now[usize::from(gpu.bus)].compute = *mode,
            }
        }
    }

    /// All of one hive.
    fn walk(driver: &mut Driver, target: &[Modes], begun: &mut Begun, at_most: usize) -> (Vec<String>, Next) {
        let target: ModesByGpu = (0..).map(gpu).zip(target.iter().copied()).collect();
        let hives = target.keys().map(|each| (*each, gpu(0))).collect();
        let mut done = Vec::new();
        loop {
            match next(&target, &driver.shown(), &hives, begun) {
                Next::Do(step) if done.len() < at_most => {
                    begun.note(&step);
                    driver.take(&step);
                    if step == Step::Reload {
                        begun.reloaded();
                    }
                    done.push(step.to_string());
                }
                other => return (done, other),
            }
        }
    }

    #[test]
    fn memory_comes_first_and_compute_only_where_the_driver_chose_another() {
        for (now, target, expected) in [
            (modes(Spx, Nps1), modes(Spx, Nps1), &[][..]),
            (modes(Spx, Nps1), modes(Cpx, Nps1), &["set CPX on 0000:00:00.0", "set CPX on 0000:01:00.0"]),
            (modes(Spx, Nps1), modes(Cpx, Nps4), &["ask for NPS4 (through 0000:00:00.0)", "reload the driver"]),
            (modes(Cpx, Nps4), modes(Spx, Nps1), &["ask for NPS1 (through 0000:00:00.0)", "reload the driver"]),
            (
                modes(Spx, Nps1),
                modes(Qpx, Nps4),
                &[
                    "ask for NPS4 (through 0000:00:00.0)",
                    "reload the driver",
                    "set QPX on 0000:00:00.0",
                    "set QPX on 0000:01:00.0",
                ],
            ),
        ] {
            let (done, end) = walk(&mut Driver::of(&[now; 2]), &[target; 2], &mut Begun::default(), 9);
            assert_eq!(
                (done.as_slice(), end),
                (expected.iter().map(|&step| step.to_owned()).collect::<Vec<_>>().as_slice(), Next::Reached),
                "{now} {target}"
            );
        }
    }

    #[test]
    fn the_way_back_from_any_point_ends_where_it_began() {
        let all = [modes(Spx, Nps1), modes(Cpx, Nps1), modes(Cpx, Nps4), modes(Qpx, Nps4)];
        for found in all {
            for target in all {
                for stop in 0..5 {
                    let mut driver = Driver::of(&[found; 3]);
                    let mut begun = Begun::default();
                    walk(&mut driver, &[target; 3], &mut begun, stop);
                    let mut back = Begun::before(begun.reloaded(), false);
                    let (_, end) = walk(&mut driver, &[found; 3], &mut back, 9);
                    assert_eq!((end, &driver.now), (Next::Reached, &vec![found; 3]), "{found} to {target} at {stop}");
                    assert!(driver.waiting.is_none_or(|mode| mode == found.memory), "{found} to {target} at {stop}");
                }
            }
        }
    }

    #[test]
    fn a_machine_that_does_not_obey_is_asked_once() {
        let mut deaf = Begun::default();
        let target: ModesByGpu = [(gpu(0), modes(Cpx, Nps4))].into();
        let now = Driver::of(&[modes(Spx, Nps1)]).shown();
        let mut asked = 0;
        while let Next::Do(step) = next(&target, &now, &BTreeMap::new(), &deaf) {
            deaf.note(&step);
            asked += 1;
        }
        assert_eq!(asked, 2);
        let Next::Stuck { why } = next(&target, &now, &BTreeMap::new(), &deaf) else { panic!("reached") };
        assert!(why.contains("SPX/NPS1 after NPS4 was asked for"), "{why}");
    }

    #[test]
    fn a_driver_that_was_left_unloaded_is_loaded() {
        let target: ModesByGpu = [(gpu(0), modes(Spx, Nps1))].into();
        let mut begun = Begun::before(Waiting::new(), true);
        let gone = BTreeMap::new();
        assert_eq!(next(&target, &gone, &BTreeMap::new(), &begun), Next::Do(Step::Reload));
        begun.note(&Step::Reload);
        assert!(matches!(next(&target, &gone, &BTreeMap::new(), &begun), Next::Stuck { .. }), "once");
        let there = Driver::of(&[modes(Spx, Nps1)]).shown();
        let begun = Begun::before(Waiting::new(), true);
        assert_eq!(next(&target, &there, &BTreeMap::new(), &begun), Next::Reached, "not without need");
    }

    #[test]
    fn what_cannot_be_read_is_not_changed() {
        let target: ModesByGpu = [(gpu(0), modes(Cpx, Nps4))].into();
        for (now, part) in [(BTreeMap::new(), "is gone"), ([(gpu(0), Reading::NotReported)].into(), "not reported")] {
            let Next::Stuck { why } = next(&target, &now, &BTreeMap::new(), &Begun::default()) else {
                panic!("a step on {now:?}")
            };
            assert!(why.contains(part), "{why}");
        }
    }
}
