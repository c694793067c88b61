//! What is said at the end of a boot of a campaign: what the next one needs, and what the last one left.

use crate::matrix::campaign::Waiting;
use crate::run::Waited;
use crate::tuning::{bootloader_lines, bootloader_undo};

/// The name under which a campaign keeps what a bootloader had.
fn keep(run: &str) -> String {
    format!("rocvet-{run}")
}

/// What to do before the cells that wait for it can run. `before` is what the campaign waited for when it stopped last.
pub(super) fn next_boot(waiting: &Waiting, run: &str, boot_id: Option<&str>, before: Option<&Waited>) -> String {
    let mut text = format!("\nThe next cells need {waiting}. Now: {}.\n", waiting.instead.join("; "));
    if let Some(before) = before.filter(|before| before.needs == waiting.to_string()) {
        text += match (before.boot_id.as_deref(), boot_id) {
            (Some(then), Some(now)) if then == now => {
                "This was asked for before, and the machine was not booted since.\n"
            }
            (Some(_), Some(_)) => {
                "This was asked for before, the machine was booted since, and it is not in force: look at /proc/cmdline. Where \
                 the words are missing there, the bootloader made no use of the lines; where they are there, something else \
                 overrides them (/etc/modprobe.d and its copy in the initramfs, a later word, a driver without the \
                 parameter).\n"
            }
            (_, _) => "This was asked for before, and it is not in force.\n",
        };
    }
    let keep = keep(run);
    if waiting.set.is_empty() {
        text += "Nothing was changed; this takes off what was put there before (the copy is not there where it was put there \
                 by hand: take it off by hand, then):\n\n";
        text += &bootloader_undo(&keep);
    } else {
        text += "Nothing was changed; put this into the bootloader (it begins with what was there when the campaign began):\n\n";
        text += &bootloader_lines(&waiting.set, &keep);
    }
    text + "\n"
}

/// What to do when every cell has run, and these parameters are not as they were.
pub(super) fn take_off(left: &[String], run: &str) -> String {
    let lines = bootloader_undo(&keep(run));
    format!(
        "\nThe campaign is over, and {} is not as it was. To take off what was put there:\n\n{lines}\n",
        left.join(", ")
    )
}
