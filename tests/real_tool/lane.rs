//! A place to run the real tool in: a root whose `/sys` is a simulated host's tree, in a mount namespace of our own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rocvet::process::Outcome;

use crate::driver::{self, Mounted};
use crate::program::{must, start};

/// Longest that a mount takes, and longest that the tool does: 27.x gives up on a driver after a minute.
const QUICK: Duration = Duration::from_secs(10);

/// Programs of [`reloader`], below the root.
pub const RELOADERS: &str = "run/rocvet/bin";

/// `/proc` files of the host that the tool or `validate` reads.
const PROC: [&str; 3] = ["cpuinfo", "cmdline", "version"];

/// A root, mounted for one thread.
pub struct Lane {
    root: PathBuf,
}

/// The lane while it shows a machine.
pub struct Shown<'a> {
    lane: &'a Lane,
    bound: Vec<PathBuf>,
    driver: Option<Mounted>,
}

/// How a program is run in a lane.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// As nobody.
    pub user: bool,
    /// A folder of the root that comes first in PATH.
    pub first: Option<&'a str>,
    /// Text on standard input.
    pub stdin: Option<&'a str>,
    /// When to stop it.
    pub deadline: Duration,
}

impl Lane {
    /// Mounts `root` below `scratch`. `/run` is writable there, and empty.
    pub fn new(root: &Path, scratch: &Path) -> Result<Self, String> {
        let place = scratch.join("root");
        fs::create_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        let lane = Self { root: place };
        mount(&["--bind"], root, &lane.root)?;
        mount(&["-t", "proc"], Path::new("proc"), &lane.root.join("proc"))?;
        mount(&["-t", "tmpfs"], Path::new("tmpfs"), &lane.root.join("run"))?;
        reloader(&lane.root)?;
        Ok(lane)
    }

    /// A path below the root.
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Runs a program of the root.
    pub fn run(&self, words: &[&str], way: Way<'_>) -> Outcome {
        let mut args: Vec<OsString> = Vec::new();
        if way.user {
            args.push("--userspec=65534:65534".into());
        }
        args.push(self.root.clone().into());
        let first = way.first.map_or_else(String::new, |folder| format!("/{folder}:"));
        args.extend(["/usr/bin/env".into(), format!("PATH={first}/usr/sbin:/usr/bin:/sbin:/bin").into()]);
        // As the recorded transcripts were made: what Python and the library print comes in the order in which they do.
        args.push("PYTHONUNBUFFERED=1".into());
        args.extend(words.iter().map(OsString::from));
        start("chroot", args, way.deadline, way.stdin.map(|line| line.as_bytes().to_vec()))
    }

    /// Gives the root a `/dev` of its own, in which KFD's device can stand.
    pub fn own_devices(&self) -> Result<(), String> {
        let dev = self.root.join("dev");
        mount(&["-t", "tmpfs"], Path::new("tmpfs"), &dev)?;
        for name in ["null", "zero", "urandom", "kfd"] {
            let place = dev.join(name);
            fs::write(&place, "").map_err(|error| format!("{}: {error}", place.display()))?;
            let real = Path::new("/dev").join(name);
            if name != "kfd" {
                mount(&["--bind"], &real, &place)?;
            }
        }
        // The library's lock lives there.
        fs::create_dir(dev.join("shm")).map_err(|error| error.to_string())
    }

    /// Shows the machine of a host folder as this one.
    pub fn show(&self, host: &Path) -> Result<Shown<'_>, String> {
        let mut shown = Shown { lane: self, bound: Vec::new(), driver: None };
        shown.driver = Some(driver::show(host, &self.root.join("sys"))?);
        for name in PROC {
            let (file, place) = (host.join("proc").join(name), self.root.join("proc").join(name));
            if file.is_file() {
                mount(&["--bind"], &file, &place)?;
                shown.bound.push(place);
            }
        }
        Ok(shown)
    }
}

impl Shown<'_> {
    /// What was written last to each GPU's `xcp_config`, in the order of the GPUs.
    pub fn selected(&self) -> Vec<String> {
        let selected = self.driver.as_ref().map(Mounted::selected).unwrap_or_default();
        let line = |(gpu, mode): (PathBuf, _)| {
            format!("xcp_config of {}: {mode}", gpu.file_name().unwrap_or_default().to_string_lossy())
        };
        selected.into_iter().map(line).collect()
    }

    /// Runs a program of the root on this machine.
    pub fn run(&self, words: &[&str], way: Way<'_>) -> Outcome {
        self.lane.run(words, way)
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        for place in self.bound.drain(..) {
            let _ = must("umount", &["--lazy", &place.to_string_lossy()], QUICK);
        }
        if let Some(driver) = self.driver.take() {
            // A process that the tool left behind keeps the tree busy; the namespace ends with this program.
            let _ = must("umount", &["--lazy", &self.lane.root.join("sys").to_string_lossy()], QUICK);
            drop(driver.session);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        for below in ["dev", "run", "proc", ""] {
            let _ = must("umount", &["--lazy", &self.root.join(below).to_string_lossy()], QUICK);
        }
    }
}

/// `modprobe` and `systemctl`, by which the tool reloads the driver: here the driver is the one that writes go to.
fn reloader(root: &Path) -> Result<(), String> {
    let folder = root.join(RELOADERS);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let modprobe = format!(
        "#!/bin/sh\ncase \"$*\" in *-r*) ;; *) exit 0;; esac\necho 1 2>/dev/null > /sys/{} && exit 0\n\
         echo 'modprobe: FATAL: Module amdgpu is in use.' >&2\nexit 1\n",
        driver::RELOAD
    );
    for (name, text) in [("modprobe", modprobe.as_str()), ("systemctl", "#!/bin/sh\nexit 3\n")] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| error.to_string())?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn mount(how: &[&str], what: &Path, place: &Path) -> Result<(), String> {
    let (what, place) = (what.to_string_lossy(), place.to_string_lossy());
    must("mount", &[how, &[&*what, &*place]].concat(), QUICK).map(drop)
}
