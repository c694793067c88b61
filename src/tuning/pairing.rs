//! Whether torch, ROCm, a GPU and its kernel go together, by the table of what is built for what.

use crate::domain::MajorMinor;
use crate::facts::{self, BuildKind};

use super::Isa;

/// What is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// torch.
    pub torch: Option<MajorMinor>,
    /// ROCm: of torch's wheel where that says one, else as installed.
    pub rocm: MajorMinor,
    /// The kernel.
    pub kernel: Option<MajorMinor>,
}

/// One thing that the table says of a stack on a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// What it is about: `torch and ROCm`, a component.
    pub subject: String,
    /// How it stands.
    pub kind: FitKind,
    /// In words.
    pub why: String,
}

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitKind {
    /// It goes together.
    Fits,
    /// No wheel of this torch was seen for this ROCm.
    NotAPair,
    /// Nothing runs: there is no code for this ISA.
    NoKernels,
    /// It runs, without what is tuned for this ISA.
    Untuned,
    /// AMD does not support it.
    Unsupported,
    /// This kernel was reported to fail with this GPU.
    ReportedBad,
    /// The table says nothing.
    Unknown,
}

/// What the table says. Code is looked for by the effective ISA; everything else follows the GPU.
pub fn fits(stack: &Stack, isa: &Isa) -> Vec<Fit> {
    let mut found: Vec<Fit> = stack.torch.map(|torch| pair(torch, stack.rocm)).into_iter().collect();
    let builds = facts::builds().iter().filter(|build| build.of_release(stack.rocm));
    found.extend(builds.filter_map(|build| {
        let code = matches!(build.kind, BuildKind::Kernels);
        let gfx = if code { &isa.effective } else { &isa.native };
        let kind = match (build.kind, build.has(gfx)) {
            (BuildKind::Alternative, _) => return None,
            (_, Some(true)) => FitKind::Fits,
            (_, None) => FitKind::Unknown,
            (BuildKind::Kernels, Some(false)) => FitKind::NoKernels,
            (BuildKind::Tuning, Some(false)) => FitKind::Untuned,
            (BuildKind::Support, Some(false)) => FitKind::Unsupported,
        };
        let why = match kind {
            FitKind::Fits => format!("built for {gfx}"),
            FitKind::Unknown => format!("the table says nothing of {gfx}"),
            FitKind::NotAPair | FitKind::NoKernels | FitKind::Untuned | FitKind::Unsupported | FitKind::ReportedBad => {
                format!("not for {gfx}: {}", build.note)
            }
        };
        Some(Fit { subject: format!("{} (ROCm {})", build.component, stack.rocm), kind, why })
    }));
    let bad = facts::troubles().iter().filter(|trouble| {
        let kernel = stack.kernel.is_some_and(|kernel| kernel.within(Some(trouble.from), Some(trouble.until)));
        kernel && trouble.gfx.contains(&isa.native)
    });
    found.extend(bad.map(|trouble| {
        let kernel = stack.kernel.map(|kernel| kernel.to_string()).unwrap_or_default();
        Fit { subject: format!("Linux {kernel}"), kind: FitKind::ReportedBad, why: trouble.note.clone() }
    }));
    found
}

fn pair(torch: MajorMinor, rocm: MajorMinor) -> Fit {
    let subject = format!("torch {torch} and ROCm {rocm}");
    match facts::pairings().iter().find(|pairing| pairing.torch == torch) {
        None => Fit { subject, kind: FitKind::Unknown, why: format!("the table says nothing of torch {torch}") },
        Some(pairing) if pairing.goes_with(rocm) => {
            Fit { subject, kind: FitKind::Fits, why: "a wheel of both was seen".to_owned() }
        }
        Some(pairing) => {
            let why = format!("wheels of torch {torch} were seen for ROCm {}", pairing.rocm());
            Fit { subject, kind: FitKind::NotAPair, why }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(torch: &str, rocm: &str, kernel: &str, native: &str, effective: &str) -> Vec<FitKind> {
        let stack = Stack { torch: torch.parse().ok(), rocm: rocm.parse().unwrap(), kernel: kernel.parse().ok() };
        let isa = Isa { native: native.to_owned(), effective: effective.to_owned() };
        let mut kinds: Vec<FitKind> = fits(&stack, &isa).into_iter().map(|fit| fit.kind).collect();
        kinds.dedup();
        kinds
    }

    #[test]
    fn the_table_is_asked_by_stack_isa_and_kernel() {
        use FitKind::{Fits, NoKernels, NotAPair, ReportedBad, Unknown, Unsupported, Untuned};
        for (torch, rocm, kernel, native, effective, expected) in [
            ("2.5", "6.2", "6.8", "gfx1030", "gfx1030", &[Fits][..]),
            ("2.5", "5.7", "6.8", "gfx1030", "gfx1030", &[NotAPair, Fits]),
            ("2.5", "6.2", "6.8", "gfx1010", "gfx1010", &[Fits, NoKernels, Untuned, Unsupported]),
            // Spoofed, code is found; what is tuned and supported is not.
            ("2.5", "6.2", "6.8", "gfx1010", "gfx1030", &[Fits, Untuned, Unsupported]),
            ("2.5", "6.2", "6.8", "gfx1031", "gfx1031", &[Fits, NoKernels, Untuned, Fits, Unsupported]),
            ("2.11", "7.0", "6.18", "gfx1030", "gfx1030", &[Fits, ReportedBad]),
            ("2.6", "6.2", "6.8", "gfx1030", "gfx1030", &[Unknown, Fits]),
            ("", "6.2", "", "gfx942", "gfx942", &[Unknown]),
        ] {
            assert_eq!(
                kinds(torch, rocm, kernel, native, effective),
                expected,
                "{torch} {rocm} {kernel} {native} {effective}"
            );
        }
    }
}
