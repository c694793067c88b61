//! Whether a search runs where the cell ran that it begins with. Pure.

use std::collections::BTreeMap;

use crate::matrix::record::CellDevice;
use crate::probe::protocol::Device;

/// Parameters that the cell had and that are not in force here: neither does the kernel's command line say so, nor the
/// driver.
pub(super) fn missing(
    kernel: &BTreeMap<String, String>,
    cmdline: &str,
    in_force: &BTreeMap<String, String>,
) -> Vec<String> {
    // The kernel reads both signs alike.
    let spelled = |name: &str| name.replace('-', "_");
    let asked = |name: &str| {
        let words = cmdline.split_ascii_whitespace().map(|word| word.split_once('=').unwrap_or((word, "")));
        words.filter(|(key, _)| spelled(key) == spelled(name)).map(|(_, value)| value).next_back()
    };
    let here = |name: &str, value: &str| match in_force.get(&spelled(name)) {
        Some(now) => now == value,
        None => asked(name) == Some(value),
    };
    kernel.iter().filter(|(name, value)| !here(name, value)).map(|(name, value)| format!("{name}={value}")).collect()
}

/// Says that the GPU is another one than the cell's; `None` where it is the same, or nobody knows.
pub(super) fn other_gpu(cell: &CellDevice, here: &Device) -> Option<String> {
    // Of an ISA only the first word: features follow it.
    let plain = |isa: &str| isa.split(':').next().unwrap_or_default().to_owned();
    let isas = cell.effective_isa.as_deref().zip(here.isa.as_deref());
    let name = cell.name.as_ref().is_some_and(|name| *name != here.name);
    let isa = isas.is_some_and(|(cell, here)| plain(cell) != plain(here));
    let of = |name: Option<&str>, isa: Option<&str>| {
        let words: Vec<&str> = name.into_iter().chain(isa).collect();
        words.join(", ")
    };
    (name || isa).then(|| {
        format!(
            "the cell was of another GPU ({}) than the one here ({}): what is found is true of this one",
            of(cell.name.as_deref(), cell.effective_isa.as_deref()),
            of(Some(&here.name), here.isa.as_deref())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Bytes;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_the_driver_shows_counts_before_what_was_asked() {
        let cell = map(&[("amdgpu.cwsr_enable", "0")]);
        let none = BTreeMap::new();
        for (cmdline, in_force, missing_here) in [
            ("quiet amdgpu.cwsr_enable=0", &none, false),
            ("quiet amdgpu.cwsr-enable=0", &none, false),
            ("quiet", &none, true),
            ("amdgpu.cwsr_enable=0 amdgpu.cwsr_enable=1", &none, true),
            ("amdgpu.cwsr_enable=0", &map(&[("amdgpu.cwsr_enable", "1")]), true),
            ("quiet", &map(&[("amdgpu.cwsr_enable", "0")]), false),
        ] {
            let found = missing(&cell, cmdline, in_force);
            assert_eq!(!found.is_empty(), missing_here, "{cmdline} {in_force:?}: {found:?}");
        }
    }

    #[test]
    fn another_gpu_is_told_and_an_unknown_one_is_none() {
        let here = Device { name: "RX 6800".to_owned(), isa: Some("gfx1030".to_owned()), bdf: None, memory: Bytes(1) };
        let cell = |name: Option<&str>, isa: Option<&str>| CellDevice {
            name: name.map(str::to_owned),
            native_isa: None,
            effective_isa: isa.map(str::to_owned),
        };
        assert_eq!(other_gpu(&cell(None, None), &here), None);
        assert_eq!(other_gpu(&cell(Some("RX 6800"), Some("gfx1030:xnack-")), &here), None);
        let told = other_gpu(&cell(Some("RX 5700"), Some("gfx1010")), &here).unwrap();
        assert!(told.contains("(RX 5700, gfx1010) than the one here (RX 6800, gfx1030)"), "{told}");
        assert!(other_gpu(&cell(Some("RX 5700"), None), &here).is_some());
    }
}
