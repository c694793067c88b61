//! Debian systems with the real amd-smi in them, built once by debootstrap and kept.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rocvet::domain::ToolVersion;

use crate::program::must;

/// A Debian release and the tool that it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Name of the suite.
    pub suite: &'static str,
    /// Version that the tool prints.
    pub tool: ToolVersion,
    /// Version of the package, as it begins.
    pub package: &'static str,
}

/// Releases whose tool the shim is held against.
pub const RELEASES: [Release; 2] = [
    Release { suite: "trixie", tool: ToolVersion::new(24, 5, 2), package: "6.1.2+" },
    Release { suite: "sid", tool: ToolVersion::new(27, 1, 0), package: "10.1-" },
];

/// Where packages come from when neither the variable nor this machine's apt names a mirror.
const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";

/// Names another mirror.
const MIRROR_VARIABLE: &str = "ROCVET_DEBIAN_MIRROR";

/// Names the folder of the roots.
const ROOTS_VARIABLE: &str = "ROCVET_ROOTS";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// About half a minute where the mirror is near.
const PATIENCE: Duration = Duration::from_secs(900);

/// The root of a release: the kept one, or a new one.
pub fn prepare(release: Release, say: &dyn Fn(&str)) -> Result<PathBuf, String> {
    let folder = folder()?;
    let (root, part) = (folder.join(release.suite), folder.join(format!("{}.part", release.suite)));
    if !root.exists() {
        say(&format!("building {} (amd-smi {}) in {}", release.suite, release.tool, root.display()));
        // What an interrupted build left is not a root.
        let _ = fs::remove_dir_all(&part);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        build(release, &part)?;
        fs::rename(&part, &root).map_err(|error| format!("{}: {error}", root.display()))?;
    }
    check(release, &root)?;
    Ok(root)
}

fn build(release: Release, part: &Path) -> Result<(), String> {
    let path = part.to_string_lossy();
    let keyring = format!("--keyring={KEYRING}");
    if !Path::new(KEYRING).is_file() {
        return Err(format!("{KEYRING} is not there: install debian-archive-keyring"));
    }
    let mirror = mirror(env::var(MIRROR_VARIABLE).ok(), &apt_sources());
    let args = ["--variant=minbase", "--include=amd-smi", &keyring, release.suite, &path, &mirror];
    must("debootstrap", &args, PATIENCE)?;
    // Compiled once here, and not again in each of hundreds of calls.
    let modules = ["/usr/libexec/amdsmi_cli", "/usr/share/amd_smi"];
    let _ = must("chroot", &[&[&*path, "python3", "-m", "compileall", "-q"], &modules[..]].concat(), PATIENCE);
    Ok(())
}

/// A root with another tool would make every difference look like the shim's.
fn check(release: Release, root: &Path) -> Result<(), String> {
    let path = root.to_string_lossy();
    let args = [&*path, "dpkg-query", "--show", "--showformat=${Version}", "amd-smi"];
    let found = must("chroot", &args, Duration::from_secs(20))?;
    accept(release, found.trim(), root)
}

fn accept(release: Release, package: &str, root: &Path) -> Result<(), String> {
    if package.starts_with(release.package) {
        return Ok(());
    }
    let (suite, root) = (release.suite, root.display());
    Err(format!(
        "{root} has the package amd-smi {package}, not {}* (tool {}): remove the folder to build it anew; where {suite} has \
         moved on, set {MIRROR_VARIABLE} to a snapshot.debian.org archive of a day that still has it",
        release.package, release.tool
    ))
}

fn folder() -> Result<PathBuf, String> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable(ROOTS_VARIABLE)
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("rocvet/roots")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/rocvet/roots")))
        .ok_or_else(|| format!("neither {ROOTS_VARIABLE} nor HOME says where the roots are to be kept"))
}

/// All that apt is told of sources, one-line files first.
fn apt_sources() -> String {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let listed = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    files.extend(listed.map(|entry| entry.path()));
    files.sort();
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect::<Vec<_>>().join("\n")
}

/// The mirror to use: the one asked for, else the Debian one that apt uses here, else Debian's own.
fn mirror(asked: Option<String>, sources: &str) -> String {
    asked
        .filter(|asked| !asked.is_empty())
        .or_else(|| {
            let words = sources.lines().map(str::trim).filter(|line| !line.starts_with('#'));
            let mut words = words.filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
            words.find_map(|line| {
                let is_mirror = |word: &&str| word.contains("://") && word.trim_end_matches('/').ends_with("/debian");
                line.split_whitespace().find(is_mirror).map(str::to_owned)
            })
        })
        .unwrap_or_else(|| DEFAULT_MIRROR.to_owned())
}

/// The rules of this file, as tests.
pub mod tests {
    use super::*;

    /// The mirror is found in either format, and security archives are not taken for one.
    pub fn mirror_is_read() {
        let one_line = "# deb http://old.example/debian sid main\ndeb-src http://a.example/debian sid main\n\
                        deb [signed-by=/k.gpg] http://b.example/debian-security sid main\n\
                        deb [signed-by=/k.gpg] http://c.example/debian/ sid main\n";
        let blocks =
            "Types: deb\nURIs: http://d.example/debian-security\n\nTypes: deb\nURIs: http://e.example/debian\n";
        for (asked, sources, expected) in [
            (None, one_line, "http://c.example/debian/"),
            (None, blocks, "http://e.example/debian"),
            (None, "deb http://archive.example/ubuntu noble main", DEFAULT_MIRROR),
            (None, "", DEFAULT_MIRROR),
            (Some("http://f.example/d"), blocks, "http://f.example/d"),
            (Some(""), blocks, "http://e.example/debian"),
        ] {
            assert_eq!(mirror(asked.map(str::to_owned), sources), expected, "{sources}");
        }
    }

    /// A root whose package moved on is refused, and told what to do.
    pub fn another_tool_is_refused() {
        let [trixie, sid] = RELEASES;
        assert!(accept(trixie, "6.1.2+ds-2", Path::new("/r")).is_ok());
        assert!(accept(sid, "10.1-1", Path::new("/r")).is_ok());
        for (release, package) in [(sid, "10.2-1"), (sid, "6.1.2+ds-2"), (trixie, "6.1.20"), (trixie, "")] {
            let refused = accept(release, package, Path::new("/r"));
            assert!(refused.is_err_and(|error| error.contains("snapshot.debian.org")), "{package}");
        }
    }
}
