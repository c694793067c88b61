//! What people and packages leave on the disk: modprobe.d, ROCm's own version; and the environment of whoever looks.

use crate::sim::View;

use super::Tree;

pub(super) fn write(tree: &mut Tree, view: &View) {
    let shown = &view.tuning;
    tree.dir("etc/modprobe.d");
    for (path, text) in &shown.modprobe {
        tree.bytes(path.as_str(), text.clone().into_bytes(), 0o644);
    }
    if let Some(version) = &shown.rocm {
        tree.read_only(format!("opt/rocm-{version}/.info/version"), version);
    }
    let entries: Vec<String> = shown.environ.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
    tree.bytes("proc/self/environ", entries.concat().into_bytes(), 0o400);
}
