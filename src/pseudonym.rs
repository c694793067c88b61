//! Replaces what identifies a machine by stable pseudonyms: serial numbers, UUIDs, host names.
//!
//! Numbered by first appearance, so that one machine records the same way twice and no pseudonym can be turned back.
//! A GPU's UUID is its serial number in another order (`e3ff74a1-0000-1000-80a6-b8a5a6c00001` holds
//! `e3a6b8a5a6c00001`), so both get the same number: who is the same device stays visible.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What kind of thing names a machine or a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of a GPU or a board, also as `unique_id` and hive.
    SerialNumber,
    /// Of a GPU, a boot, a disk.
    Uuid,
    /// With or without its domain.
    HostName,
    /// Of a person.
    UserName,
    /// The path of one.
    HomeFolder,
    /// Of a network card.
    MacAddress,
    /// IPv4 or IPv6.
    IpAddress,
    /// With its domain.
    EmailAddress,
    /// A token, a key or a password.
    Secret,
    /// Of a process.
    Process,
    /// Of a boot.
    Boot,
}

impl Kind {
    /// In words, as one says it of several.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SerialNumber => "serial numbers",
            Self::Uuid => "UUIDs",
            Self::HostName => "host names",
            Self::UserName => "user names",
            Self::HomeFolder => "home folders",
            Self::MacAddress => "MAC addresses",
            Self::IpAddress => "IP addresses",
            Self::EmailAddress => "e-mail addresses",
            Self::Secret => "tokens, keys and passwords",
            Self::Process => "names of processes",
            Self::Boot => "boot ids",
        }
    }
}

/// The pseudonyms of one recording, or of one bundle.
#[derive(Debug, Default)]
pub struct Pseudonyms {
    /// Serial numbers as 64-bit numbers.
    numbers: BTreeMap<u64, u64>,
    /// Serial numbers that are words, and host names, with what to put in their place.
    words: BTreeMap<String, (Kind, String)>,
    /// How often something was replaced.
    replaced: BTreeMap<Kind, usize>,
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
// Where memory was touched names nobody, and is what a report of a page fault is about.
pattern!(HEX, r"(?i)\b(address:? )?(0x|GPU-)([0-9a-f]{16})\b");
pattern!(PROPERTY, r"(?m)^(unique_id|hive_id) (\d+)$");
pattern!(HOME, r#"/home/[^/\s"':]+"#);
pattern!(SERIAL, r#"(?im)serial[a-z_]*"?\s*:\s*"?([^"\s,{}\[\]]+)"#);

impl Pseudonyms {
    /// Learns the host's name.
    pub fn learn_host(&mut self, name: &str) {
        let name = name.trim();
        // With and without its domain.
        for name in [name, name.split('.').next().unwrap_or_default()] {
            if name.len() >= SHORTEST {
                self.words.insert(name.to_owned(), (Kind::HostName, "host".to_owned()));
            }
        }
    }

    /// Learns the serial numbers that are words: in CSV they have no name beside them, so they are learnt from the other
    /// formats first.
    pub fn learn(&mut self, text: &str) {
        for found in SERIAL.captures_iter(text) {
            if !found[1].starts_with("0x") {
                self.learn_serial(&found[1]);
            }
        }
    }

    /// Learns one serial number that is a word.
    pub fn learn_serial(&mut self, word: &str) {
        if word.len() >= SHORTEST {
            let pseudonym = format!("serial-{}", self.words.len() + 1);
            self.words.entry(word.to_owned()).or_insert((Kind::SerialNumber, pseudonym));
        }
    }

    /// Words that are replaced wherever they stand.
    pub fn learnt(&self) -> usize {
        self.words.len()
    }

    /// How often something was replaced so far.
    pub const fn replaced(&self) -> &BTreeMap<Kind, usize> {
        &self.replaced
    }

    /// The text with every identifier replaced.
    pub fn text(&mut self, text: &str) -> String {
        let text = UUID.replace_all(text, |found: &Captures<'_>| {
            match self.hex(&format!("{}{}{}", &found[1], &found[3], &found[4])) {
                Some(number) => {
                    self.count(Kind::Uuid, 1);
                    format!("00{}00-{number:012x}", &found[2])
                }
                None => found[0].to_owned(),
            }
        });
        let text = HEX.replace_all(&text, |found: &Captures<'_>| {
            let number = if found.get(1).is_some() { None } else { self.hex(&found[3]) };
            match number {
                Some(number) => {
                    self.count(Kind::SerialNumber, 1);
                    format!("{}{number:016X}", &found[2])
                }
                None => found[0].to_owned(),
            }
        });
        let text = PROPERTY.replace_all(&text, |found: &Captures<'_>| {
            match found[2].parse().ok().and_then(|number| self.number(number)) {
                Some(number) => {
                    self.count(Kind::SerialNumber, 1);
                    format!("{} {number}", &found[1])
                }
                None => found[0].to_owned(),
            }
        });
        let text = HOME.replace_all(&text, |found: &Captures<'_>| {
            self.count(Kind::HomeFolder, usize::from(&found[0] != "/home/user"));
            "/home/user"
        });
        // Longest first: a name may begin with another one.
        let mut words: Vec<_> = self.words.iter().collect();
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        let mut text = text.into_owned();
        for (word, (kind, pseudonym)) in words {
            let count = text.matches(word.as_str()).count();
            if count > 0 {
                *self.replaced.entry(*kind).or_default() += count;
                text = text.replace(word, pseudonym);
            }
        }
        text
    }

    fn count(&mut self, kind: Kind, times: usize) {
        *self.replaced.entry(kind).or_default() += times;
    }

    /// The pseudonym of a process's name, which is replaced from here on wherever it stands.
    pub fn process(&mut self, name: &str) -> String {
        let pseudonym = format!("process-{}", Self::place(&mut self.processes, name));
        // The driver and its tools are no secret, and their names stand in every output.
        if name.len() >= SHORTEST && !["amdgpu", "amd-smi", "amd_smi"].contains(&name) {
            self.words.entry(name.to_owned()).or_insert_with(|| (Kind::Process, pseudonym.clone()));
        }
        pseudonym
    }

    /// The pseudonym of a systemd unit or container: only its kind stays.
    pub fn unit(&mut self, unit: &str) -> String {
        let number = Self::place(&mut self.units, unit);
        let kind = [".service", ".scope"].into_iter().find(|kind| unit.ends_with(kind)).unwrap_or_default();
        if kind.is_empty() { format!("{number:064x}") } else { format!("unit-{number}{kind}") }
    }

    /// The pseudonym of a boot: the same for all, since a recording is of one.
    pub fn boot(&mut self, id: &str) -> String {
        const BOOT: &str = "00000000-0000-4000-8000-000000000000";
        if id.trim().len() == BOOT.len() {
            self.words.insert(id.trim().to_owned(), (Kind::Boot, BOOT.to_owned()));
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
    pub fn number_file(&mut self, text: &str) -> String {
        let number = text.trim().parse().ok().and_then(|number| self.number(number));
        number.map_or_else(|| text.to_owned(), |number| format!("{number}\n"))
    }

    /// A file that is nothing but 16 hexadecimal digits (`unique_id`).
    pub fn hex_file(&mut self, text: &str) -> String {
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
    fn the_address_of_a_fault_stays_and_what_is_replaced_is_counted() {
        let mut names = Pseudonyms::default();
        let fault = "in page starting at address 0x00007f1234567000 from client 0x1b (UTCL2)";
        assert_eq!(names.text(fault), fault);
        assert_eq!(names.text("id 0xe3a6b8a5a6c00001 in /home/alice"), "id 0x0000000000000001 in /home/user");
        assert_eq!(names.replaced(), &BTreeMap::from([(Kind::SerialNumber, 1), (Kind::HomeFolder, 1)]));
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
