//! Which torch and which ROCm a worker loaded, by what its libraries say.
//!
//! Sources: PyTorch's wheels name their build after the `+` (`2.5.1+rocm6.2`, `+cu121`, `+cpu`: facts/rdna.md section 5,
//! certain); `hip` is `torch.version.hip` of the build (`6.2.41133-dd7f95766`) or what `hipRuntimeGetVersion` says, which is
//! major x 10^7 + minor x 10^5 + patch (`HIP_VERSION` of hip_version.h, certain); files of ROCm are named by its release
//! (`libamdhip64.so.6.2.60204` of ROCm 6.2.4, certain).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::MajorMinor;

/// What is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// torch, in its own words.
    pub name: String,
    /// torch, as a version.
    pub torch: Option<MajorMinor>,
    /// For what that torch was built.
    pub build: Build,
    /// ROCm of the HIP that is loaded, where that says one; several where several are.
    pub hip: BTreeSet<MajorMinor>,
}

/// For what a torch was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Build {
    /// ROCm.
    Rocm(MajorMinor),
    /// Something else: in words.
    Without(String),
    /// It does not say.
    Unsaid,
}

/// What a worker with these libraries loaded; `None` where it names no torch.
pub fn loaded(libraries: &BTreeMap<String, String>) -> Option<Loaded> {
    let name = libraries.get("torch")?;
    let said = libraries.get("hip").map(String::as_str);
    let of_runtime = said.and_then(of_number);
    let of_files = libraries.get("libamdhip64").into_iter().flat_map(|files| files.split(", "));
    let hip: BTreeSet<MajorMinor> =
        of_runtime.into_iter().chain(of_files.filter(|file| file.contains('.')).filter_map(release)).collect();
    let local = name.split_once('+').map(|(_, local)| local).unwrap_or_default();
    let build = if let Some(rocm) = local.strip_prefix("rocm").and_then(release) {
        Build::Rocm(rocm)
    } else if local.starts_with("cpu") {
        Build::Without("the CPU".to_owned())
    } else if local.starts_with("cu") || libraries.contains_key("cuda") {
        Build::Without("CUDA".to_owned())
    } else {
        of_runtime
            .or_else(|| said.filter(|said| said.contains('.')).and_then(release))
            .map_or(Build::Unsaid, Build::Rocm)
    };
    Some(Loaded { name: name.clone(), torch: release(name), build, hip })
}

fn release(text: &str) -> Option<MajorMinor> {
    text.parse().ok()
}

/// 6.2 of 60241133.
fn of_number(text: &str) -> Option<MajorMinor> {
    let number: u32 = text.parse().ok().filter(|number| *number >= 10_000_000)?;
    Some(MajorMinor { major: number / 10_000_000, minor: number / 100_000 % 100 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torch_is_known_by_its_own_name_and_a_hip_by_itself() {
        let of = |pairs: &[(&str, &str)]| {
            let libraries = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let Some(found) = loaded(&libraries) else { return "none".to_owned() };
            let build = match found.build {
                Build::Rocm(rocm) => format!("ROCm {rocm}"),
                Build::Without(what) => what,
                Build::Unsaid => "unsaid".to_owned(),
            };
            let hip: Vec<String> = found.hip.iter().map(ToString::to_string).collect();
            let torch = found.torch.map(|torch| torch.to_string()).unwrap_or_default();
            format!("{torch} for {build}, HIP {}", hip.join(" "))
        };
        for (libraries, expected) in [
            (&[("validate", "0.1.0")][..], "none"),
            (&[("torch", "2.5.1+rocm6.2")], "2.5 for ROCm 6.2, HIP "),
            (&[("torch", "2.8.0+rocm7.0.0.git64359f59")], "2.8 for ROCm 7.0, HIP "),
            (&[("torch", "2.5.1+cpu")], "2.5 for the CPU, HIP "),
            (&[("torch", "2.5.1+cu121")], "2.5 for CUDA, HIP "),
            (&[("torch", "2.5.1"), ("cuda", "12.1")], "2.5 for CUDA, HIP "),
            (&[("torch", "2.11.0a0+gitd990dad")], "2.11 for unsaid, HIP "),
            // What torch was built with says nothing of what is loaded.
            (&[("torch", "2.5.1"), ("hip", "6.2.41133-dd7f95766")], "2.5 for ROCm 6.2, HIP "),
            (&[("torch", "2.5.1"), ("hip", "60241133")], "2.5 for ROCm 6.2, HIP 6.2"),
            (&[("torch", "2.5.1+rocm6.2"), ("hip", "60443483")], "2.5 for ROCm 6.2, HIP 6.4"),
            (&[("torch", "2.5.1+rocm6.2"), ("libamdhip64", "6.4.60400, 6.2.60204")], "2.5 for ROCm 6.2, HIP 6.2 6.4"),
            (&[("torch", "2.5.1+rocm6.2"), ("libamdhip64", "6")], "2.5 for ROCm 6.2, HIP "),
            (&[("torch", "later"), ("hip", "x")], " for unsaid, HIP "),
            (&[("torch", "2.5+rocmx"), ("hip", "99999999999999")], "2.5 for unsaid, HIP "),
        ] {
            assert_eq!(of(libraries), expected, "{libraries:?}");
        }
    }
}
