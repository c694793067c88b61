//! Which logical devices a process sees through `ROCR_VISIBLE_DEVICES` and `HIP_VISIBLE_DEVICES`, and in what order.
//!
//! Source: facts/partitions.md section 4, after ROCr's `amd_filter_device.cpp`.

use std::fmt;

use super::LogicalDevice;

/// The variables as a process has them; `None` where one is not set. Set and empty selects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filters<'a> {
    /// `ROCR_VISIBLE_DEVICES`: indices or `GPU-` with the first digits of a unique id.
    pub rocr: Option<&'a str>,
    /// `HIP_VISIBLE_DEVICES`: indices into what the first one left.
    pub hip: Option<&'a str>,
    /// `CUDA_VISIBLE_DEVICES`: the same; the second one goes before it.
    pub cuda: Option<&'a str>,
}

/// What is left.
#[derive(Debug, Clone, PartialEq)]
pub struct Visible<'a> {
    /// In the order in which the process counts them from 0.
    pub devices: Vec<LogicalDevice<'a>>,
    /// The tokens that ended a list: nothing behind them counts, and no runtime says so.
    pub ended: Vec<Ending>,
}

/// A token that ended a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Which variable.
    pub variable: &'static str,
    /// The token, trimmed.
    pub token: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Neither an index nor the beginning of a unique id.
    Bad,
    /// No device has this index.
    OutOfRange,
    /// No device has a unique id that begins so.
    Unknown,
    /// Several devices have one: before ROCm 7.0 all partitions of a GPU share theirs.
    Shared,
    /// The device is selected already.
    Repeated,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bad => "neither an index nor the beginning of a unique id",
            Self::OutOfRange => "no device has this index",
            Self::Unknown => "no device has a unique id that begins so",
            Self::Shared => "several devices share this unique id",
            Self::Repeated => "the device is selected already",
        })
    }
}

/// What a process with these variables sees of `devices`, which are in HIP order.
pub fn visible<'a>(devices: &[LogicalDevice<'a>], filters: Filters<'_>) -> Visible<'a> {
    let mut left = Visible { devices: devices.to_vec(), ended: Vec::new() };
    let hip = filters.hip.map(|list| ("HIP_VISIBLE_DEVICES", list));
    let cuda = filters.cuda.map(|list| ("CUDA_VISIBLE_DEVICES", list));
    if let Some(list) = filters.rocr {
        select(&mut left, "ROCR_VISIBLE_DEVICES", list, by_index_or_id);
    }
    if let Some((variable, list)) = hip.or(cuda) {
        select(&mut left, variable, list, by_index);
    }
    left
}

type Find = fn(&[LogicalDevice<'_>], &str) -> Result<usize, Why>;

fn select(left: &mut Visible<'_>, variable: &'static str, list: &str, find: Find) {
    let mut chosen: Vec<usize> = Vec::new();
    // Tokens beyond the number of devices are not looked at; a comma at the end begins none.
    let list = list.strip_suffix(',').unwrap_or(list);
    let tokens = list.split(',').filter(|_| !list.is_empty()).take(left.devices.len());
    for token in tokens.map(str::trim) {
        let found = find(&left.devices, token);
        match found.and_then(|index| if chosen.contains(&index) { Err(Why::Repeated) } else { Ok(index) }) {
            Ok(index) => chosen.push(index),
            Err(why) => {
                left.ended.push(Ending { variable, token: token.to_owned(), why });
                break;
            }
        }
    }
    left.devices = chosen.into_iter().filter_map(|index| left.devices.get(index).copied()).collect();
}

fn by_index_or_id(devices: &[LogicalDevice<'_>], token: &str) -> Result<usize, Why> {
    let token = token.to_ascii_uppercase();
    if token.starts_with('G') { by_id(devices, &token) } else { by_index(devices, &token) }
}

/// The one device whose `GPU-<16 digits>` begins with `token`, which is in capitals. A device without an id has none.
fn by_id(devices: &[LogicalDevice<'_>], token: &str) -> Result<usize, Why> {
    // At least one digit behind the dash, and no more than there are.
    if !(5..=20).contains(&token.len()) {
        return Err(Why::Bad);
    }
    let begins = |device: &LogicalDevice<'_>| {
        let id = device.node.unique_id.value().copied().filter(|&id| id != 0);
        id.is_some_and(|id| format!("GPU-{id:016X}").starts_with(token))
    };
    let mut found = (0..).zip(devices).filter(|(_, device)| begins(device)).map(|(index, _)| index);
    match (found.next(), found.next()) {
        (None, _) => Err(Why::Unknown),
        (Some(index), None) => Ok(index),
        (Some(_), Some(_)) => Err(Why::Shared),
    }
}

/// A decimal, octal (`010`) or hexadecimal (`0x8`) number, as C's `strtol` reads it.
fn by_index(devices: &[LogicalDevice<'_>], token: &str) -> Result<usize, Why> {
    let digits = token.strip_prefix('+').unwrap_or(token);
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(if token.starts_with('-') { Why::OutOfRange } else { Why::Bad });
    }
    let index = usize::from_str_radix(digits, radix).map_err(|_| Why::OutOfRange)?;
    if index < devices.len() { Ok(index) } else { Err(Why::OutOfRange) }
}

#[cfg(test)]
mod tests;
