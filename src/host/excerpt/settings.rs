//! Of what people set: the options of modprobe.d for the modules of GPUs, and the variables of ROCm and torch in the
//! environment of whoever records. Nothing else of either is taken.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::Reading;
use crate::pseudonym::Pseudonyms;
use crate::witness::tuning::{ModuleOption, read_environment, read_options};

use super::Entry;

/// The excerpt of a file system root.
pub(in crate::host) fn settings(root: &Path, names: &mut Pseudonyms) -> Vec<Entry> {
    let mut entries = modprobe(root, names);
    if let Reading::Value(environment) = read_environment(&root.join("proc")) {
        let text: String = environment.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
        entries.push(Entry::File { path: "proc/self/environ".to_owned(), content: names.text(&text).into_bytes() });
    }
    entries
}

/// Each file that says something of these modules, with nothing but that; files that others hide are left out.
fn modprobe(root: &Path, names: &mut Pseudonyms) -> Vec<Entry> {
    let Reading::Value(options) = read_options(root) else { return Vec::new() };
    // That there is nothing is not that nobody can tell.
    let mut entries = vec![Entry::Dir { path: "etc/modprobe.d".to_owned() }];
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for option in &options.list {
        files.entry(&option.place).or_default().push_str(&line(option));
    }
    entries.extend(files.into_iter().map(|(place, text)| Entry::File {
        path: place.trim_start_matches('/').to_owned(),
        content: names.text(&text).into_bytes(),
    }));
    // What could not be read cannot be read in the recording either.
    for (place, problem) in options.unread.iter().filter_map(|problem| problem.split_once(": ")) {
        let path = place.trim_start_matches('/').to_owned();
        if path == "etc/modprobe.d" {
            entries.remove(0);
        }
        let taken = entries.iter().any(|entry| matches!(entry, Entry::File { path: known, .. } if *known == path));
        if !taken {
            entries.push(Entry::Link { path, target: format!("errno-{problem}") });
        }
    }
    entries
}

fn line(option: &ModuleOption) -> String {
    let ModuleOption { module, name, value, .. } = option;
    match value {
        // Quotes hold blanks together.
        Some(value) if value.contains(char::is_whitespace) => format!("options {module} {name}=\"{value}\"\n"),
        Some(value) => format!("options {module} {name}={value}\n"),
        None => format!("options {module} {name}\n"),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write the root that is excerpted")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn options_of_gpus_and_their_variables_are_taken_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
            fs::write(root.path().join(path), text).unwrap();
        };
        write(
            "etc/modprobe.d/gpu.conf",
            "# by alice\noptions amdgpu noretry=0 lockup_timeout=\"1, 2\"\noptions snd x=1\n",
        );
        write("etc/modprobe.d/wifi.conf", "options iwlwifi key=secret\n");
        write("usr/lib/modprobe.d/gpu.conf", "options amdgpu noretry=1\n");
        write("proc/self/environ", "HSA_XNACK=0\0TOKEN=secret\0MIOPEN_USER_DB_PATH=/home/alice/db\0");
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("etc/modprobe.d/out.conf")).unwrap();
        let entries = settings(root.path(), &mut Pseudonyms::default());
        let told: Vec<String> = entries
            .iter()
            .map(|entry| match entry {
                Entry::Dir { path } => path.clone(),
                Entry::File { path, content } => format!("{path} {:?}", String::from_utf8_lossy(content)),
                Entry::Link { path, target } => format!("{path} -> {}", target.split(" of ").next().unwrap()),
            })
            .collect();
        assert_eq!(
            told,
            [
                "etc/modprobe.d",
                "etc/modprobe.d/gpu.conf \"options amdgpu noretry=0\\noptions amdgpu lockup_timeout=\\\"1, 2\\\"\\n\"",
                "etc/modprobe.d/out.conf -> errno-a link or path leads out",
                "proc/self/environ \"HSA_XNACK=0\\0MIOPEN_USER_DB_PATH=/home/user/db\\0\"",
            ]
        );
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(settings(empty.path(), &mut Pseudonyms::default()), []);
    }
}
