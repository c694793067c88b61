//! The lines that put parameters on the kernel's command line, and those that take them off again. Text only: nothing here
//! or anywhere else writes to a bootloader.
//!
//! Each block can be pasted again and again: what was there first is kept once, put back before anything is added, and never
//! written over. Nothing is edited in place, since a line that is not as expected would be left as it is without a word:
//! a line is appended, which counts however the others are quoted. And no block reboots before what will be booted shows the
//! words.

use std::collections::BTreeMap;

/// A file that decides over the kernel's command line.
struct Loader {
    /// Whose it is, and what to do where it is not quite so.
    title: &'static str,
    /// The file, as a word of a shell.
    file: &'static str,
    /// Said first, where the file is not the same everywhere.
    first: &'static str,
    /// The line that is appended, as printf(1) takes it: `%s` stands for the words.
    line: &'static str,
    /// What makes it count; empty where the file itself does.
    rebuild: &'static str,
    /// Where the words must be found before a reboot, as words of a shell behind `grep`.
    shown: &'static str,
}

/// Each of those that there are lines for.
///
/// `/etc/default/grub` is read by a shell, and `GRUB_CMDLINE_LINUX_DEFAULT` comes last on the line, so that its words win.
/// Source: GRUB util/grub-mkconfig.in and util/grub.d/10_linux.in. `/etc/kernel/cmdline` is taken whole, its lines put
/// together (systemd src/kernel-install/90-loaderentry.install); where it is not there the words of this boot are, and a
/// new file would lose them, `root=` among them: hence no line makes one. The `options` lines of an entry are put together
/// in their order (UAPI group, Boot Loader Specification, type 1).
const LOADERS: [Loader; 3] = [
    Loader {
        title: "GRUB (elsewhere than on Debian and Ubuntu `grub2-mkconfig -o /boot/grub2/grub.cfg` in place of update-grub, and \
                that file in the check; Fedora and RHEL have `grubby --update-kernel=ALL --args=…`)",
        file: "/etc/default/grub",
        first: "",
        line: "\\nGRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT %s\"\\n",
        rebuild: "sudo update-grub",
        shown: "/boot/grub/grub.cfg",
    },
    Loader {
        title: "systemd-boot with kernel-install (/etc/kernel/cmdline is there)",
        file: "/etc/kernel/cmdline",
        first: "",
        line: "\\n%s\\n",
        rebuild: "sudo kernel-install add \"$(uname -r)\" \"/lib/modules/$(uname -r)/vmlinuz\"",
        shown: "-r \"$(sudo bootctl -x)/loader/entries\"",
    },
    Loader {
        title: "systemd-boot with entries made by hand (NAME: the current entry of `bootctl status`)",
        file: "\"$entry\"",
        first: "entry=/boot/loader/entries/NAME.conf",
        line: "\\noptions %s\\n",
        rebuild: "",
        shown: "\"$entry\"",
    },
];

/// What to put where, with the way back. `required` are words of the command line with their values (`amdgpu.noretry` =
/// `0`), none of which holds a quote. `keep` is the end of the name under which the file that was found is kept: one for
/// each campaign. Empty where nothing is required.
pub fn bootloader_lines(required: &BTreeMap<String, String>, keep: &str) -> String {
    let word =
        |(name, value): (&String, &String)| if value.is_empty() { name.clone() } else { format!("{name}={value}") };
    let words = required.iter().map(word).collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return String::new();
    }
    let block =
        |loader: &Loader| format!("{}:\n{}undo:\n{}", loader.title, set(loader, &words, keep), undo(loader, keep));
    LOADERS.iter().map(block).collect()
}

/// How to take off what a campaign put there, by the copy that it kept.
pub fn bootloader_undo(keep: &str) -> String {
    LOADERS.iter().map(|loader| format!("{}:\n{}", loader.title, undo(loader, keep))).collect()
}

fn set(loader: &Loader, words: &str, keep: &str) -> String {
    let Loader { file, line, shown, .. } = loader;
    let kept = kept(file, keep);
    // The copy is made whole or not at all: half of one would be put back later.
    let mut steps = vec![
        format!("{{ sudo test -e {kept} || {{ sudo cp {file} {kept}.new && sudo mv {kept}.new {kept}; }}; }} &&"),
        format!("sudo cp {kept} {file} &&"),
        format!("printf '{line}' '{words}' | sudo tee -a {file} >/dev/null &&"),
    ];
    steps.extend(rebuilt(loader));
    steps.push(format!("sudo grep -qwF '{words}' {shown} && sudo reboot || echo 'not there: not rebooted'"));
    indented(loader, &steps)
}

fn undo(loader: &Loader, keep: &str) -> String {
    let file = loader.file;
    let kept = kept(file, keep);
    let mut steps = vec![format!("sudo cp {kept} {file} && sudo rm {kept} &&")];
    steps.extend(rebuilt(loader));
    steps.push("sudo reboot".to_owned());
    indented(loader, &steps)
}

fn rebuilt(loader: &Loader) -> Option<String> {
    (!loader.rebuild.is_empty()).then(|| format!("{} &&", loader.rebuild))
}

fn kept(file: &str, keep: &str) -> String {
    // What comes from a journal does not become a command.
    let keep: String = keep.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    format!("{file}.{keep}")
}

fn indented(loader: &Loader, steps: &[String]) -> String {
    let first = Some(loader.first).filter(|first| !first.is_empty());
    first.into_iter().chain(steps.iter().map(String::as_str)).map(|step| format!("    {step}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_each_bootloader_come_with_their_undo() {
        let required = [("amdgpu.noretry", "1"), ("iommu", "pt"), ("nomodeset", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let lines = bootloader_lines(&required.into(), "rocvet-1; reboot");
        let words = "amdgpu.noretry=1 iommu=pt nomodeset";
        assert_eq!(lines.matches(&format!("'{words}' | sudo tee -a")).count(), 3, "{lines}");
        assert_eq!(lines.matches(&format!("grep -qwF '{words}'")).count(), 3, "{lines}");
        assert_eq!((lines.matches("undo:").count(), lines.matches("sudo reboot").count()), (3, 6), "{lines}");
        assert!(lines.contains("/etc/default/grub.rocvet-1reboot "), "{lines}");
        assert_eq!(bootloader_lines(&BTreeMap::new(), "x"), "");
        assert_eq!(bootloader_undo("rocvet-1").matches("sudo reboot").count(), 3);
    }
}
