//! Takes out of texts what names a machine or a person. On top of the pseudonyms that recordings have come those of what
//! a report holds beside: names of people, addresses, secrets of an environment.
//!
//! All texts are learnt from before the first is changed: a name stands beside its label in one file, and bare in others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use crate::pseudonym::{Kind, Pseudonyms};

use super::addresses::addresses;
use super::secrets::{self, LEFT_OUT};

/// Names that are learnt. Evidence may be made so that it names thousands, each of which is looked for in all of it.
const MOST_NAMES: usize = 256;

/// Shortest name that is replaced wherever it stands as a word.
const SHORTEST: usize = 3;

/// Longest text that is looked at together with its key.
const LONGEST_LABELLED: usize = 4096;

/// Names that say nothing of a person or a machine, and stand in every report.
const COMMON: &[&str] = &[
    "admin",
    "command",
    "amd",
    "amdgpu",
    "debian",
    "false",
    "gpu",
    "host",
    "kernel",
    "localhost",
    "miopen",
    "node",
    "none",
    "null",
    "python",
    "python3",
    "pytorch",
    "rocm",
    "rocvet",
    "root",
    "runner",
    "test",
    "torch",
    "true",
    "ubuntu",
    "unknown",
    "user",
    "validate",
    "version",
];

/// Keys of records whose values are words of the format.
const FORMAT: &[&str] = &["schema", "status", "class", "judgement", "check", "expect", "kind", "provenance", "rocvet"];

macro_rules! pattern {
    ($name:ident, $text:literal) => {
        #[allow(clippy::expect_used)]
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).expect("a constant pattern"));
    };
}

pattern!(
    SERIAL,
    r#"(?i)(?:serial(?:[ _-]?(?:number|num|no))?|\bs/?n)"?(?:\s*[:=#]\s*"?([A-Za-z0-9-]{4,64})|\s+(?:is\s+)?([A-Za-z0-9-]{8,64}))"#
);
pattern!(HOSTNAME, r#"(?i)\bhost_?name"?\s*[:=]\s*"?([A-Za-z0-9][A-Za-z0-9.-]{2,62})"#);
pattern!(SYSLOG, r"(?m)^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ([A-Za-z0-9][A-Za-z0-9.-]{2,62}) ");
pattern!(JOURNAL, r"(?m)^\d{4}-\d\d-\d\d[T ][0-9:.,+Z-]+ ([A-Za-z0-9][A-Za-z0-9.-]{2,62}) kernel:");
pattern!(UNAME, r"\bLinux ([A-Za-z0-9][A-Za-z0-9.-]{2,62}) \d+\.\d+");
// Fifth part of the kernel's `ip=` (Documentation/admin-guide/nfs/nfsroot.rst).
pattern!(BOOT_IP, r"\bip=(?:[^\s:]*:){4}([A-Za-z0-9][A-Za-z0-9.-]{2,62})");
pattern!(REMOTE, r"\b(?:r?host|hostname)=([A-Za-z][A-Za-z0-9.-]{2,62})");
// As sshd, systemd-logind, PAM, sudo and id name people.
pattern!(
    SSHD,
    r"\b(?:publickey|password|hostbased|none|gssapi-with-mic|keyboard-interactive(?:/pam)?) for (?:invalid user )?([A-Za-z_][A-Za-z0-9_.-]{1,31})"
);
pattern!(
    SESSION,
    r"(?i)\b(?:session (?:opened|closed|\w+ of|for)(?: for)?|session of|invalid|authenticating) user ([A-Za-z_][A-Za-z0-9_.-]{1,31})"
);
pattern!(OF_PAM, r#"\b(?:r?user|logname|acct|auid)="?([A-Za-z_][A-Za-z0-9_.-]{1,31})"#);
pattern!(SUDO, r"\bsudo(?:\[\d+\])?:\s+([A-Za-z_][A-Za-z0-9_.-]{1,31}) : ");
pattern!(UID, r"\buid=\d+\(([A-Za-z_][A-Za-z0-9_.-]{1,31})\)|\b([A-Za-z_][A-Za-z0-9_.-]{1,31})\(uid=\d+\)");
pattern!(PROMPT, r"\b([A-Za-z_][A-Za-z0-9_-]{0,31})@([A-Za-z0-9][A-Za-z0-9.-]{2,62}):[~/]");
pattern!(FOLDER, r#"/(?:home|Users)/([^/\s"':]{1,64})"#);
pattern!(USER, r#"\b(?:USER|LOGNAME|USERNAME|SUDO_USER)(?:=|": ")([A-Za-z_][A-Za-z0-9_.-]{1,31})"#);
pattern!(USER_KEY, r#""user(?:_?name)?"\s*:\s*"([A-Za-z_][A-Za-z0-9_.-]{1,31})""#);
pattern!(EMAIL, r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}\b");
pattern!(UUID, r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b");
pattern!(GPU_UUID, r"(?i)^[0-9a-f]{8}-0000-1000-80[0-9a-f]{2}-[0-9a-f]{12}$");
pattern!(MAC, r"(?i)\b[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5,19}|(?:-[0-9a-f]{2}){5})\b");
pattern!(MAC_HOME, r#"/Users/[^/\s"':]+"#);

/// What replaces names and addresses, the same everywhere.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    base: Pseudonyms,
    /// Names of hosts and people, with their pseudonyms.
    names: BTreeMap<String, (Kind, String)>,
    /// Addresses and the like by kind, with their numbers.
    numbers: BTreeMap<Kind, BTreeMap<String, usize>>,
    /// Values of variables that are secrets, in every spelling.
    secrets: BTreeSet<String>,
    replaced: BTreeMap<Kind, usize>,
    /// More names than are learnt.
    full: bool,
}

impl Redactor {
    /// Learns a name that is known for one, with and without its domain.
    pub(super) fn learn_name(&mut self, kind: Kind, name: &str) {
        let name = name.trim().trim_end_matches('.');
        let short = name.split('.').next().filter(|_| kind == Kind::HostName);
        let mut pseudonym = None;
        for name in [Some(name), short].into_iter().flatten() {
            let number = name.chars().all(|c| c.is_ascii_digit() || c == '.');
            if name.len() < SHORTEST || number || COMMON.contains(&name.to_lowercase().as_str()) {
                continue;
            }
            if let Some((_, known)) = self.names.get(name) {
                pseudonym = Some(known.clone());
                continue;
            }
            if self.names.len() >= MOST_NAMES {
                self.full = true;
                return;
            }
            let next = self.names.values().filter(|(known, _)| *known == kind).count() + 1;
            let word = match kind {
                Kind::HostName => "host",
                Kind::HomeFolder => "home",
                Kind::UserName
                | Kind::SerialNumber
                | Kind::Uuid
                | Kind::MacAddress
                | Kind::IpAddress
                | Kind::EmailAddress
                | Kind::Secret
                | Kind::Process
                | Kind::Boot => "user",
            };
            let made = pseudonym.get_or_insert_with(|| format!("{word}-{next}")).clone();
            self.names.insert(name.to_owned(), (kind, made));
        }
    }

    /// Learns the value of a variable that is a secret.
    pub(super) fn learn_secret(&mut self, value: &str) {
        for spelling in secrets::spellings(value) {
            if self.secrets.len() >= MOST_NAMES {
                self.full = true;
                return;
            }
            self.secrets.insert(spelling);
        }
    }

    /// Learns what a file names.
    pub(super) fn learn(&mut self, path: &str, content: &str) {
        self.learn_text(None, path);
        each_text(path, content, &mut |key, text| self.learn_text(key, text));
    }

    /// Learns from a text, and from the key that it stands under.
    fn learn_text(&mut self, key: Option<&str>, text: &str) {
        if let Some(key) = key.filter(|_| text.len() < LONGEST_LABELLED) {
            if secrets::is_name(key) {
                self.learn_secret(text);
            }
            // A label says what a name is.
            self.learn_names(&format!("\"{key}\": \"{text}\""));
        }
        secrets::assigned(text).for_each(|value| self.learn_secret(&value));
        self.learn_names(text);
    }

    fn learn_names(&mut self, text: &str) {
        for word in SERIAL.captures_iter(text).filter_map(|found| found.get(1).or(found.get(2))) {
            let word = word.as_str();
            // Sixteen hexadecimal digits are known by their form, in every spelling.
            let number = word.strip_prefix("0x").is_some_and(|digits| digits.len() == 16);
            if word.bytes().any(|byte| byte.is_ascii_digit()) && !number {
                if self.base.learnt() < MOST_NAMES {
                    self.base.learn_serial(word);
                } else {
                    self.full = true;
                }
            }
        }
        for pattern in [&HOSTNAME, &SYSLOG, &JOURNAL, &UNAME, &BOOT_IP, &REMOTE] {
            pattern.captures_iter(text).for_each(|found| self.learn_name(Kind::HostName, &found[1]));
        }
        for found in PROMPT.captures_iter(text) {
            self.learn_name(Kind::UserName, &found[1]);
            self.learn_name(Kind::HostName, &found[2]);
        }
        for pattern in [&FOLDER, &USER, &USER_KEY, &SSHD, &SESSION, &OF_PAM, &SUDO, &UID] {
            for name in pattern.captures_iter(text).filter_map(|found| found.get(1).or(found.get(2))) {
                self.learn_name(Kind::UserName, name.as_str());
            }
        }
    }

    /// A file without what it names. JSON stays JSON: only its strings change.
    pub(super) fn file(&mut self, path: &str, content: &str) -> String {
        match form(path) {
            Form::Text => self.text(content),
            Form::Json => match serde_json::from_str(content) {
                Ok(value) => format!("{:#}\n", self.value(value)),
                Err(_) => self.text(content),
            },
            Form::JsonLines => {
                let line = |line: &str| match serde_json::from_str(line) {
                    Ok(value) => format!("{}\n", self.value(value)),
                    Err(_) => format!("{}\n", self.text(line)),
                };
                content.lines().map(line).collect()
            }
        }
    }

    fn value(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(values) => values.into_iter().map(|value| self.value(value)).collect(),
            Value::Object(entries) => {
                let mut made = serde_json::Map::new();
                for (key, value) in entries {
                    let plain = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                    let value = if FORMAT.contains(&key.as_str()) && value.is_string() {
                        value
                    } else if secrets::is_name(&key) && !value.is_null() && !value.is_boolean() {
                        self.count(Kind::Secret, 1);
                        Value::String(LEFT_OUT.to_owned())
                    } else if value.is_u64() && SERIAL.is_match(&format!("{key}: {value}")) {
                        Value::String(self.text(&format!("serial: {value}")))
                    } else {
                        self.value(value)
                    };
                    made.insert(if plain { key } else { self.text(&key) }, value);
                }
                Value::Object(made)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// A text without what it names.
    pub(super) fn text(&mut self, text: &str) -> String {
        let text = self.without_secrets(text);
        let text =
            EMAIL.replace_all(&text, |found: &Captures<'_>| self.numbered(Kind::EmailAddress, "email", &found[0]));
        let text = UUID.replace_all(&text, |found: &Captures<'_>| {
            // Those of GPUs share a number with the serial number that is in them.
            let nobody = found[0].bytes().all(|byte| byte == b'0' || byte == b'-');
            if nobody || GPU_UUID.is_match(&found[0]) {
                found[0].to_owned()
            } else {
                self.numbered(Kind::Uuid, "uuid", &found[0].to_lowercase())
            }
        });
        let text = MAC.replace_all(&text, |found: &Captures<'_>| {
            self.numbered(Kind::MacAddress, "mac", &found[0].to_lowercase().replace('-', ":"))
        });
        let text = self.without_addresses(&text);
        let text = self.base.text(&text);
        let text = MAC_HOME.replace_all(&text, |_: &Captures<'_>| {
            self.count(Kind::HomeFolder, 1);
            "/home/user"
        });
        let mut text = text.into_owned();
        // Longest first: a name may begin with another one.
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, (kind, pseudonym)) in names {
            if let Some((made, times)) = words_replaced(&text, name, pseudonym) {
                text = made;
                *self.replaced.entry(*kind).or_default() += times;
            }
        }
        text
    }

    /// Known values first: a label says where one begins, and not where it ends.
    fn without_secrets(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        // Longest first: one may begin with another.
        let mut all: Vec<_> = self.secrets.iter().collect();
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in all {
            if let Some((made, times)) = words_replaced(&text, secret, LEFT_OUT) {
                text = made;
                *self.replaced.entry(Kind::Secret).or_default() += times;
            }
        }
        let (text, count) = secrets::without(&text);
        self.count(Kind::Secret, count);
        text
    }

    fn without_addresses(&mut self, text: &str) -> String {
        let (mut made, mut from) = (String::new(), 0);
        for (place, address) in addresses(text) {
            made.push_str(&text[from..place.start]);
            made.push_str(&self.numbered(Kind::IpAddress, "ip", &address));
            from = place.end;
        }
        made + &text[from..]
    }

    fn numbered(&mut self, kind: Kind, word: &str, what: &str) -> String {
        self.count(kind, 1);
        let known = self.numbers.entry(kind).or_default();
        let next = known.len() + 1;
        format!("{word}-{}", known.entry(what.to_owned()).or_insert(next))
    }

    fn count(&mut self, kind: Kind, times: usize) {
        *self.replaced.entry(kind).or_default() += times;
    }

    /// How often each kind was replaced.
    pub(super) fn replaced(&self) -> BTreeMap<Kind, usize> {
        let mut all = self.replaced.clone();
        for (kind, times) in self.base.replaced() {
            *all.entry(*kind).or_default() += times;
        }
        all.retain(|_, times| *times > 0);
        all
    }

    /// There were more names than are looked for everywhere.
    pub(super) const fn full(&self) -> bool {
        self.full
    }
}

/// The text with a name replaced where it stands as a word, and how often; `None` where it does not.
fn words_replaced(text: &str, name: &str, pseudonym: &str) -> Option<(String, usize)> {
    let mut made = String::new();
    let (mut from, mut times) = (0, 0);
    for (at, _) in text.match_indices(name) {
        let end = at + name.len();
        let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        if inside(text[..at].chars().next_back()) || inside(text[end..].chars().next()) {
            continue;
        }
        made.push_str(&text[from..at]);
        made.push_str(pseudonym);
        from = end;
        times += 1;
    }
    made.push_str(&text[from..]);
    (times > 0).then_some((made, times))
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    JsonLines,
}

fn form(path: &str) -> Form {
    match path.rsplit('.').next() {
        Some("json") => Form::Json,
        Some("jsonl") => Form::JsonLines,
        Some(_) | None => Form::Text,
    }
}

/// Each text of a file: strings of JSON as they were before they were quoted, since a quoted line feed looks like an `n`
/// before the next word.
fn each_text(path: &str, content: &str, to: &mut dyn FnMut(Option<&str>, &str)) {
    match form(path) {
        Form::Text => to(None, content),
        Form::Json => match serde_json::from_str(content) {
            Ok(value) => each_string(&value, None, to),
            Err(_) => to(None, content),
        },
        Form::JsonLines => {
            for line in content.lines() {
                match serde_json::from_str(line) {
                    Ok(value) => each_string(&value, None, to),
                    Err(_) => to(None, line),
                }
            }
        }
    }
}

fn each_string(value: &Value, key: Option<&str>, to: &mut dyn FnMut(Option<&str>, &str)) {
    match value {
        Value::String(text) => to(key, text),
        // A serial number may be one.
        Value::Number(number) => to(key, &number.to_string()),
        Value::Array(values) => values.iter().for_each(|value| each_string(value, key, to)),
        Value::Object(entries) => {
            for (key, value) in entries {
                to(None, key);
                each_string(value, Some(key), to);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        let mut redactor = Redactor::default();
        redactor.learn("log.txt", text);
        redactor.text(text)
    }

    #[test]
    fn what_names_a_machine_or_a_person_gets_a_pseudonym() {
        for (text, expected) in [
            ("Nov 21 10:00:00 lab-17 kernel: amdgpu on lab-17", "Nov 21 10:00:00 host-1 kernel: amdgpu on host-1"),
            ("Linux lab-17.example.org 6.8.0 and lab-17", "Linux host-1 6.8.0 and host-1"),
            ("hostname: lab-17\nlab-170", "hostname: host-1\nlab-170"),
            ("alice@lab-17:~$ ls", "user-1@host-1:~$ ls"),
            ("/home/alice/run of alice, malice", "/home/user/run of user-1, malice"),
            ("USER=alice HF_TOKEN=hf_abc", "USER=user-1 HF_TOKEN=[left out]"),
            ("write to Alice.B@example.org", "write to email-1"),
            ("boot 6f1c9a52-11aa-4d2b-9c1f-0123456789ab", "boot uuid-1"),
            ("link 9c:6b:00:12:34:56 up, 9c:6b:00:12:34:57", "link mac-1 up, mac-2"),
            ("10.1.2.3 then 10.1.2.3 and fe80::1a2b:3c4d", "ip-1 then ip-1 and ip-2"),
            ("ip=10.1.2.3::10.1.2.1:255.255.255.0:lab-17:eth0", "ip=ip-1::ip-2:255.255.255.0:host-1:eth0"),
            ("amdgpu: serial 692343000123, 692343000123", "amdgpu: serial serial-1, serial-1"),
            ("Accepted publickey for jane.doe from 10.1.2.3", "Accepted publickey for user-1 from ip-1"),
            ("New session 3 of user jane. jane : TTY", "New session 3 of user user-1. user-1 : TTY"),
            ("HF_TOKEN=hf_abc and hf_abc alone", "HF_TOKEN=[left out] and [left out] alone"),
            ("Serial Number: 692307000042, 692307000042", "Serial Number: serial-1, serial-1"),
            ("serial: 0x66C2BF69F5EFD5A", "serial: serial-1"),
            ("asic_serial 0xE3A6B8A5A6C00001", "asic_serial 0x0000000000000001"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    #[test]
    fn what_a_report_is_about_stays() {
        for text in [
            "probe=hang@start=3 and probe=zeros@op=reduce*,env.MIOPEN_FIND_MODE=",
            "0000:03:00.0 at 12:34:56, gfx1010, 26.2.1",
            "Memory access fault by GPU node-1 on address 0x7f0000000000",
            "partition/mi300x::amd-smi=26.2.1 at::native::add",
            "driver version: 6.10.5.0, librocblas.so.4.1.0.6, 127.0.0.1",
            "serialize=true AMD_SERIALIZE_KERNEL=3 PRODUCT_SERIAL: N/A",
            "00000000-0000-0000-0000-000000000000",
            "the serial console, ttyS0 serial, session opened for user root",
        ] {
            assert_eq!(redacted(text), text);
        }
    }

    #[test]
    fn json_stays_json_and_its_names_are_found_behind_quoted_line_feeds() {
        let text = r#"{"status":"fail","text":"on\nlab-17\n","hostname":"lab-17","HF_TOKEN":"hf_x","/home/alice":1}"#;
        let mut redactor = Redactor::default();
        redactor.learn("a.json", text);
        let made: Value = serde_json::from_str(&redactor.file("a.json", text)).unwrap();
        assert_eq!(
            made,
            serde_json::json!({"status":"fail","text":"on\nhost-1\n","hostname":"host-1","HF_TOKEN":"[left out]","/home/user":1})
        );
        let line = redactor.file("a.jsonl", &format!("{text}\nnot json of alice\n"));
        assert_eq!(line.lines().count(), 2);
        assert!(!line.contains("alice") && !line.contains("lab-17"), "{line}");
    }

    #[test]
    fn thousands_of_names_are_not_looked_for_everywhere_and_that_is_said() {
        let text: String = (0..2000).map(|n| format!("/home/person{n}/x\n")).collect();
        let mut redactor = Redactor::default();
        redactor.learn("log", &text);
        assert!(redactor.full() && redactor.names.len() == MOST_NAMES);
        assert!(!redactor.text(&text).contains("person"));
    }
}
