//! What a worker is made of: what it says of its libraries, and what the names of the files that it mapped say of them.

use std::collections::BTreeMap;

use super::protocol::Hello;

/// Libraries of ROCm whose files carry their version: `libamdhip64.so.6.2.60204`, of ROCm 6.2.4. Those of PyTorch's wheels
/// carry none, or their first number only.
const FILES: [&str; 4] = ["libMIOpen", "libamdhip64", "libhsa-runtime64", "librocblas"];

/// Most libraries of one worker that are kept, and most paths.
const MOST: usize = 32;

/// Most characters of a name, and of a version.
const LONGEST: usize = 120;

/// Most characters of a path.
const PATH: usize = 1024;

/// Versions by the names of the libraries, bounded and each on one line: a worker may say anything.
pub fn libraries(hello: &Hello) -> BTreeMap<String, String> {
    let said = hello.libraries.iter().map(|(name, version)| (line(name), line(version)));
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, version) in said.chain(hello.mapped.iter().filter_map(|path| of_file(path))) {
        let known = found.entry(name).or_default();
        if known.is_empty() {
            *known = version;
        } else if !known.split(", ").any(|each| each == version) {
            // Two files of one library in one process.
            *known = line(&format!("{known}, {version}"));
        }
        if found.len() == MOST {
            break;
        }
    }
    found
}

/// Paths of the files that it mapped, bounded.
pub fn mapped(hello: &Hello) -> Vec<String> {
    hello.mapped.iter().take(MOST).map(|path| path.chars().take(PATH).collect()).collect()
}

/// `libamdhip64` and `6.2.60204` of `/opt/rocm-6.2.4/lib/libamdhip64.so.6.2.60204`.
fn of_file(path: &str) -> Option<(String, String)> {
    let (_, file) = path.rsplit_once('/')?;
    let (name, version) = file.split_once(".so.")?;
    let known = FILES.iter().find(|known| **known == name)?;
    let plain = version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    plain.then(|| ((*known).to_owned(), line(version)))
}

fn line(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::protocol::PROTOCOL;
    use super::*;

    fn of(said: &[(&str, &str)], mapped: &[&str]) -> Vec<String> {
        let hello = Hello {
            protocol: PROTOCOL,
            engine: "python".to_owned(),
            pid: 7,
            libraries: said.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect(),
            gpu_backend: true,
            gpus: 1,
            device: None,
            mapped: mapped.iter().map(|path| (*path).to_owned()).collect(),
        };
        libraries(&hello).iter().map(|(name, version)| format!("{name} {version}")).collect()
    }

    #[test]
    fn versions_are_what_the_worker_says_and_what_its_files_are_called() {
        for (mapped, expected) in [
            ("/opt/rocm-6.2.4/lib/libamdhip64.so.6.2.60204", Some("libamdhip64 6.2.60204")),
            ("/opt/rocm/lib/libMIOpen.so.1.0.60204", Some("libMIOpen 1.0.60204")),
            ("/usr/lib/librocblas.so.4", Some("librocblas 4")),
            ("/venv/torch/lib/libamdhip64.so", None),
            ("/venv/torch/lib/libtorch_hip.so.1", None),
            ("/x/libamdhip64.so.6.2 (deleted)", None),
            ("/x/libamdhip64.so.6..2", None),
            ("libamdhip64.so.6", None),
        ] {
            assert_eq!(of(&[], &[mapped]).first().map(String::as_str), expected, "{mapped}");
        }
        assert_eq!(of(&[("torch", "2.5.1+rocm6.2")], &[]), ["torch 2.5.1+rocm6.2"]);
        let two = ["/opt/rocm/lib/libamdhip64.so.6.4.60400", "/venv/lib/libamdhip64.so.6.2.60204"];
        assert_eq!(of(&[], &[two[0], two[1], two[0]]), ["libamdhip64 6.4.60400, 6.2.60204"]);
    }

    #[test]
    fn whatever_a_worker_says_is_a_few_short_lines() {
        let many: Vec<(String, String)> =
            (0..1000).map(|number| (format!("l{number}"), "a\n\u{1b}[0m".repeat(1000))).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect();
        let found = of(&many, &[]);
        assert_eq!(found.len(), MOST);
        assert!(found.iter().all(|line| line.len() < 2 * LONGEST && !line.contains(char::is_control)));
    }
}
