//! How a fault is spelled: parsing, printing, and the table for people.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{Bytes, Signal};
use crate::sim::Errno;

use super::{Fault, MemoryFault, Misbehaviour, Named, PartitionFile, ProbeFault};

/// How deep `after=` may stand in `after=`.
pub const MAX_NESTING: usize = 4;

/// Longest waiting time: a day.
const MAX_DELAY: Duration = Duration::from_secs(86_400);

/// Most bytes that `flood` prints.
const MAX_FLOOD: u64 = 1 << 40;

/// Signals that a process can be made to die by.
const SIGNALS: [i32; 9] = [1, 2, 4, 6, 7, 8, 9, 11, 15];

/// The text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FaultError(pub String);

/// One row of the table that `--help` and `validate explain` print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// `delay=500ms`: what to write.
    pub example: String,
    /// What it does.
    pub what: &'static str,
    /// Who reported it.
    pub source: &'static str,
}

/// Every fault, those with a parameter first.
pub fn spellings() -> Vec<Spelling> {
    let with_parameter = [
        ("compute=EBUSY", "Writing current_compute_partition answers this errno.", "fixtures errno-map-set-C.txt"),
        ("memory=EINVAL", "Writing current_memory_partition answers this errno.", "facts/amd-smi.md 3.3"),
        (
            "read_current_compute_partition=EIO",
            "Reading this partition file answers this errno.",
            "facts/amd-smi.md 3.3",
        ),
        ("missing_device=3", "The kernel dropped this logical device, counted from 0.", "ROCm#4759, ROCm/amdsmi#99"),
        ("wrong_memory=1024MiB", "Every KFD node reports this size.", "made up: a wrong reservation"),
        (
            "worker_memory=96MiB",
            "The worker of a probe has so much of the GPU's memory for itself, and not 64 MiB.",
            "made up: a stack that needs more than the one before",
        ),
        ("delay=500ms", "The tool waits before it answers.", "made up: a slow driver"),
        ("truncate=100", "Standard output ends after this many bytes.", "made up: a tool killed while it printed"),
        ("flood=1GB", "The tool prints this many bytes first.", "made up: the worst case for a reader"),
        ("signal=SIGSEGV", "The tool dies by this signal after its answer.", "ROCm#5632"),
        ("exit=3", "The tool exits with this code, whatever happened.", "rocm-systems#6088"),
        (
            "probe=hsa_hw_exception",
            "The worker of a probe dies with the text of this signature; `validate explain signature` lists them.",
            "facts/rdna.md section 2",
        ),
        (
            "probe=hang@op=conv2d,dtype=f16,height>=44",
            "It goes wrong only then: by op, dtype, direction, batch, channels, height, width, filters, kernel, groups, \
             elements, env.NAME, start (of workers on this host) and every.",
            "facts/rdna.md section 1 (conv from 44 px on)",
        ),
        ("after=2:hang", "Another fault, from the call after this many on.", "made up: a machine that breaks later"),
    ];
    let with_parameter =
        with_parameter.map(|(example, what, source)| Spelling { example: example.to_owned(), what, source });
    let named = Named::ALL.iter().map(|named| Spelling {
        example: named.name().to_owned(),
        what: named.what(),
        source: named.source(),
    });
    let workers = Misbehaviour::ALL.iter().map(|other| Spelling {
        example: format!("probe={}", other.name()),
        what: other.what(),
        source: other.source(),
    });
    let memory = MemoryFault::ALL.iter().map(|memory| Spelling {
        example: format!("probe={}", memory.name()),
        what: memory.what(),
        source: memory.source(),
    });
    with_parameter.into_iter().chain(workers).chain(memory).chain(named).collect()
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        if text.len() > 200 {
            return Err(FaultError("a fault is at most 200 bytes long".to_owned()));
        }
        parse(text, MAX_NESTING)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteCompute(errno) => write!(f, "compute={errno}"),
            Self::WriteMemory(errno) => write!(f, "memory={errno}"),
            Self::Read { file, errno } => write!(f, "read_{}={errno}", file.name()),
            Self::Named(named) => f.write_str(named.name()),
            Self::MissingDevice(device) => write!(f, "missing_device={device}"),
            Self::WrongMemory(bytes) => write!(f, "wrong_memory={}", Size(*bytes)),
            Self::WorkerMemory(bytes) => write!(f, "worker_memory={}", Size(*bytes)),
            Self::Delay(delay) => write!(f, "delay={}ms", delay.as_millis()),
            Self::Truncate(bytes) => write!(f, "truncate={bytes}"),
            Self::Flood(bytes) => write!(f, "flood={}", Size(*bytes)),
            Self::Signal(signal) => write!(f, "signal={signal}"),
            Self::Exit(code) => write!(f, "exit={code}"),
            Self::Probe { fault, when } if when.is_always() => write!(f, "probe={}", fault.name()),
            Self::Probe { fault, when } => write!(f, "probe={}@{when}", fault.name()),
            Self::After { calls, fault } => write!(f, "after={calls}:{fault}"),
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Bytes as the parser reads them back: whole MiB where they are.
struct Size(Bytes);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bytes(bytes) = self.0;
        if bytes != 0 && bytes.is_multiple_of(1 << 20) { write!(f, "{}MiB", bytes >> 20) } else { write!(f, "{bytes}") }
    }
}

fn parse(text: &str, nesting: usize) -> Result<Fault, FaultError> {
    let Some((key, value)) = text.split_once('=') else {
        return Named::ALL
            .iter()
            .find(|named| named.name() == text)
            .map(|&named| Fault::Named(named))
            .ok_or_else(|| unknown(text));
    };
    let bad = |why: String| FaultError(format!("{key}={}: {why}", shorten(value)));
    let number = |max: u64| {
        value.parse::<u64>().ok().filter(|number| *number <= max).ok_or_else(|| bad(format!("a number up to {max}")))
    };
    let errno = || value.parse::<Errno>().map_err(bad);
    match key {
        "compute" => Ok(Fault::WriteCompute(errno()?)),
        "memory" => Ok(Fault::WriteMemory(errno()?)),
        "missing_device" => Ok(Fault::MissingDevice(to_u32(number(63)?))),
        "wrong_memory" => Ok(Fault::WrongMemory(Bytes(size(value).ok_or_else(|| bad(size_help()))?))),
        "worker_memory" => Ok(Fault::WorkerMemory(Bytes(size(value).ok_or_else(|| bad(size_help()))?))),
        "delay" => Ok(Fault::Delay(delay(value).ok_or_else(|| bad("a time like 500ms or 2s".to_owned()))?)),
        "truncate" => Ok(Fault::Truncate(to_u32(number(u64::from(u32::MAX))?))),
        "flood" => {
            let bytes = size(value).filter(|bytes| *bytes <= MAX_FLOOD).ok_or_else(|| bad(size_help()))?;
            Ok(Fault::Flood(Bytes(bytes)))
        }
        "signal" => SIGNALS
            .iter()
            .map(|&number| Signal(number))
            .find(|signal| signal.to_string() == value)
            .map(Fault::Signal)
            .ok_or_else(|| bad(format!("one of {}", SIGNALS.map(|number| Signal(number).to_string()).join(", ")))),
        "exit" => Ok(Fault::Exit(u8::try_from(number(255)?).unwrap_or(u8::MAX))),
        "probe" => {
            let (name, condition) = value.split_once('@').map_or((value, None), |(name, when)| (name, Some(when)));
            let fault = ProbeFault::named(name).ok_or_else(|| {
                bad("a signature (`validate explain signature` lists them) or a way that `validate shim --help` lists"
                    .to_owned())
            })?;
            let when = condition.map(str::parse).transpose().map_err(bad)?;
            Ok(Fault::Probe { fault, when: when.unwrap_or_default() })
        }
        "after" => {
            let (calls, rest) = value.split_once(':').ok_or_else(|| bad("written like after=2:hang".to_owned()))?;
            let calls = calls.parse().map_err(|_| bad("written like after=2:hang".to_owned()))?;
            let Some(nesting) = nesting.checked_sub(1) else { return Err(bad("after= nested too deep".to_owned())) };
            Ok(Fault::After { calls, fault: Box::new(parse(rest, nesting)?) })
        }
        _ => {
            let file = key
                .strip_prefix("read_")
                .and_then(|name| PartitionFile::ALL.into_iter().find(|file| file.name() == name))
                .ok_or_else(|| unknown(text))?;
            Ok(Fault::Read { file, errno: errno()? })
        }
    }
}

fn unknown(text: &str) -> FaultError {
    let key = |text: &str| text.split_once('=').map_or(text, |(key, _)| key).to_owned();
    let wanted: String = key(text).chars().take(64).collect();
    let nearest = spellings()
        .into_iter()
        .map(|spelling| (strsim::jaro_winkler(&wanted, &key(&spelling.example)), spelling.example))
        .max_by(|(left, _), (right, _)| left.total_cmp(right));
    match nearest {
        Some((score, name)) if score > 0.6 => FaultError(format!("no fault is called {wanted:?}; nearest: {name}")),
        Some(_) | None => FaultError(format!("no fault is called {wanted:?}; `validate shim --help` lists them")),
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

fn to_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn size_help() -> String {
    format!("a size like 4096, 16MiB or 1GB, up to {}", Size(Bytes(MAX_FLOOD)))
}

/// `4096`, `16MiB`, `1GiB`, or with the decimal units `1MB`, `1GB`.
fn size(text: &str) -> Option<u64> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("kB", 1000), ("MB", 1_000_000)];
    let units = units.into_iter().chain([("GB", 1_000_000_000)]);
    let (number, unit) = units
        .into_iter()
        .find_map(|(name, unit)| text.strip_suffix(name).map(|number| (number, unit)))
        .unwrap_or((text, 1));
    digits(number)?.checked_mul(unit)
}

fn delay(text: &str) -> Option<Duration> {
    let delay = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => Duration::from_millis(digits(number)?),
        (None, Some(number)) => Duration::from_secs(digits(number)?),
        (None, None) => return None,
    };
    (delay <= MAX_DELAY).then_some(delay)
}

fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_reads_back() {
        for spelling in spellings() {
            let fault: Fault = spelling.example.parse().unwrap();
            assert_eq!(fault.to_string().parse(), Ok(fault.clone()), "{fault}");
        }
        for text in [
            "flood=1GB",
            "delay=2s",
            "wrong_memory=5",
            "after=0:after=3:signal=SIGABRT",
            "exit=255",
            "probe=k_mce",
            "probe=zeros@every=3",
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string().parse(), Ok(fault), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_nearest_name() {
        for (text, part) in [
            ("init_state_going", "nearest: initstate_going"),
            ("computer=EBUSY", "nearest: compute=EBUSY"),
            ("compute=EWHAT", "not an errno"),
            ("read_current_compute_partitions=EIO", "nearest: read_current_compute_partition=EIO"),
            ("delay=5", "500ms"),
            ("delay=+5s", "500ms"),
            ("delay=999999999s", "500ms"),
            ("exit=256", "up to 255"),
            ("signal=SIGSTOP", "SIGABRT"),
            ("flood=99999999999999GB", "a size"),
            ("probe=tea", "a signature"),
            ("probe=hang@", "no condition"),
            ("probe=hang@tall>4", "nothing is called"),
            ("after=hang", "after=2:hang"),
            ("after=1:after=1:after=1:after=1:after=1:hang", "too deep"),
            ("", "no fault"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!("x".repeat(10_000).parse::<Fault>().is_err());
    }

    #[test]
    fn after_holds_a_fault_back() {
        let fault: Fault = "after=2:hang".parse().unwrap();
        assert_eq!([0, 1, 2, 3].map(|call| fault.active(call).is_some()), [false, false, true, true]);
    }
}
