//! The lines for bootloaders, played: a real shell runs them on a file as it may be found, and what GRUB or systemd-boot
//! would boot is looked at. Only sudo, reboot and the programs that make a configuration stand for themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rocvet::tuning::{bootloader_lines, bootloader_undo};
use tempfile::TempDir;

const KEEP: &str = "rocvet-20261121T142313Z-001205";

/// A machine's bootloader, below a folder.
struct Boot {
    folder: TempDir,
    loader: Loader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loader {
    Grub,
    KernelInstall,
    Entry,
}

impl Loader {
    fn title(self) -> &'static str {
        match self {
            Self::Grub => "GRUB",
            Self::KernelInstall => "systemd-boot with kernel-install",
            Self::Entry => "systemd-boot with entries",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Grub => "etc/default/grub",
            Self::KernelInstall => "etc/kernel/cmdline",
            Self::Entry => "boot/loader/entries/NAME.conf",
        }
    }

    /// How what is booted is made of the file: as grub-mkconfig does, as 90-loaderentry.install does, as it stands there.
    fn program(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Grub => Some((
                "update-grub",
                "set -e; . ROOT/etc/default/grub\n\
                 [ ! -e ROOT/etc/default/grub.d/x.cfg ] || . ROOT/etc/default/grub.d/x.cfg\n\
                 echo \"linux /vmlinuz root=/dev/sda1 ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT\" >ROOT/boot/grub/grub.cfg",
            )),
            Self::KernelInstall => Some((
                "kernel-install",
                "echo \"options $(tr -s ' \\t\\n' ' ' <ROOT/etc/kernel/cmdline)\" >ROOT/boot/loader/entries/made.conf",
            )),
            Self::Entry => None,
        }
    }
}

impl Boot {
    fn new(loader: Loader, content: &str) -> Self {
        let boot = Self { folder: tempfile::tempdir().unwrap(), loader };
        for folder in ["bin", "etc/default/grub.d", "etc/kernel", "boot/grub", "boot/loader/entries"] {
            fs::create_dir_all(boot.path(folder)).unwrap();
        }
        boot.program("sudo", "exec \"$@\"");
        boot.program("bootctl", "echo ROOT/boot");
        boot.program("reboot", "echo >>ROOT/reboots");
        if let Some((name, text)) = loader.program() {
            boot.program(name, text);
        }
        fs::write(boot.path(loader.file()), content).unwrap();
        boot
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let file = self.path("bin").join(name);
        let text = text.replace("ROOT", &self.folder.path().display().to_string());
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Pastes the block of this bootloader into a shell: what sets, or what undoes.
    fn paste(&self, lines: &str, undo: bool) {
        let block = lines.split_once(self.loader.title()).unwrap().1;
        let mut script = String::new();
        let mut undoing = false;
        for line in block.lines().skip(1) {
            match line.strip_prefix("    ") {
                Some(step) if undoing == undo => script += &format!("{step}\n"),
                Some(_) => {}
                None if line == "undo:" && !undoing => undoing = true,
                None => break,
            }
        }
        assert!(!script.is_empty(), "{lines}");
        for place in ["/etc/default", "/etc/kernel", "/boot"] {
            for before in [" ", "=", "\""] {
                let below = format!("{before}{}{place}/", self.folder.path().display());
                script = script.replace(&format!("{before}{place}/"), &below);
            }
        }
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let ended = Command::new("sh").arg("-c").arg(&script).env("PATH", path).output().unwrap();
        assert!(ended.status.success() || self.reboots() == 0, "{script}{}", String::from_utf8_lossy(&ended.stderr));
    }

    fn set(&self, words: &[(&str, &str)]) {
        self.paste(&lines(words), false);
    }

    fn undo(&self) {
        self.paste(&lines(&[("x", "")]), true);
    }

    fn content(&self) -> String {
        fs::read_to_string(self.path(self.loader.file())).unwrap()
    }

    fn reboots(&self) -> usize {
        fs::read(self.path("reboots")).map_or(0, |bytes| bytes.len())
    }

    /// The words of the next boot.
    fn booted(&self) -> Vec<String> {
        let made = match self.loader {
            Loader::Grub => self.path("boot/grub/grub.cfg"),
            Loader::KernelInstall => self.path("boot/loader/entries/made.conf"),
            Loader::Entry => self.path(self.loader.file()),
        };
        let text = fs::read_to_string(made).unwrap();
        let of_line = |line: &'_ str| -> Vec<String> {
            let told = line.strip_prefix("linux /vmlinuz ").or_else(|| line.strip_prefix("options "));
            told.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        text.lines().flat_map(of_line).collect()
    }

    /// The value that counts: the last one.
    fn value(&self, name: &str) -> Option<String> {
        let of = |word: &String| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        self.booted().iter().filter_map(of).next_back()
    }

    fn kept(&self) -> bool {
        Path::new(&format!("{}.{KEEP}", self.path(self.loader.file()).display())).exists()
    }
}

fn lines(words: &[(&str, &str)]) -> String {
    let words = words.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    bootloader_lines(&words.collect(), KEEP)
}

/// Files as they are found.
const FOUND: &[(Loader, &str)] = &[
    (Loader::Grub, "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"\nGRUB_CMDLINE_LINUX=\"\"\n"),
    (Loader::Grub, "GRUB_CMDLINE_LINUX='quiet'\nGRUB_CMDLINE_LINUX_DEFAULT='splash'\n"),
    (Loader::Grub, "GRUB_TIMEOUT=5\n"),
    (Loader::Grub, ""),
    (Loader::Grub, "GRUB_CMDLINE_LINUX=\"amdgpu.cwsr_enable=1\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"amdgpu.cwsr_enable=1\""),
    (Loader::Grub, "GRUB_CMDLINE_LINUX_DEFAULT=\"amdgpu.cwsr_enable=0\"\n"),
    (Loader::Grub, "# GRUB_CMDLINE_LINUX=\"x\"\n  GRUB_CMDLINE_LINUX=quiet # why\nexport GRUB_CMDLINE_LINUX\n"),
    (Loader::KernelInstall, "root=UUID=1 rw quiet\n"),
    (Loader::KernelInstall, "root=UUID=1 rw quiet"),
    (Loader::KernelInstall, "root=UUID=1 rw\namdgpu.cwsr_enable=1\n"),
    (Loader::Entry, "title Linux\nlinux /vmlinuz\noptions root=UUID=1 rw\n"),
    (Loader::Entry, "title Linux\nlinux /vmlinuz\noptions root=UUID=1 rw\noptions amdgpu.cwsr_enable=1"),
    (Loader::Entry, "title Linux\nlinux /vmlinuz\n"),
];

#[test]
fn what_the_lines_put_there_is_booted_and_the_undo_leaves_the_file_as_it_was() {
    for (loader, found) in FOUND {
        let boot = Boot::new(*loader, found);
        boot.set(&[("amdgpu.cwsr_enable", "0"), ("iommu", "pt")]);
        assert_eq!(boot.reboots(), 1, "{found}");
        assert_eq!(boot.value("amdgpu.cwsr_enable").as_deref(), Some("0"), "{found}");
        assert_eq!(boot.value("iommu").as_deref(), Some("pt"), "{found}");
        let before = boot.value("root");
        boot.undo();
        assert_eq!((boot.content().as_str(), boot.reboots(), boot.kept()), (*found, 2, false));
        assert_eq!(boot.value("root"), before, "{found}");
    }
}

#[test]
fn one_group_after_another_leaves_nothing_of_the_one_before_and_never_loses_what_was_there() {
    for (loader, found) in FOUND {
        for undo_between in [false, true] {
            let boot = Boot::new(*loader, found);
            let groups: [&[(&str, &str)]; 3] = [
                &[("amdgpu.cwsr_enable", "0")],
                &[("amdgpu.runpm", "0"), ("amdgpu.vm_update_mode", "3")],
                &[("iommu", "pt")],
            ];
            for group in groups {
                boot.set(group);
                for (name, value) in group {
                    assert_eq!(boot.value(name).as_deref(), Some(*value), "{found}");
                }
                let left: Vec<_> = groups.iter().filter(|other| *other != &group).flat_map(|other| *other).collect();
                let original = |name: &str, value: &str| found.contains(&format!("{name}={value}"));
                for (name, value) in left {
                    assert!(boot.value(name).as_deref() != Some(value) || original(name, value), "{name} {found}");
                }
                if undo_between {
                    boot.undo();
                    assert_eq!(boot.content(), *found);
                }
            }
            if !undo_between {
                boot.set(groups[0]);
                boot.paste(&format!("{}\n", bootloader_undo(KEEP)), false);
            }
            assert_eq!((boot.content().as_str(), boot.kept()), (*found, false));
        }
    }
}

#[test]
fn nothing_reboots_where_the_words_are_not_in_what_would_be_booted() {
    // Something that is read later sets the variable anew, as images of cloud providers do.
    let boot = Boot::new(Loader::Grub, "GRUB_CMDLINE_LINUX=\"quiet\"\n");
    fs::write(boot.path("etc/default/grub.d/x.cfg"), "GRUB_CMDLINE_LINUX_DEFAULT=console=ttyS0\n").unwrap();
    boot.set(&[("amdgpu.cwsr_enable", "0")]);
    assert_eq!(boot.reboots(), 0);

    // No file, no lines: a new one would lose the root of the system.
    let boot = Boot::new(Loader::KernelInstall, "");
    fs::remove_file(boot.path(Loader::KernelInstall.file())).unwrap();
    boot.set(&[("amdgpu.cwsr_enable", "0")]);
    assert_eq!(boot.reboots(), 0);
    assert!(!boot.path(Loader::KernelInstall.file()).exists());

    // What was kept is gone: nothing can be put back, and nothing is.
    let boot = Boot::new(Loader::Grub, "GRUB_TIMEOUT=5\n");
    boot.undo();
    assert_eq!((boot.reboots(), boot.content().as_str()), (0, "GRUB_TIMEOUT=5\n"));
}
