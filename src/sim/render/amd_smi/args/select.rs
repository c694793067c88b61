//! `-g`: by index, PCI address or UUID, several at once, or `all`.

use crate::domain::Bdf;
use crate::sim::render::amd_smi::generation::Generation;

/// What a device answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As the tool prints it.
    pub bdf: String,
    /// As the tool prints it, lower case.
    pub uuid: String,
}

/// What `-g` chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These devices, in the order given.
    Chosen(Vec<usize>),
    /// The first value was empty.
    Empty,
    /// The first value that names no device.
    Unknown {
        /// As given.
        value: String,
        /// It looks like an index, an address or a UUID.
        well_formed: bool,
    },
}

/// Looks up each value.
pub fn select(values: &[String], devices: &[Identity]) -> Selection {
    if values.iter().any(|value| value == "all") {
        return Selection::Chosen((0..devices.len()).collect());
    }
    let mut chosen = Vec::new();
    for value in values {
        let address = address(value);
        let matches = |at: usize, device: &Identity| {
            *value == at.to_string()
                || value.to_lowercase() == device.uuid
                || (address.is_some() && address == self::address(&device.bdf))
        };
        match devices.iter().enumerate().find(|(at, device)| matches(*at, device)) {
            Some((at, _)) => chosen.push(at),
            None if value.is_empty() => return Selection::Empty,
            None => {
                // Python's `isdigit` knows the digits of every script.
                let digits = value.chars().all(char::is_numeric);
                let well_formed = digits || is_uuid(value) || address.is_some();
                return Selection::Unknown { value: value.clone(), well_formed };
            }
        }
    }
    Selection::Chosen(chosen)
}

/// The lines that help shows for `-g`.
pub fn choices(devices: &[Identity], generation: Generation) -> Vec<String> {
    let width = devices.len().max(1).to_string().len();
    // From 10.0 help has a column for the CUID, which needs a driver newer than any simulated one.
    let cuid = if generation == Generation::V27 { " | CUID: N/A" } else { "" };
    let mut lines: Vec<String> = devices
        .iter()
        .enumerate()
        .map(|(at, device)| {
            let Identity { bdf, uuid } = device;
            let pad = width + 1 - at.to_string().len();
            format!("ID: {at}{:pad$}| BDF: {bdf} | UUID: {uuid}{cuid}", "")
        })
        .collect();
    if !devices.is_empty() {
        lines.push(format!("  all{:width$}| Selects all devices", ""));
    }
    lines
}

/// `[domain:]bus:device.function` in hexadecimal, as the tool compares it.
fn address(text: &str) -> Option<Bdf> {
    let full = if text.matches(':').count() == 1 { format!("0:{text}") } else { text.to_owned() };
    full.parse::<Bdf>().ok().filter(|bdf| bdf.domain <= 0xffff)
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}
