//! What a journal says of the things that were planned, and what is to be done with each when the run goes on. Pure.

use std::collections::BTreeMap;

/// How far everything came, by its name in the plan; `R` is what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress<R> {
    stages: BTreeMap<String, Stage<R>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage<R> {
    Begun { boot_id: Option<String> },
    Finished(R),
}

/// What is to be done with one thing of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<'a, R> {
    /// Nothing: this came of it.
    Keep(&'a R),
    /// It is run: it never was, or the run was stopped in the middle of it while the machine went on.
    Run,
    /// Nothing: it was in flight in this boot, which is not the present one. The machine went down with it.
    MachineWentDown {
        /// The boot.
        boot_id: &'a str,
    },
}

impl<R> Progress<R> {
    /// Of nothing so far.
    pub const fn new() -> Self {
        Self { stages: BTreeMap::new() }
    }

    /// It was begun in this boot; `None` where the machine does not say.
    pub fn begun(&mut self, name: String, boot_id: Option<String>) {
        self.stages.insert(name, Stage::Begun { boot_id });
    }

    /// It ended, and this came of it.
    pub fn finished(&mut self, name: String, record: R) {
        self.stages.insert(name, Stage::Finished(record));
    }

    /// It was stopped on purpose: as if it had not been begun.
    pub fn withdrawn(&mut self, name: &str) {
        self.stages.remove(name);
    }

    /// What is to be done with it in the present boot. An unknown boot is no other one.
    pub fn next(&self, name: &str, boot_id: Option<&str>) -> Next<'_, R> {
        match self.stages.get(name) {
            Some(Stage::Finished(record)) => Next::Keep(record),
            Some(Stage::Begun { boot_id: Some(then) }) if boot_id.is_some_and(|now| now != then) => {
                Next::MachineWentDown { boot_id: then }
            }
            Some(Stage::Begun { .. }) | None => Next::Run,
        }
    }

    /// How many ended.
    pub fn count(&self) -> usize {
        self.stages.values().filter(|stage| matches!(stage, Stage::Finished(_))).count()
    }
}

impl<R> Default for Progress<R> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_kept_and_what_a_reboot_cut_off_is_not_run_again() {
        let (one, two) = (Some("boot-1"), Some("boot-2"));
        let begun = |boot: Option<&str>| {
            let mut progress = Progress::new();
            progress.begun("a".to_owned(), boot.map(str::to_owned));
            progress
        };
        let mut finished = begun(one);
        finished.finished("a".to_owned(), 7);
        let mut withdrawn = begun(one);
        withdrawn.withdrawn("a");
        for (progress, now, next) in [
            (&Progress::new(), one, Next::Run),
            (&begun(one), one, Next::Run),
            (&begun(one), None, Next::Run),
            (&begun(None), two, Next::Run),
            (&begun(one), two, Next::MachineWentDown { boot_id: "boot-1" }),
            (&finished, two, Next::Keep(&7)),
            (&withdrawn, two, Next::Run),
        ] {
            assert_eq!(progress.next("a", now), next, "{progress:?} {now:?}");
        }
        assert_eq!((finished.count(), begun(one).count()), (1, 0));
        // It was run again in the next boot, and took that down too.
        let mut again = begun(one);
        again.begun("a".to_owned(), two.map(str::to_owned));
        assert_eq!(again.next("a", two), Next::Run);
        assert_eq!(again.next("a", one), Next::MachineWentDown { boot_id: "boot-2" });
    }
}
