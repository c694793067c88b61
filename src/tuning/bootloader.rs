//! The lines that put parameters on the kernel's command line, and those that take them off again. Text only: nothing here
//! or anywhere else writes to a bootloader.

use std::collections::BTreeMap;

/// What to put where, for GRUB and for systemd-boot, with the way back. `required` are words of the command line with their
/// values (`amdgpu.noretry` = `0`), none of which holds a quote. Empty where nothing is required.
pub fn bootloader_lines(required: &BTreeMap<String, String>) -> String {
    let word =
        |(name, value): (&String, &String)| if value.is_empty() { name.clone() } else { format!("{name}={value}") };
    let words = required.iter().map(word).collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return String::new();
    }
    format!(
        "GRUB (Debian, Ubuntu; elsewhere `grub2-mkconfig -o /boot/grub2/grub.cfg` in place of update-grub):\n    \
         sudo sed -i.rocvet 's/^GRUB_CMDLINE_LINUX=\"/&{words} /' /etc/default/grub\n    \
         sudo update-grub && sudo reboot\n\
         undo:\n    \
         sudo mv /etc/default/grub.rocvet /etc/default/grub\n    \
         sudo update-grub && sudo reboot\n\
         systemd-boot (kernel-install; elsewhere add the words to `options` in /boot/loader/entries/*.conf):\n    \
         sudo cp /etc/kernel/cmdline /etc/kernel/cmdline.rocvet\n    \
         sudo sed -i '1s/$/ {words}/' /etc/kernel/cmdline\n    \
         sudo kernel-install add \"$(uname -r)\" \"/lib/modules/$(uname -r)/vmlinuz\" && sudo reboot\n\
         undo:\n    \
         sudo mv /etc/kernel/cmdline.rocvet /etc/kernel/cmdline\n    \
         sudo kernel-install add \"$(uname -r)\" \"/lib/modules/$(uname -r)/vmlinuz\" && sudo reboot\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_both_bootloaders_come_with_their_undo() {
        let required = [("amdgpu.noretry", "1"), ("iommu", "pt"), ("nomodeset", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let lines = bootloader_lines(&required.into());
        let words = "amdgpu.noretry=1 iommu=pt nomodeset";
        assert!(lines.contains(&format!("s/^GRUB_CMDLINE_LINUX=\"/&{words} /")), "{lines}");
        assert!(lines.contains(&format!("1s/$/ {words}/")), "{lines}");
        assert_eq!((lines.matches("undo:").count(), lines.matches("&& sudo reboot").count()), (2, 4), "{lines}");
        assert_eq!(bootloader_lines(&BTreeMap::new()), "");
    }
}
