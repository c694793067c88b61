//! What was set on a simulated machine: its kernel, parameters, modprobe.d, environment and ROCm; and what the driver makes
//! of it when it is loaded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{self, ParameterKind};

use super::{Caller, Errno, FileAnswer};

/// What somebody set. All of it left out is a machine as it was installed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Tuning {
    /// Kernel release: `6.8.0-60-generic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The driver is the kernel's own, which shows no version, and not AMD's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_tree: bool,
    /// Words added to the kernel's command line: `amdgpu.noretry=0`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cmdline: String,
    /// Files of modprobe.d with their text: `etc/modprobe.d/amdgpu.conf`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub modprobe: BTreeMap<String, String>,
    /// Parameters written at run time, after the driver was loaded: `amdgpu.noretry`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub written: BTreeMap<String, String>,
    /// The environment in which probes start.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environ: BTreeMap<String, String>,
    /// ROCm installed below /opt: `6.2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rocm: Option<String>,
    /// torch that workers of probes say they loaded: `2.5.1+rocm6.2`. Left out, they say of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torch: Option<String>,
}

/// What the kernel and the disk show of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownTuning {
    /// Words of the command line after the kernel's own.
    pub cmdline: String,
    /// Files below `/sys/module/amdgpu/parameters`.
    pub parameters: Vec<ShownParameter>,
    /// Bits of a fragment that the driver logs for each GPU; `None` where it logs no such line.
    pub fragment_bits: Option<u32>,
    /// A value of `vm_fragment_size` that the driver warned of.
    pub rejected_fragment: Option<String>,
    /// Files of modprobe.d.
    pub modprobe: BTreeMap<String, String>,
    /// Variables.
    pub environ: BTreeMap<String, String>,
    /// Version of ROCm.
    pub rocm: Option<String>,
}

/// One parameter's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownParameter {
    /// Name below the folder.
    pub name: String,
    /// What a read answers.
    pub value: FileAnswer,
    /// Permission bits.
    pub mode: u32,
}

/// A parameter of the driver that the tables of facts do not have, with its value and mode (facts/partitions.md section 5).
const OTHERS: [(&str, &str, u32); 1] = [("user_partt_mode", "-2", 0o444)];

/// Folders of modprobe.d, the one that counts most first.
const FOLDERS: [&str; 5] =
    ["etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d"];

/// Bits of a fragment where nobody asks for another size (facts/rdna.md section 3).
const FRAGMENT_BITS: u32 = 9;

/// Most files, written parameters or variables of one machine.
const MOST: usize = 64;

/// Longest text of a machine file, in bytes.
const LONGEST: usize = 4096;

impl Tuning {
    /// Whether nothing was set.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it: the key, and why.
    pub(super) fn problem(&self) -> Option<String> {
        let line = |key: &str, text: &str| {
            let fits = text.len() <= LONGEST && !text.chars().any(char::is_control);
            (!fits).then(|| format!("{key}: one line of at most {LONGEST} bytes"))
        };
        let short = |key: &str, text: &Option<String>| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
            let fits = text.as_ref().is_none_or(|text| (1..=64).contains(&text.len()) && text.chars().all(plain));
            (!fits).then(|| format!("{key}: 1 to 64 letters, digits, `.`, `-`, `_` and `+`"))
        };
        let many =
            [("modprobe", self.modprobe.len()), ("written", self.written.len()), ("environ", self.environ.len())];
        let many = many.iter().find(|(_, count)| *count > MOST).map(|(key, _)| format!("{key}: at most {MOST}"));
        many.or_else(|| short("kernel", &self.kernel))
            .or_else(|| short("rocm", &self.rocm))
            .or_else(|| short("torch", &self.torch))
            .or_else(|| line("cmdline", &self.cmdline))
            .or_else(|| self.modprobe.iter().find_map(|(path, text)| file_problem(path, text)))
            .or_else(|| {
                self.written.iter().find_map(|(name, value)| written_problem(name).or_else(|| line(name, value)))
            })
            .or_else(|| self.environ.iter().find_map(|(name, value)| variable_problem(name, value)))
    }

    /// What is shown once the driver was loaded. `stale`: an initramfs loaded it without the modprobe.d of now.
    pub(super) fn shown(&self, caller: Caller, stale: bool, built_in: bool) -> ShownTuning {
        let mut asked = if stale || built_in { Vec::new() } else { self.options() };
        asked.extend(options_of(self.cmdline.split_whitespace()));
        let last = |name: &str| asked.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let (mut fragment_bits, mut rejected_fragment) = (FRAGMENT_BITS, None);
        let mut parameters = Vec::new();
        for each in facts::parameters() {
            let (Some((module, name)), Some(mode), Some(unset)) = (each.module(), each.mode, &each.unset) else {
                continue;
            };
            if module != "amdgpu" {
                continue;
            }
            let mut value = last(&each.name).unwrap_or_else(|| unset.clone());
            if name == "vm_fragment_size" {
                match value.parse() {
                    Ok(bits @ 4..=9) => fragment_bits = bits,
                    Ok(_) | Err(_) => {
                        // The driver overwrites what it does not take.
                        rejected_fragment =
                            Some(std::mem::replace(&mut value, unset.clone())).filter(|value| value != unset);
                    }
                }
            }
            if let Some(written) = self.written.get(&each.name) {
                value.clone_from(written);
            }
            // The driver cuts the list of timeouts where it took it apart (facts: a list of timeouts).
            if each.kind == ParameterKind::Timeouts {
                value = value.split(',').next().unwrap_or_default().to_owned();
            }
            let refused = caller == Caller::User && mode & 0o004 == 0;
            let value = if refused { Err(Errno::EACCES) } else { Ok(value) };
            parameters.push(ShownParameter { name: name.to_owned(), value, mode });
        }
        parameters.extend(OTHERS.map(|(name, value, mode)| ShownParameter {
            name: name.to_owned(),
            value: Ok(value.to_owned()),
            mode,
        }));
        ShownTuning {
            cmdline: self.cmdline.clone(),
            parameters,
            fragment_bits: Some(fragment_bits),
            rejected_fragment,
            modprobe: self.modprobe.clone(),
            environ: self.environ.clone(),
            rocm: self.rocm.clone(),
        }
    }

    /// What modprobe passes: of each file name the first folder's, by name.
    fn options(&self) -> Vec<(String, String)> {
        let mut files: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for (path, text) in &self.modprobe {
            let Some((folder, name)) = path.rsplit_once('/') else { continue };
            let Some(rank) = FOLDERS.iter().position(|known| *known == folder) else { continue };
            let entry = files.entry(name).or_insert((rank, text));
            if rank < entry.0 {
                *entry = (rank, text);
            }
        }
        let lines = files.values().flat_map(|(_, text)| text.lines());
        lines
            .flat_map(|line| {
                let mut words = line.split_whitespace();
                let module = (words.next() == Some("options")).then(|| words.next()).flatten().map(str::to_owned);
                words.filter_map(move |word| {
                    let (name, value) = word.split_once('=')?;
                    Some((format!("{}.{name}", module.as_ref()?), value.to_owned()))
                })
            })
            .collect()
    }
}

fn options_of<'a>(words: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    words.filter_map(|word| word.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn file_problem(path: &str, text: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !FOLDERS.contains(&folder) || name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Some(format!("modprobe: {path:?} is not a file in one of {}", FOLDERS.join(", ")));
    }
    (text.len() > LONGEST).then(|| format!("modprobe: {path} has more than {LONGEST} bytes"))
}

fn written_problem(name: &str) -> Option<String> {
    match facts::parameter(name) {
        Some(parameter) if parameter.writable() && name.starts_with("amdgpu.") => None,
        Some(_) => Some(format!("written: {name} cannot be written at run time")),
        None => Some(format!("written: no parameter is called {name:?}")),
    }
}

fn variable_problem(name: &str, value: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits =
        (1..=64).contains(&name.len()) && name.chars().all(plain) && value.len() <= LONGEST && !value.contains('\0');
    (!fits).then(|| format!("environ: {name:?} is not a variable with a value of at most {LONGEST} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuning(text: &str) -> Tuning {
        toml::from_str(text).unwrap()
    }

    fn shown(tuning: &Tuning, name: &str) -> FileAnswer {
        let shown = tuning.shown(Caller::Root, false, false);
        shown.parameters.into_iter().find(|each| each.name == name).unwrap().value
    }

    #[test]
    fn the_last_option_wins_and_the_command_line_is_last() {
        let files = "[modprobe]\n'etc/modprobe.d/b.conf' = 'options amdgpu runpm=1'\n\
                     'usr/lib/modprobe.d/b.conf' = 'options amdgpu runpm=2'\n'run/modprobe.d/a.conf' = 'options amdgpu runpm=0'\n";
        assert_eq!(shown(&tuning(files), "runpm"), Ok("1".to_owned()));
        assert_eq!(shown(&tuning(&format!("cmdline = 'amdgpu.runpm=-2'\n{files}")), "runpm"), Ok("-2".to_owned()));
        let written = "cmdline = 'amdgpu.noretry=1'\n[written]\n'amdgpu.noretry' = '0'";
        assert_eq!(shown(&tuning(written), "noretry"), Ok("0".to_owned()));
        let stale = tuning(files).shown(Caller::Root, true, false);
        assert!(stale.parameters.iter().any(|each| each.name == "runpm" && each.value == Ok("-1".to_owned())));
    }

    #[test]
    fn a_fragment_size_that_is_not_legal_is_overwritten_and_logged() {
        for (asked, value, bits, rejected) in
            [("9", "9", 9, None), ("4", "4", 4, None), ("12", "-1", 9, Some("12")), ("-1", "-1", 9, None)]
        {
            let tuning = tuning(&format!("cmdline = 'amdgpu.vm_fragment_size={asked}'"));
            let shown = tuning.shown(Caller::Root, false, false);
            let parameter = shown.parameters.iter().find(|each| each.name == "vm_fragment_size").unwrap();
            assert_eq!(parameter.value.as_deref(), Ok(value), "{asked}");
            assert_eq!((shown.fragment_bits, shown.rejected_fragment.as_deref()), (Some(bits), rejected), "{asked}");
        }
    }

    #[test]
    fn a_file_of_root_answers_nobody_else() {
        let of = |caller| {
            let shown = Tuning::default().shown(caller, false, false);
            shown.parameters.into_iter().find(|each| each.name == "gttsize").unwrap().value
        };
        assert_eq!((of(Caller::Root), of(Caller::User)), (Ok("-1".to_owned()), Err(Errno::EACCES)));
    }

    #[test]
    fn what_no_machine_can_have_is_refused_by_key() {
        for (text, part) in [
            ("kernel = '../x'", "kernel"),
            ("kernel = ''", "kernel"),
            ("rocm = '6.2/..'", "rocm"),
            ("torch = '2.5.1 rocm'", "torch"),
            ("cmdline = \"a\\nb\"", "cmdline"),
            ("modprobe = { 'etc/passwd' = '' }", "etc/passwd"),
            ("modprobe = { 'etc/modprobe.d/../x' = '' }", "modprobe"),
            ("modprobe = { 'etc/modprobe.d/.x.conf' = '' }", "modprobe"),
            ("written = { 'amdgpu.vm_fragment_size' = '4' }", "cannot be written"),
            ("written = { 'amdgpu.no' = '4' }", "no parameter"),
            ("environ = { 'A B' = '' }", "environ"),
        ] {
            let problem = tuning(text).problem().unwrap_or_else(|| panic!("{text} is fine"));
            assert!(problem.contains(part), "{text}: {problem}");
        }
        assert_eq!(Tuning::default().problem(), None);
    }
}
