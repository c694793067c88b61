//! Where tests write, and the program that they start there.
//!
//! `cargo test` writes below target/. `ROCVET_TEST_SCRATCH` names a folder in memory instead (`scripts/test` makes one): hosts and
//! journals are hundreds of small files, each of them synced, and a disk that others use makes every test wait.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::{NamedTempFile, TempDir};

const BUILT: &str = env!("CARGO_BIN_EXE_validate");

/// A folder for one test, on the file system of [`validate`], so that a simulated host can link it.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(root().as_deref().unwrap_or(Path::new(env!("CARGO_TARGET_TMPDIR")))).unwrap()
}

/// The program under test, or its copy beside the scratch folders.
pub fn validate() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| root().map_or_else(|| PathBuf::from(BUILT), |root| copy(&root)))
}

fn root() -> Option<PathBuf> {
    std::env::var_os("ROCVET_TEST_SCRATCH").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Copies what was built, once for all test programs: its name says which build it is, and it is there whole or not at all.
fn copy(root: &Path) -> PathBuf {
    let built = fs::metadata(BUILT).unwrap();
    let when = built.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let folder = root.join(format!("validate-{}-{when}", built.len()));
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("validate");
    if !program.exists() {
        let fresh = NamedTempFile::new_in(&folder).unwrap().into_temp_path();
        // By another process: one that this one starts meanwhile would hold the file open for writing, and none could run it.
        assert!(Command::new("cp").arg("-p").arg(BUILT).arg(&fresh).status().unwrap().success());
        fresh.persist(&program).unwrap();
    }
    program
}
