//! The scenarios are embedded: a new file must cause a build, which `include_dir!` alone cannot.

fn main() {
    println!("cargo::rerun-if-changed=scenarios");
}
