//! Which torch belongs to which ROCm, what is built for which ISA, and which kernels were reported.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{MajorMinor, Source};

use super::super::embedded;
use super::super::entry::Entry;

/// A torch and the ROCm of its wheels.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairing {
    /// torch.
    pub torch: MajorMinor,
    /// ROCm: a version, or its first number for all of them (`7`).
    rocm: Vec<String>,
    /// The tch that fits.
    pub tch: String,
    /// Who says so.
    pub source: Source,
}

/// Something that is built for some ISAs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Id without its prefix: `rocblas-5.2`.
    pub id: String,
    /// What is built.
    pub component: String,
    /// What it means that it is not.
    pub kind: BuildKind,
    /// First ROCm release.
    pub from: MajorMinor,
    /// First ROCm release for which it is no longer so.
    #[serde(default)]
    pub until: Option<MajorMinor>,
    /// ISAs that it is built for.
    pub built: Vec<String>,
    /// ISAs that it is not built for. Of any other nothing is known.
    pub missing: Vec<String>,
    /// In which circumstances.
    pub note: String,
    /// Who says so.
    pub source: Source,
}

/// What it means that something is not built for an ISA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildKind {
    /// Nothing runs natively without.
    Kernels,
    /// Slower, or with fewer solvers.
    Tuning,
    /// AMD does not support it.
    Support,
    /// Another source of the same thing.
    Alternative,
}

/// Kernels with which a GPU was reported to fail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// Id without its prefix.
    pub id: String,
    /// ISAs.
    pub gfx: Vec<String>,
    /// First kernel.
    pub from: MajorMinor,
    /// First kernel for which it is no longer so.
    pub until: MajorMinor,
    /// What was reported.
    pub note: String,
    /// Who says so.
    pub source: Source,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    pairing: Vec<Pairing>,
    build: Vec<Build>,
    trouble: Vec<Trouble>,
}

static TABLE: LazyLock<File> =
    LazyLock::new(|| embedded::table("pairings.toml", include_str!("../data/pairings.toml")));

impl Pairing {
    /// Whether wheels of this torch were seen for this ROCm.
    pub fn goes_with(&self, rocm: MajorMinor) -> bool {
        let whole = rocm.major.to_string();
        self.rocm.iter().any(|known| *known == whole || known.parse() == Ok(rocm) && known.contains('.'))
    }

    /// The ROCm releases, in words: `6.4, 7.x`.
    pub fn rocm(&self) -> String {
        let shown = |known: &String| if known.contains('.') { known.clone() } else { format!("{known}.x") };
        self.rocm.iter().map(shown).collect::<Vec<_>>().join(", ")
    }
}

impl Build {
    /// Whether it is of this ROCm release.
    pub fn of_release(&self, rocm: MajorMinor) -> bool {
        rocm.within(Some(self.from), self.until)
    }

    /// Whether it is built for an ISA; `None`: nobody knows.
    pub fn has(&self, gfx: &str) -> Option<bool> {
        let among = |list: &[String]| list.iter().any(|known| known == gfx);
        match (among(&self.built), among(&self.missing)) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }
}

/// Every pair of a torch and its ROCm.
pub fn pairings() -> &'static [Pairing] {
    &TABLE.pairing
}

/// Everything that is built.
pub fn builds() -> &'static [Build] {
    &TABLE.build
}

/// Every report of a kernel.
pub fn troubles() -> &'static [Trouble] {
    &TABLE.trouble
}

pub(super) fn entries() -> impl Iterator<Item = Entry> {
    const WHY: &str = "What runs is decided by the libraries that are loaded: the wheel brings its own, and the ROCm \
                       below /opt is not the axis.";
    let pairs = pairings().iter().map(|each| Entry {
        id: format!("pairing.torch-{}", each.torch),
        title: format!("torch {} and its ROCm", each.torch),
        what: format!("Wheels of torch {} were seen for ROCm {}. tch {}.", each.torch, each.rocm(), each.tch),
        why: WHY.to_owned(),
        source: each.source.clone(),
        what_to_do: "Take versions from the loaded libraries.".to_owned(),
        see: Vec::new(),
    });
    let builds = builds().iter().map(|each| {
        let until = each.until.map(|until| format!(" to before {until}")).unwrap_or_default();
        let missing =
            if each.missing.is_empty() { String::new() } else { format!(" Not for {}.", each.missing.join(", ")) };
        Entry {
            id: format!("build.{}", each.id),
            title: format!("For which GPUs: {}", each.component),
            what: format!("ROCm {}{until}. Built for {}.{missing} {}", each.from, each.built.join(", "), each.note),
            why: WHY.to_owned(),
            source: each.source.clone(),
            what_to_do: match each.kind {
                BuildKind::Kernels => {
                    "Without it take a native build (mitigation.native-build), on RDNA2 the override."
                }
                BuildKind::Tuning => "Expect a slow first run of every shape, and other solvers.",
                BuildKind::Support => "A failure there is nobody's bug but yours.",
                BuildKind::Alternative => "Take it where the wheels of pytorch.org have nothing.",
            }
            .to_owned(),
            see: match each.kind {
                BuildKind::Kernels => vec!["mitigation.native-build".into(), "mitigation.override-rdna2".into()],
                BuildKind::Tuning | BuildKind::Support | BuildKind::Alternative => Vec::new(),
            },
        }
    });
    let troubles = troubles().iter().map(|each| Entry {
        id: format!("trouble.{}", each.id),
        title: format!("Linux {} to before {} on {}", each.from, each.until, each.gfx.join(", ")),
        what: each.note.clone(),
        why: "A regression of the kernel looks like one of the stack.".to_owned(),
        source: each.source.clone(),
        what_to_do: "Try another kernel before the stack is blamed.".to_owned(),
        see: vec!["mitigation.kernel-6.17.9".into()],
    });
    pairs.chain(builds).chain(troubles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> MajorMinor {
        text.parse().unwrap()
    }

    #[test]
    fn a_torch_goes_with_the_rocm_of_its_wheels() {
        for (torch, rocm, expected) in [
            ("1.13", "5.2", true),
            ("2.5", "6.2", true),
            ("2.5", "5.7", false),
            ("2.8", "6.4", true),
            ("2.11", "7.2", true),
            ("2.11", "6.2", false),
        ] {
            let pairing = pairings().iter().find(|each| each.torch == release(torch)).unwrap();
            assert_eq!(pairing.goes_with(release(rocm)), expected, "{torch} {rocm}");
        }
    }

    #[test]
    fn what_is_built_for_what_follows_the_release() {
        let built = |component: &str, rocm: &str, gfx: &str| {
            let of = |each: &&Build| each.component.starts_with(component) && each.of_release(release(rocm));
            builds().iter().find(of).and_then(|each| each.has(gfx))
        };
        for (component, rocm, gfx, expected) in [
            ("rocBLAS", "5.0", "gfx1011", Some(true)),
            ("rocBLAS", "6.2", "gfx1011", Some(false)),
            ("rocBLAS", "6.2", "gfx1012", Some(true)),
            ("rocBLAS", "6.2", "gfx1031", Some(false)),
            ("rocBLAS", "6.2", "gfx942", None),
            ("rocBLAS", "7.0", "gfx1030", None),
            ("the wheels", "6.2", "gfx1010", Some(false)),
            ("the wheels", "7.0", "gfx1030", Some(true)),
            ("TheRock", "7.0", "gfx1010", Some(true)),
            ("AMD's support", "6.3", "gfx1030", Some(true)),
            ("AMD's support", "6.3", "gfx1010", Some(false)),
        ] {
            assert_eq!(built(component, rocm, gfx), expected, "{component} {rocm} {gfx}");
        }
    }

    #[test]
    fn no_isa_is_both_built_and_missing_and_no_release_has_two_rows() {
        for (at, each) in builds().iter().enumerate() {
            assert!(each.built.iter().all(|gfx| !each.missing.contains(gfx)), "{}", each.id);
            let twice = |other: &&Build| other.component == each.component && other.of_release(each.from);
            assert!(!builds()[..at].iter().any(|other| twice(&other)), "{}", each.id);
        }
    }
}
