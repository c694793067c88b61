//! Who links libtorch: the worker, and `validate` never.

use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::agreement::{validate, worker};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("validate starts without libtorch although it was built with the feature", validate_is_without),
        Trial::test("the worker finds its libtorch without being told where", worker_finds_it),
    ]
}

fn validate_is_without() -> Result<(), Failed> {
    let named = |path: &std::path::Path| -> Result<bool, Failed> {
        let bytes = std::fs::read(path)?;
        Ok(bytes.windows(b"libtorch_cpu.so".len()).any(|part| part == b"libtorch_cpu.so"))
    };
    // The worker has the name among the libraries that it needs; so would validate.
    assert!(named(&worker())?, "this test looks for the wrong name");
    let libraries = Command::new("ldd").arg(validate()).output()?;
    assert!(libraries.status.success());
    assert!(!String::from_utf8_lossy(&libraries.stdout).contains("torch"));
    let version = Command::new(validate()).arg("--version").env_clear().output()?;
    assert!(version.status.success());
    Ok(())
}

fn worker_finds_it() -> Result<(), Failed> {
    let done = Command::new(worker()).arg("--nonsense").env_clear().output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("arguments that it does not know"), "{said}");
    Ok(())
}
