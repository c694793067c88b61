//! The engine python: any interpreter that has PyTorch. The worker is one file of Python, carried by this program and handed
//! to the interpreter as an argument: no file has to lie where the interpreter may read it, and none is left behind.

use std::path::Path;

use crate::probe::supervise::Worker;

/// The worker.
const SOURCE: &str = include_str!("probe_worker.py");

/// What runs it. One line that no shell can read, so that a program that is no Python does nothing: a shell that was handed
/// the file itself would take its lines for commands.
const RUN: &str = "import sys; exec(compile(sys.argv[1], 'probe_worker.py', 'exec'))";

impl Worker {
    /// The engine python on this interpreter, an absolute path. It is isolated (`-I`) from the variables and the packages of
    /// whoever calls: what it imports is its own.
    pub fn python(validate: &Path, interpreter: &Path) -> Self {
        Self::of(validate, interpreter, vec!["-I".into(), "-c".into(), RUN.into(), SOURCE.into()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_is_short_enough_to_be_one_argument() {
        // MAX_ARG_STRLEN of Linux: 32 pages.
        assert!(SOURCE.len() < 128 << 10, "{} bytes", SOURCE.len());
        assert!(!SOURCE.contains('\0'));
    }
}
