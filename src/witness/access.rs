//! Whether device files may be used: `/dev/kfd`, and the render nodes. Nothing is opened to find out.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::fs::{Access as Wanted, AtFlags, CWD, FileType, Stat, accessat, statat};
use rustix::io::Errno;

use super::drm::minor;
use super::tree::Tree;
use super::{Access, DeviceAccess, RenderNode};

/// Who would use the devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// This process, on its own machine: the kernel answers.
    ThisProcess,
    /// Whoever a host folder was made for. A folder can carry no owners, so the permission bits of everybody answer.
    Described,
}

/// `/dev/kfd`, then each render node that `dev` (`/dev`, or `HOST/dev`) or `render` names, by minor; `None` where there
/// is no such folder, as in a host that shows nothing but the kernel's trees.
pub fn read_access(dev: &Path, render: &[RenderNode], asker: Asker) -> Option<Vec<DeviceAccess>> {
    let tree = Tree::open(dev).ok()?;
    let present = tree.names("dri").unwrap_or_default();
    let minors: BTreeSet<u32> =
        present.iter().filter_map(|name| minor(name)).chain(render.iter().map(|node| node.minor)).collect();
    let names = std::iter::once("kfd".to_owned()).chain(minors.into_iter().map(|minor| format!("dri/renderD{minor}")));
    Some(names.map(|name| DeviceAccess { access: access(dev, &name, asker), path: format!("/dev/{name}") }).collect())
}

fn access(dev: &Path, name: &str, asker: Asker) -> Access {
    let path = dev.join(name);
    // The kernel's devices are no links, and one in a folder may lead anywhere.
    let stat = match statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Access::Missing,
        Err(errno) => return unreadable(errno),
    };
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        return Access::Unreadable("a link, and no device".to_owned());
    }
    match asker {
        Asker::ThisProcess => match accessat(CWD, &path, Wanted::READ_OK | Wanted::WRITE_OK, AtFlags::EACCESS) {
            Ok(()) => Access::Granted,
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
                Access::Denied { mode: bits(&stat), uid: stat.st_uid, gid: stat.st_gid }
            }
            Err(errno) => unreadable(errno),
        },
        Asker::Described if bits(&stat) & 0o006 == 0o006 => Access::Granted,
        Asker::Described => Access::Denied { mode: bits(&stat), uid: 0, gid: 0 },
    }
}

const fn bits(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

fn unreadable(errno: Errno) -> Access {
    Access::Unreadable(std::io::Error::from(errno).to_string())
}
