//! What was asked of the modules: modprobe.d first, then the kernel's command line, as kmod puts them together. Source: kmod
//! libkmod/libkmod-config.c @00178629 (`kmod_config_new`): the command line's options come last, and the last one wins.

use crate::domain::Reading;
use crate::facts;
use crate::witness::Snapshot;
use crate::witness::tuning::{MODULES, quoted_words};

use super::Ground;

/// Where the command line is.
pub(super) const CMDLINE: &str = "/proc/cmdline";

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Parameter, by its name on the command line, with underscores: `amdgpu.noretry`.
    pub name: String,
    /// Value; empty where none is written.
    pub value: String,
    /// Where: `/proc/cmdline`, or a file of modprobe.d.
    pub place: String,
}

impl Ask {
    /// Whether the kernel's command line asks: that reaches the driver however it is loaded. What a file of modprobe.d asks
    /// for may not be in the initramfs that loads it. Source: facts/rdna.md section 3 (Reading the truth).
    pub fn at_boot(&self) -> bool {
        self.place == CMDLINE
    }
}

/// Every request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asks {
    /// In the order in which they count: the last one of a parameter wins.
    pub list: Vec<Ask>,
    /// What could not be read, with the reason: what is asked there is not known.
    pub unread: Vec<String>,
}

impl Asks {
    /// The requests of one parameter, in their order.
    pub fn of(&self, name: &str) -> Vec<&Ask> {
        self.list.iter().filter(|ask| ask.name == name).collect()
    }

    /// Why nobody knows what is on the kernel's command line, where that is so.
    pub fn no_command_line(&self) -> Option<&str> {
        self.unread.iter().find(|why| why.starts_with(CMDLINE)).map(String::as_str)
    }
}

/// What was asked, as far as it can be read.
pub fn asks(look: &Snapshot, ground: &Ground) -> Asks {
    let mut asks = Asks::default();
    let options = look.tuning.as_ref().map_or(&Reading::NotReported, |tuning| &tuning.options);
    match options {
        Reading::Value(options) => {
            asks.unread.extend(options.unread.iter().cloned());
            let taken = options.list.iter().filter(|_| !ground.built_in);
            asks.list.extend(taken.map(|option| Ask {
                name: format!("{}.{}", option.module, underscores(&option.name)),
                value: option.value.clone().unwrap_or_default(),
                place: option.place.clone(),
            }));
        }
        absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
            asks.unread.push(format!("modprobe.d: {}", absent.absence().unwrap_or_default()));
        }
    }
    match look.kernel.as_ref().map_or(&Reading::NotReported, |kernel| &kernel.cmdline) {
        Reading::Value(line) => asks.list.extend(words(line).into_iter().filter_map(|word| asked(&word))),
        absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
            asks.unread.push(format!("{CMDLINE}: {}", absent.absence().unwrap_or_default()));
        }
    }
    asks
}

/// A word of the command line that concerns GPUs.
fn asked(word: &str) -> Option<Ask> {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let name = underscores(name);
    let module = name.split_once('.').is_some_and(|(module, _)| MODULES.contains(&module));
    // kmod passes a module's word on only with a value.
    let counts = if module { word.contains('=') } else { facts::parameter(&name).is_some() };
    counts.then(|| Ask { name, value: value.to_owned(), place: CMDLINE.to_owned() })
}

/// The words of a command line; behind `--` they are init's.
fn words(line: &str) -> Vec<String> {
    quoted_words(line).into_iter().take_while(|word| word != "--").collect()
}

/// The kernel takes both for the same in names.
fn underscores(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_command_line_words_about_gpus_are_requests() {
        let told = |line: &str| {
            let found = words(line).into_iter().filter_map(|word| asked(&word));
            found.map(|ask| format!("{}={}", ask.name, ask.value)).collect::<Vec<_>>().join(" ")
        };
        for (line, expected) in [
            ("root=/dev/sda1 amdgpu.noretry=0 quiet iommu=pt", "amdgpu.noretry=0 iommu=pt"),
            ("amdgpu.vm-fragment-size=9", "amdgpu.vm_fragment_size=9"),
            ("amdgpu.lockup_timeout=\"1, 2\" x", "amdgpu.lockup_timeout=1, 2"),
            ("amdgpu.noretry", ""),
            ("amdgpu.typo=1 nvidia.x=1 pci=realloc=off", "amdgpu.typo=1 pci=realloc=off"),
            ("amdgpu.runpm=0 -- amdgpu.noretry=0", "amdgpu.runpm=0"),
            ("", ""),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }
}
