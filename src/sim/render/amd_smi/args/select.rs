//! `-g`: by index, PCI address or UUID, several at once, or `all`.

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
pub fn select(values: &[String], devices: &[Identity], generation: Generation) -> Selection {
    if values.iter().any(|value| value == "all") {
        return Selection::Chosen((0..devices.len()).collect());
    }
    let mut chosen = Vec::new();
    for value in values {
        let address = address(value, generation);
        let matches = |at: usize, device: &Identity| {
            *value == at.to_string()
                || value.to_lowercase() == device.uuid
                || (address.is_some() && address == self::address(&device.bdf, generation))
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

/// Domain, bus, device and function of an address, as the tool reads it; the domain may be left out.
fn address(text: &str, generation: Generation) -> Option<[i64; 4]> {
    let bare = text.strip_prefix("BDF(").map(|rest| rest.replace(')', ""));
    let text = bare.as_deref().unwrap_or(text);
    if generation == Generation::V27 && !strict(text) {
        return None;
    }
    // Before 26.3 either separator did anywhere, and anything that Python takes for a number.
    let parts: Vec<i64> = text.split([':', '.']).map(python_hex).collect::<Option<_>>()?;
    let [.., bus, device, function] = parts[..] else { return None };
    let domain = if parts.len() == 4 { parts[0] } else { 0 };
    (domain <= 0xffff && bus <= 0xff && device <= 0x1f && function <= 7).then_some([domain, bus, device, function])
}

/// `[0000:]00:00.0`, with all digits.
fn strict(text: &str) -> bool {
    let hex = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some((rest, function)) = text.rsplit_once('.') else { return false };
    let parts: Vec<&str> = rest.split(':').collect();
    let whole = match parts[..] {
        [bus, device] => hex(bus, 2) && hex(device, 2),
        [domain, bus, device] => hex(domain, 4) && hex(bus, 2) && hex(device, 2),
        _ => false,
    };
    whole && matches!(function.as_bytes(), [b'0'..=b'7'])
}

/// `int(text, 16)`: blanks around it, a sign, `0x` and single underscores between digits are allowed.
fn python_hex(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(digits);
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") || digits.starts_with(['+', '-']) {
        return None;
    }
    let digits = digits.replace('_', "");
    match i64::from_str_radix(&digits, 16) {
        Ok(value) => Some(sign * value),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => Some(sign * i64::MAX),
        Err(_) => None,
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}
