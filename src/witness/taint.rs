//! Witness kernel taint: what the kernel says has happened to it since it was booted.

use std::fmt;
use std::path::Path;

use crate::domain::Reading;

use super::files::{parsed, text};
use super::tree::Tree;

/// What the kernel holds against itself: `/proc/sys/kernel/tainted`, a bit for each thing that happened. A bit stays set
/// until the next boot. Source: Documentation/admin-guide/tainted-kernels.rst of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taint(u64);

/// A taint after which nothing that the machine computes can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    bit: u32,
    /// The kernel's letter for it.
    pub letter: char,
    /// What happened.
    pub what: &'static str,
}

/// The marks that stop a run. Not among them: W (a warning: amdgpu warns in resets that it recovers from, and what matters
/// of them is in the log), and P, O, E, F, U, C, K, X, N, A, T, S, R, I, which say what was loaded or set, not what went
/// wrong.
const MARKS: [Mark; 4] = [
    Mark { bit: 4, letter: 'M', what: "the CPU reported a machine check" },
    Mark { bit: 5, letter: 'B', what: "a bad page was referenced: the kernel's memory is damaged" },
    Mark { bit: 7, letter: 'D', what: "the kernel died in an oops: a driver may hold its locks for ever" },
    Mark { bit: 14, letter: 'L', what: "a processor was stuck in the kernel (soft lockup)" },
];

impl Taint {
    /// The worst mark that is here and was not there before.
    pub fn since(self, before: Self) -> Option<Mark> {
        MARKS.into_iter().find(|mark| (self.0 & !before.0) >> mark.bit & 1 == 1)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (kernel taint {})", self.what, self.letter)
    }
}

/// What a procfs root says.
pub fn read_taint(root: &Path) -> Reading<Taint> {
    let Ok(tree) = Tree::open(root) else { return Reading::NotReported };
    text(&tree, "sys/kernel/tainted").and_then(|text| parsed(&text)).map(Taint)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write what is read")]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_up_and_is_no_warning_counts() {
        let letter = |before, after| Taint(after).since(Taint(before)).map(|mark| mark.letter);
        for (before, after, expected) in [
            (0, 0, None),
            (0, 1 << 9, None),
            (0, 1 << 12 | 1, None),
            (0, 1 << 7, Some('D')),
            (1 << 7, 1 << 7, None),
            (1 << 7, 1 << 7 | 1 << 14, Some('L')),
            (1 << 9, 1 << 9 | 1 << 4 | 1 << 7, Some('M')),
            (u64::MAX, 0, None),
        ] {
            assert_eq!(letter(before, after), expected, "{before:#x} {after:#x}");
        }
    }

    #[test]
    fn the_kernel_s_number_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_taint(folder.path()), Reading::NotReported);
        std::fs::create_dir_all(folder.path().join("sys/kernel")).unwrap();
        for (text, value) in [("4736\n", Some(Taint(4736))), ("", None), ("-1", None), ("many", None)] {
            std::fs::write(folder.path().join("sys/kernel/tainted"), text).unwrap();
            assert_eq!(read_taint(folder.path()).value().copied(), value, "{text}");
        }
    }
}
