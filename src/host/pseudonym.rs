//! Replaces what identifies a machine by stable pseudonyms: serial numbers, UUIDs, host names.
//!
//! Numbered by first appearance, so that one machine records the same way twice and no pseudonym can be turned back.
//! A GPU's UUID is its serial number in another order (`e3ff74a1-0000-1000-80a6-b8a5a6c00001` holds
//! `e3a6b8a5a6c00001`), so both get the same number: who is the same device stays visible.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// The pseudonyms of one recording.
#[derive(Debug, Default)]
pub(super) struct Pseudonyms {
    /// Serial numbers as 64-bit numbers.
    numbers: BTreeMap<u64, u64>,
    /// Serial numbers that are words, and host names, with what to put in their place.
    words: BTreeMap<String, String>,
    /// Names of processes, by first appearance.
    processes: Vec<String>,
    /// Units and containers, likewise.
    units: Vec<String>,
}

/// Shortest word that is replaced wherever it stands: shorter ones would be found inside others.
const SHORTEST: usize = 4;

macro_rules! pattern {
    ($name:ident, $text:literal) => {
        #[allow(clippy::expect_used)]
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).expect("a constant pattern"));
    };
}

pattern!(
    UUID,
    r"\b([0-9a-fA-F]{2})([0-9a-fA-F]{6}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{2})([0-9a-fA-F]{2})-([0-9a-fA-F]{12})\b"
);
pattern!(HEX, r"\b(0x|GPU-)([0-9a-fA-F]{16})\b");
pattern!(PROPERTY, r"(?m)^(unique_id|hive_id) (\d+)$");
pattern!(HOME, r#"/home/[^/\s"':]+"#);
pattern!(SERIAL, r#"(?im)serial[a-z_]*"?\s*:\s*"?([^"\s,{}\[\]]+)"#);

impl Pseudonyms {
    /// Learns the host's name.
    pub(super) fn learn_host(&mut self, name: &str) {
        let name = name.trim();
        // With and without its domain.
        for name in [name, name.split('.').next().unwrap_or_default()] {
            if name.len() >= SHORTEST {
                self.words.insert(name.to_owned(), "host".to_owned());
            }
        }
    }

    /// Learns the serial numbers that are words: in CSV they have no name beside them, so they are learnt from the other
    /// formats first.
    pub(super) fn learn(&mut self, text: &str) {
        for found in SERIAL.captures_iter(text) {
            let word = &found[1];
            if word.len() >= SHORTEST && !word.starts_with("0x") {
                let pseudonym = format!("serial-{}", self.words.len() + 1);
                self.words.entry(word.to_owned()).or_insert(pseudonym);
            }
        }
    }

    /// The text with every identifier replaced.
    pub(super) fn text(&mut self, text: &str) -> String {
        let text = UUID.replace_all(text, |found: &Captures<'_>| {
            match self.hex(&format!("{}{}{}", &found[1], &found[3], &found[4])) {
                Some(number) => format!("00{}00-{number:012x}", &found[2]),
                None => found[0].to_owned(),
            }
        });
        let text = HEX.replace_all(&text, |found: &Captures<'_>| match self.hex(&found[2]) {
            Some(number) => format!("{}{number:016X}", &found[1]),
            None => found[0].to_owned(),
        });
        let text = PROPERTY.replace_all(&text, |found: &Captures<'_>| {
            let number = found[2].parse().ok().and_then(|number| self.number(number));
            number.map_or_else(|| found[0].to_owned(), |number| format!("{} {number}", &found[1]))
        });
        let text = HOME.replace_all(&text, "/home/user");
        // Longest first: a name may begin with another one.
        let mut words: Vec<_> = self.words.iter().collect();
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        words.into_iter().fold(text.into_owned(), |text, (word, pseudonym)| text.replace(word, pseudonym))
    }

    /// The pseudonym of a process's name, which is replaced from here on wherever it stands.
    pub(super) fn process(&mut self, name: &str) -> String {
        let pseudonym = format!("process-{}", Self::place(&mut self.processes, name));
        // The driver and its tools are no secret, and their names stand in every output.
        if name.len() >= SHORTEST && !["amdgpu", "amd-smi", "amd_smi"].contains(&name) {
            self.words.entry(name.to_owned()).or_insert_with(|| pseudonym.clone());
        }
        pseudonym
    }

    /// The pseudonym of a systemd unit or container: only its kind stays.
    pub(super) fn unit(&mut self, unit: &str) -> String {
        let number = Self::place(&mut self.units, unit);
        let kind = [".service", ".scope"].into_iter().find(|kind| unit.ends_with(kind)).unwrap_or_default();
        if kind.is_empty() { format!("{number:064x}") } else { format!("unit-{number}{kind}") }
    }

    /// The pseudonym of a boot: the same for all, since a recording is of one.
    pub(super) fn boot(&mut self, id: &str) -> String {
        const BOOT: &str = "00000000-0000-4000-8000-000000000000";
        if id.trim().len() == BOOT.len() {
            self.words.insert(id.trim().to_owned(), BOOT.to_owned());
        }
        BOOT.to_owned()
    }

    /// Number of a name by first appearance, from 1.
    fn place(names: &mut Vec<String>, name: &str) -> usize {
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        at + 1
    }

    /// A file that is nothing but a decimal number (`xgmi_hive_id`).
    pub(super) fn number_file(&mut self, text: &str) -> String {
        let number = text.trim().parse().ok().and_then(|number| self.number(number));
        number.map_or_else(|| text.to_owned(), |number| format!("{number}\n"))
    }

    /// A file that is nothing but 16 hexadecimal digits (`unique_id`).
    pub(super) fn hex_file(&mut self, text: &str) -> String {
        self.hex(text.trim()).map_or_else(|| text.to_owned(), |number| format!("{number:016x}\n"))
    }

    fn hex(&mut self, digits: &str) -> Option<u64> {
        self.number(u64::from_str_radix(digits, 16).ok()?)
    }

    /// The pseudonym of a number; `None` for the two that mean that there is none.
    fn number(&mut self, number: u64) -> Option<u64> {
        let next = self.numbers.len() as u64 + 1;
        (number != 0 && number != u64::MAX).then(|| *self.numbers.entry(number).or_insert(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_keeps_one_pseudonym_in_every_spelling() {
        let mut names = Pseudonyms::default();
        let uuid = "UUID: e30174a1-0000-1000-80a6-b8a5a6c00001";
        assert_eq!(names.text(uuid), "UUID: 000174a1-0000-1000-8000-000000000001");
        assert_eq!(names.text("unique_id 1"), "unique_id 2");
        assert_eq!(names.text("0xE3A6B8A5A6C00001 GPU-e3a6b8a5a6c00001"), "0x0000000000000001 GPU-0000000000000001");
        assert_eq!(names.hex_file("e3a6b8a5a6c00001\n"), "0000000000000001\n");
        assert_eq!(names.text("unique_id 16404001714350325761"), "unique_id 1");
    }

    #[test]
    fn words_are_learnt_where_they_are_named_and_replaced_everywhere() {
        let mut names = Pseudonyms::default();
        names.learn_host("gpu-node-17\n");
        names.learn("    PRODUCT_SERIAL: 692307000042\n    ASIC_SERIAL: N/A\n\"product_serial\": \"PCB0815\"");
        assert_eq!(names.text("0,692307000042,PCB0815 on gpu-node-17"), "0,serial-2,serial-3 on host");
    }

    #[test]
    fn processes_units_and_homes_have_no_names() {
        let mut names = Pseudonyms::default();
        names.learn_host("gpu-node-17.example.org\n");
        let processes = ["python3", "alice-train", "python3", "sh"].map(|name| names.process(name));
        assert_eq!(processes, ["process-1", "process-2", "process-1", "process-3"]);
        let container = "ab".repeat(32);
        let units = ["jupyter-alice.service", "docker-1.scope", &container].map(|unit| names.unit(unit));
        assert_eq!(units, ["unit-1.service".to_owned(), "unit-2.scope".to_owned(), format!("{:064x}", 3)]);
        assert_eq!(names.text("alice-train in /home/alice/run on gpu-node-17"), "process-2 in /home/user/run on host");
        assert_eq!(names.number_file("15188982192727901047\n"), "1\n");
        assert_eq!(names.text("hive_id 15188982192727901047"), "hive_id 1");
    }

    #[test]
    fn what_identifies_nothing_stays() {
        let mut names = Pseudonyms::default();
        for text in
            ["ffff0000-0000-1000-80ff-ffffffffffff", "0000:05:00.0", "hive_id 0", "SERIAL: N/A", "PARTITION_ID: 3"]
        {
            names.learn(text);
            assert_eq!(names.text(text), text);
        }
    }
}
