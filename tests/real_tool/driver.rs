//! The layer between the tree and the tool: a FUSE file system that shows a simulated host's `sys` folder and answers
//! writes as the driver does. Writes go to the same `sim::Kernel` that the shim changes, through the host's lock.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, INodeNo,
    LockOwner, MountOption, Notifier, OpenAccMode, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyWrite, Request, Session, SessionACL, TimeOrNow, WriteFlags,
};
use rocvet::domain::ComputeMode;
use rocvet::host::simulated::{load, update};
use rocvet::sim::{Kernel, Profile, ResourceKind};

use crate::tree::{self, Node, Tree};

/// A file that only this layer has: whatever is written to it reloads the driver. The namespace's `modprobe` does.
pub const RELOAD: &str = "module/amdgpu/.reload";

/// What a text file of sysfs says its size is.
const PAGE: u64 = 4096;

/// How long the kernel may remember what it was told: until it is told otherwise, after a write.
const LONG: Duration = Duration::from_secs(3600);

/// A driver layer in its place.
pub struct Mounted {
    known: Arc<Mutex<Known>>,
    /// Until it is dropped.
    pub session: BackgroundSession,
}

impl Mounted {
    /// What was written last to each GPU's `xcp_config`, by folder of the GPU.
    pub fn selected(&self) -> BTreeMap<PathBuf, ComputeMode> {
        self.known.lock().map(|known| known.selected.clone()).unwrap_or_default()
    }
}

/// Shows `host`'s `sys` folder at `place` until the session is dropped.
pub fn show(host: &Path, place: &Path) -> Result<Mounted, String> {
    let shown = tree::read(host).map_err(|error| format!("{}: {error}", host.display()))?;
    let notifier = Arc::new(OnceLock::new());
    let known = Arc::new(Mutex::new(Known { tree: shown, ..Known::default() }));
    let driver = Driver { host: host.to_owned(), known: Arc::clone(&known), notifier: Arc::clone(&notifier) };
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("rocvet".into()), MountOption::DefaultPermissions];
    // The tool is called by a user who did not mount it, too.
    config.acl = SessionACL::All;
    // One thread tells the kernel what to forget while another still answers it.
    config.n_threads = Some(2);
    let failed = |error| format!("FUSE at {}: {error}", place.display());
    let session = Session::new(driver, place, &config).map_err(failed)?;
    let _ = notifier.set(session.notifier());
    Ok(Mounted { known, session: session.spawn().map_err(failed)? })
}

struct Driver {
    host: PathBuf,
    known: Arc<Mutex<Known>>,
    notifier: Arc<OnceLock<Notifier>>,
}

/// What is shown, what the kernel was told about, and what was written to `xcp_config`.
#[derive(Default)]
struct Known {
    tree: Tree,
    /// Path by inode number, from 2 on. A change of the machine gives new numbers, so that nothing old is remembered.
    paths: Vec<PathBuf>,
    numbers: HashMap<PathBuf, u64>,
    /// By folder of a GPU.
    selected: BTreeMap<PathBuf, ComputeMode>,
}

impl Known {
    fn path(&self, number: INodeNo) -> Result<PathBuf, Errno> {
        match u64::from(number).checked_sub(2) {
            None => Ok(PathBuf::new()),
            Some(place) => self.paths.get(place as usize).cloned().ok_or(Errno::ENOENT),
        }
    }

    fn number(&mut self, path: &Path) -> u64 {
        if path.as_os_str().is_empty() {
            return 1;
        }
        let Self { paths, numbers, .. } = self;
        *numbers.entry(path.to_owned()).or_insert_with(|| {
            paths.push(path.to_owned());
            paths.len() as u64 + 1
        })
    }

    fn attributes(&mut self, path: &Path) -> Result<FileAttr, Errno> {
        let (kind, perm, size) = match self.tree.get(path) {
            Some(Node::Folder(_)) => (FileType::Directory, 0o755, 0),
            Some(Node::Link(target)) => (FileType::Symlink, 0o777, target.len() as u64),
            Some(Node::File { mode, .. }) if answered(path) => (FileType::RegularFile, *mode, PAGE),
            Some(Node::File { mode, content }) => (FileType::RegularFile, *mode, content.len() as u64),
            Some(Node::Failing(_)) => (FileType::RegularFile, 0o644, PAGE),
            None if path == Path::new(RELOAD) => (FileType::RegularFile, 0o200, PAGE),
            None => return Err(Errno::ENOENT),
        };
        Ok(FileAttr {
            ino: INodeNo(self.number(path)),
            size,
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: u16::try_from(perm).unwrap_or(0o444),
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    /// The entries of a folder.
    fn names(&mut self, path: &Path) -> Result<Vec<(u64, FileType, OsString)>, Errno> {
        let Some(Node::Folder(names)) = self.tree.get(path).cloned() else { return Err(Errno::ENOTDIR) };
        let mut entries = vec![(1, FileType::Directory, ".".into()), (1, FileType::Directory, "..".into())];
        for name in names {
            let attributes = self.attributes(&path.join(&name))?;
            entries.push((u64::from(attributes.ino), attributes.kind, name));
        }
        Ok(entries)
    }
}

/// Files whose content is asked for at each read: what is written to one changes another.
fn answered(path: &Path) -> bool {
    let named = |name: &OsStr| name.to_str().is_some_and(|name| name.ends_with("_partition"));
    path.file_name().is_some_and(named) || split_config(path).is_some()
}

impl Driver {
    fn known(&self) -> Result<MutexGuard<'_, Known>, Errno> {
        self.known.lock().map_err(|_| Errno::EIO)
    }

    fn attributes_of(&self, number: INodeNo, name: Option<&OsStr>) -> Result<FileAttr, Errno> {
        let mut known = self.known()?;
        let path = known.path(number)?;
        known.attributes(&name.map_or_else(|| path.clone(), |name| path.join(name)))
    }

    fn content(&self, number: INodeNo) -> Result<Vec<u8>, Errno> {
        let known = self.known()?;
        let path = known.path(number)?;
        match known.tree.get(&path) {
            Some(Node::File { content, .. }) => Ok(self.selected(&known, &path).unwrap_or_else(|| content.clone())),
            Some(Node::Failing(errno)) => Err(Errno::from_i32(errno.number())),
            Some(Node::Folder(_) | Node::Link(_)) => Err(Errno::EISDIR),
            None if path == Path::new(RELOAD) => Err(Errno::EACCES),
            // The device went away while its file was open.
            None => Err(Errno::ENODEV),
        }
    }

    /// What a file of `compute_partition_config` says once a profile was written to `xcp_config`.
    fn selected(&self, known: &Known, path: &Path) -> Option<Vec<u8>> {
        let (gpu, file) = split_config(path)?;
        let mode = *known.selected.get(&gpu)?;
        let profile = profile(&load(&self.host).ok()?, &gpu, mode)?;
        let (folder, name) = file.split_once('/').unwrap_or(("", &file));
        let kind = match folder {
            "xcc" => Some(ResourceKind::Xcc),
            "dec" => Some(ResourceKind::Decoder),
            "dma" => Some(ResourceKind::Dma),
            "jpeg" => Some(ResourceKind::Jpeg),
            _ => None,
        };
        let resource = profile.resources.iter().find(|each| Some(each.kind) == kind);
        let text = match (resource, name) {
            (Some(resource), "num_inst") => resource.instances.to_string(),
            (Some(resource), "num_shared") => resource.shared.to_string(),
            (None, "xcp_config") => mode.to_string(),
            (None, "supported_nps_configs") => profile.memory_caps,
            _ => return None,
        };
        Some(format!("{text}\n").into_bytes())
    }

    fn write_to(&self, number: INodeNo, data: &[u8]) -> Result<(), Errno> {
        let path = self.known()?.path(number)?;
        let text = String::from_utf8_lossy(data).trim().to_owned();
        if path == Path::new(RELOAD) {
            self.ask(&Kernel::reload_driver)?;
            self.known()?.selected.clear();
            return Ok(());
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::EISDIR) };
        match name.to_str() {
            Some("current_compute_partition") => {
                let mode = text.parse().map_err(|_| Errno::EINVAL)?;
                let gpu = self.gpu(folder)?;
                self.ask(&|kernel| kernel.write_compute(gpu, mode))
            }
            Some("current_memory_partition") => {
                let mode = text.parse().map_err(|_| Errno::EINVAL)?;
                let gpu = self.gpu(folder)?;
                self.ask(&|kernel| kernel.write_memory(gpu, mode))
            }
            Some("xcp_config") => {
                let gpu = folder.parent().ok_or(Errno::EINVAL)?;
                let mode: ComputeMode = text.parse().map_err(|_| Errno::EINVAL)?;
                let kernel = load(&self.host).map_err(|_| Errno::EIO)?;
                profile(&kernel, gpu, mode).ok_or(Errno::EINVAL)?;
                self.known()?.selected.insert(gpu.to_owned(), mode);
                Ok(())
            }
            _ => Err(Errno::EPERM),
        }
    }

    /// Asks the driver for a change, and shows what it made of the machine.
    fn ask(&self, change: &dyn Fn(&mut Kernel) -> Result<(), rocvet::sim::Errno>) -> Result<(), Errno> {
        let done = update(&self.host, change).map_err(|_| Errno::EIO)?;
        done.map_err(|errno| Errno::from_i32(errno.number()))?;
        let fresh = tree::read(&self.host).map_err(Errno::from)?;
        let names = {
            let mut known = self.known()?;
            known.numbers.clear();
            known.tree = fresh;
            match known.tree.get(Path::new("")) {
                Some(Node::Folder(names)) => names.clone(),
                _ => Vec::new(),
            }
        };
        let Some(notifier) = self.notifier.get() else { return Ok(()) };
        // What the kernel never looked up it cannot forget: not found is as good.
        names.iter().for_each(|name| drop(notifier.inval_entry(INodeNo::ROOT, name)));
        Ok(())
    }

    /// Which GPU a PCI folder is.
    fn gpu(&self, folder: &Path) -> Result<usize, Errno> {
        let kernel = load(&self.host).map_err(|_| Errno::EIO)?;
        position(&kernel, folder).ok_or(Errno::ENODEV)
    }
}

fn position(kernel: &Kernel, folder: &Path) -> Option<usize> {
    let address = folder.file_name()?.to_str()?;
    kernel.view().gpus.iter().position(|gpu| gpu.bdf.to_string() == address)
}

fn profile(kernel: &Kernel, folder: &Path, mode: ComputeMode) -> Option<Profile> {
    let view = kernel.view();
    let files = view.gpus.get(position(kernel, folder)?)?.partition.as_ref()?;
    files.profiles.iter().find(|profile| profile.mode == mode).cloned()
}

/// `GPU/compute_partition_config/dec/num_inst` in two.
fn split_config(path: &Path) -> Option<(PathBuf, String)> {
    let (gpu, file) = path.to_str()?.split_once("/compute_partition_config/")?;
    Some((PathBuf::from(gpu), file.to_owned()))
}

impl Filesystem for Driver {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.attributes_of(parent, Some(name)) {
            Ok(attributes) => reply.entry(&LONG, &attributes, fuser::Generation(0)),
            Err(errno) => reply.error(errno),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes_of(number, None) {
            Ok(attributes) => reply.attr(&LONG, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    /// Truncation on opening changes nothing, as in sysfs.
    fn setattr(
        &self,
        request: &Request,
        number: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        handle: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        self.getattr(request, number, handle, reply);
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        let target = self.known().and_then(|known| match known.tree.get(&known.path(number)?) {
            Some(Node::Link(target)) => Ok(target.clone()),
            Some(Node::Folder(_) | Node::File { .. } | Node::Failing(_)) => Err(Errno::EINVAL),
            None => Err(Errno::ENOENT),
        });
        match target {
            Ok(target) => reply.data(&target),
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, _: &Request, number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let writes = flags.acc_mode() != OpenAccMode::O_RDONLY;
        let opened = self.attributes_of(number, None).and_then(|attributes| {
            // Root as well: KERNFS_ROOT_EXTRA_OPEN_PERM_CHECK.
            if writes && attributes.perm & 0o222 == 0 { Err(Errno::EACCES) } else { Ok(attributes.size == PAGE) }
        });
        match opened {
            Ok(true) => reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO),
            Ok(false) => reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.content(number) {
            Ok(content) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
                let end = start.saturating_add(size as usize).min(content.len());
                reply.data(&content[start..end]);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        _: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.write_to(number, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(errno) => reply.error(errno),
        }
    }

    /// Not needed: the kernel does not ask again.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn readdir(&self, _: &Request, number: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.known().and_then(|mut known| {
            let path = known.path(number)?;
            known.names(&path)
        });
        let entries = match listed {
            Ok(entries) => entries,
            Err(errno) => return reply.error(errno),
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (at, (number, kind, name)) in entries.into_iter().enumerate().skip(from) {
            if reply.add(INodeNo(number), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
