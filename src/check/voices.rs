//! What several witnesses say of one thing, put beside each other. One witness alone contradicts nobody.

use crate::domain::Reading;

use super::evaluation::{Collector, GapKind};

/// Fewest witnesses that can be set against each other.
const ENOUGH: usize = 2;

/// The first few of a list that can be long.
pub(super) fn few(all: &[String]) -> String {
    let (shown, more) = all.split_at(all.len().min(4));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!("{}{more}", shown.join("; "))
}

/// Who says what of one thing, in the order in which they were heard.
#[derive(Default)]
pub(super) struct Voices {
    heard: Vec<(String, String)>,
    silent: Vec<(String, String)>,
}

impl Voices {
    /// Hears one witness: its value, or why it has none.
    pub(super) fn hear<T: ToString>(&mut self, who: &str, reading: &Reading<T>) {
        match reading.value() {
            Some(value) => self.heard.push((who.to_owned(), value.to_string())),
            None => self.silent.push((who.to_owned(), reading.absence().unwrap_or_default())),
        }
    }

    /// A witness that was not asked, or has nothing to say here, and why.
    pub(super) fn miss(&mut self, who: &str, why: impl Into<String>) {
        self.silent.push((who.to_owned(), why.into()));
    }

    /// Whether fewer than two said anything; the reason is then a gap of its own.
    pub(super) fn too_few(&self, collector: &mut Collector, subject: &str) -> bool {
        let few = self.heard.len() < ENOUGH;
        if few {
            let heard =
                if self.heard.is_empty() { "nobody says anything".to_owned() } else { format!("only {}", self.said()) };
            let reason = format!("{heard}: two witnesses are needed{}", self.missing());
            collector.gap(GapKind::NotReported, subject, reason);
        }
        few
    }

    /// `CPX (sysfs, KFD); silent: HIP (not reported)`.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.said(), self.missing())
    }

    fn said(&self) -> String {
        let mut values: Vec<(&str, Vec<&str>)> = Vec::new();
        for (who, value) in &self.heard {
            match values.iter_mut().find(|(known, _)| known == value) {
                Some((_, by)) => by.push(who),
                None => values.push((value, vec![who])),
            }
        }
        let parts: Vec<_> = values.iter().map(|(value, by)| format!("{value} ({})", by.join(", "))).collect();
        parts.join(", ")
    }

    fn missing(&self) -> String {
        let parts: Vec<_> = self.silent.iter().map(|(who, why)| format!("{who} ({why})")).collect();
        if parts.is_empty() { String::new() } else { format!("; silent: {}", parts.join(", ")) }
    }
}
