//! What modprobe.d asks for, by the rules of kmod: a file hides those of the same name in later folders, files are taken in
//! the order of their names, and later options win. Source: kmod libkmod/libkmod-config.c @00178629
//! (`conf_files_list`, `kmod_config_parse`).

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::Reading;
use crate::witness::files::absent;
use crate::witness::tree::Tree;

use super::MODULES;

/// Folders, the one that counts most first. Source: kmod libkmod/libkmod.c (`default_config_paths`).
const FOLDERS: [&str; 5] =
    ["etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d"];

/// Largest file that is read.
const LIMIT: usize = 256 << 10;

/// Most options that are kept.
const MAX_OPTIONS: usize = 1000;

/// What modprobe.d asks for of the modules of GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// In the order in which modprobe takes them.
    pub list: Vec<ModuleOption>,
    /// Files and folders that could not be read, with the reason: what they ask for is not known.
    pub unread: Vec<String>,
}

/// One option of one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleOption {
    /// Module, with underscores.
    pub module: String,
    /// Parameter as it is written.
    pub name: String,
    /// Value; `None` where it is written without one.
    pub value: Option<String>,
    /// The file: `/etc/modprobe.d/amdgpu.conf`.
    pub place: String,
}

/// What the files below `root` (`/`, or `HOST`) ask for.
pub fn read_options(root: &Path) -> Reading<Options> {
    let Ok(tree) = Tree::open(root) else { return Reading::NotReported };
    let mut options = Options::default();
    let mut files: BTreeMap<String, &str> = BTreeMap::new();
    let mut there = false;
    for folder in FOLDERS {
        match tree.names(folder) {
            Ok(names) => {
                there = true;
                for name in names.into_iter().filter(|name| is_configuration(name)) {
                    files.entry(name).or_insert(folder);
                }
            }
            Err(error) if absent(&error.problem) => {}
            Err(error) => options.unread.push(format!("/{folder}: {}", error.problem)),
        }
    }
    if !there && options.unread.is_empty() {
        return Reading::NotReported;
    }
    for (name, folder) in files {
        let place = format!("/{folder}/{name}");
        // A link to /dev/null is how a file of the distribution is switched off; the tree does not follow it.
        let masked = tree.below(folder).ok().and_then(|folder| folder.link(&name)).is_some_and(|to| to == "/dev/null");
        if masked {
            continue;
        }
        match tree.read(&format!("{folder}/{name}"), LIMIT) {
            Ok(bytes) => parse(&String::from_utf8_lossy(&bytes), &place, &mut options),
            Err(error) => options.unread.push(format!("{place}: {}", error.problem)),
        }
    }
    Reading::Value(options)
}

fn is_configuration(name: &str) -> bool {
    let ending = name.len() >= 6 && (name.ends_with(".conf") || name.ends_with(".alias"));
    ending && !name.starts_with('.')
}

/// The lines `options MODULE NAME=VALUE …`; a backslash at its end joins a line with the next one.
fn parse(text: &str, place: &str, options: &mut Options) {
    for line in text.replace("\\\n", "").lines() {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        if words.next() != Some("options") {
            continue;
        }
        let Some(module) = words.next().map(|word| word.replace('-', "_")) else { continue };
        if !MODULES.contains(&module.as_str()) {
            continue;
        }
        let rest = line.trim_start().strip_prefix("options").unwrap_or_default().trim_start();
        let rest = rest.split_once([' ', '\t']).map_or("", |(_, rest)| rest);
        let mut comment = false;
        for word in quoted_words(rest) {
            // kmod knows comments by the first letter of a line only, and hands everything else to the driver: `NAME=VALUE`
            // counts behind a # as before it, and of the other words one is enough to be told. Source: kmod
            // libkmod/libkmod-config.c (`kmod_config_parse`).
            let begins = word.starts_with('#');
            if comment && (begins || !word.contains('=')) {
                continue;
            }
            comment |= begins;
            let word = if begins { "#".to_owned() } else { word };
            if options.list.len() == MAX_OPTIONS {
                options.unread.push(format!("{place}: more than {MAX_OPTIONS} options"));
                return;
            }
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let (name, place) = (name.to_owned(), place.to_owned());
            options.list.push(ModuleOption { module: module.clone(), name, value, place });
        }
    }
}

/// Words, as the kernel takes parameters apart: double quotes hold blanks together, and are taken off.
pub fn quoted_words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut inside = false;
    for c in text.chars() {
        match c {
            '"' => inside = !inside,
            c if c.is_whitespace() && !inside => words.push(String::new()),
            c => {
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write the folders that are read")]
mod tests {
    use super::super::super::tests::write;
    use super::*;

    /// Paths with their text; a text that begins with `->` is a link.
    type Files = &'static [(&'static str, &'static str)];

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            match text.strip_prefix("->") {
                Some(target) => {
                    std::fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
                    std::os::unix::fs::symlink(target, root.path().join(path)).unwrap();
                }
                None => write(root.path(), path, text),
            }
        }
        let Reading::Value(options) = read_options(root.path()) else { return vec!["nothing there".to_owned()] };
        let option = |each: &ModuleOption| {
            let value = each.value.as_deref().map(|value| format!("={value}")).unwrap_or_default();
            format!("{}.{}{value} {}", each.module, each.name, each.place)
        };
        options.list.iter().map(option).chain(options.unread.iter().map(|problem| format!("? {problem}"))).collect()
    }

    #[test]
    fn options_are_taken_by_the_rules_of_kmod() {
        let table: &[(Files, &[&str])] = &[
            (&[("var/x", "")], &["nothing there"]),
            (&[("etc/modprobe.d/x", "")], &[]),
            (
                &[("etc/modprobe.d/amdgpu.conf", "options amdgpu noretry=0 vm_fragment_size=9\n")],
                &[
                    "amdgpu.noretry=0 /etc/modprobe.d/amdgpu.conf",
                    "amdgpu.vm_fragment_size=9 /etc/modprobe.d/amdgpu.conf",
                ],
            ),
            // By name over all folders; of one name the first folder's.
            (
                &[
                    ("usr/lib/modprobe.d/b.conf", "options amdgpu runpm=1"),
                    ("usr/lib/modprobe.d/a.conf", "options amdgpu runpm=2"),
                    ("run/modprobe.d/c.conf", "options amdgpu runpm=-1"),
                    ("etc/modprobe.d/b.conf", "options amdgpu runpm=0"),
                ],
                &[
                    "amdgpu.runpm=2 /usr/lib/modprobe.d/a.conf",
                    "amdgpu.runpm=0 /etc/modprobe.d/b.conf",
                    "amdgpu.runpm=-1 /run/modprobe.d/c.conf",
                ],
            ),
            // Comments, other modules and commands, continued lines, quotes, tabs, words without a value.
            (
                &[(
                    "etc/modprobe.d/a.conf",
                    "# options amdgpu mes=1\noptions snd x=1\nblacklist amdgpu\n\toptions\tamdgpu \\\n lockup_timeout=\"1, 2\" dc\n",
                )],
                &["amdgpu.lockup_timeout=1, 2 /etc/modprobe.d/a.conf", "amdgpu.dc /etc/modprobe.d/a.conf"],
            ),
            // A comment behind an option is none.
            (
                &[(
                    "etc/modprobe.d/a.conf",
                    "options amdgpu noretry=1 #my comment # was noretry=0, mind\noptions amdgpu dc # runpm=0\n",
                )],
                &[
                    "amdgpu.noretry=1 /etc/modprobe.d/a.conf",
                    "amdgpu.# /etc/modprobe.d/a.conf",
                    "amdgpu.noretry=0, /etc/modprobe.d/a.conf",
                    "amdgpu.dc /etc/modprobe.d/a.conf",
                    "amdgpu.# /etc/modprobe.d/a.conf",
                    "amdgpu.runpm=0 /etc/modprobe.d/a.conf",
                ],
            ),
            // What kmod does not take for a configuration.
            (
                &[
                    ("etc/modprobe.d/.a.conf", "options amdgpu x=1"),
                    ("etc/modprobe.d/a.conf.bak", "options amdgpu x=1"),
                ],
                &[],
            ),
            // A mask hides the distribution's file; any other link out cannot be followed and is told.
            (&[("etc/modprobe.d/a.conf", "->/dev/null"), ("lib/modprobe.d/a.conf", "options amdgpu x=1")], &[]),
        ];
        for (files, expected) in table {
            assert_eq!(told(files), *expected, "{files:?}");
        }
        let out = told(&[("etc/modprobe.d/a.conf", "->/etc/passwd")]);
        assert!(
            matches!(out.as_slice(), [one] if one.contains("/etc/modprobe.d/a.conf") && one.contains("leads out")),
            "{out:?}"
        );
    }

    #[test]
    fn options_without_end_are_cut_and_it_is_said() {
        let many = format!("options amdgpu {}", "x=1 ".repeat(5000));
        let told = told(&[("etc/modprobe.d/a.conf", &many)]);
        assert_eq!(told.len(), MAX_OPTIONS + 1);
        assert!(told.last().unwrap().contains("more than"), "{:?}", told.last());
    }
}
