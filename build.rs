//! The scenarios are embedded: a new file must cause a build, which `include_dir!` alone cannot. And the libtorch worker
//! finds the libtorch that it was linked with, without LD_LIBRARY_PATH.

#[expect(clippy::disallowed_methods, reason = "a build script is told everything by its environment")]
fn main() {
    println!("cargo::rerun-if-changed=scenarios");
    // Only of the feature `torch`: torch-sys says where it found libtorch.
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg-bin=validate-probe-torch=-Wl,-rpath,{folder}");
    }
}
