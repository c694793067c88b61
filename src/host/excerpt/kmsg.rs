//! Of the kernel log: the lines that name the driver, DRM or KFD. Any other may name a disk, an address or a person.

use std::sync::LazyLock;

use regex::Regex;

use crate::pseudonym::Pseudonyms;

/// Bytes of the log that are taken at most: its end.
const MOST: usize = 512 << 10;

#[allow(clippy::expect_used)]
static ABOUT_GPUS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\b(amdgpu|amdttm|amdkfd|kfd|drm|xgmi|xcp)\b").expect("a constant pattern"));

/// Who was caught in a fault: `Process python3 pid 4711 thread python3:cs0 pid 4712`.
#[allow(clippy::expect_used)]
static CAUGHT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\b(process|thread)( +)\S+( +pid)").expect("a constant pattern"));

/// Lines of a log in the format of `/dev/kmsg`, and how many lines it had.
pub(in crate::host) fn kernel_log(log: &[u8], names: &mut Pseudonyms) -> (Vec<u8>, usize) {
    let text = String::from_utf8_lossy(log);
    let lines = text.lines().count();
    let taken: Vec<String> = text
        .lines()
        // A line that begins with a blank belongs to the one before it, and says which device that was about.
        .filter(|line| !line.starts_with(' ') && ABOUT_GPUS.is_match(line))
        .map(|line| names.text(&CAUGHT.replace_all(line, "$1${2}name$3")))
        .collect();
    let mut size = 0;
    let last: Vec<&String> = taken
        .iter()
        .rev()
        .take_while(|line| {
            size += line.len() + 1;
            size <= MOST
        })
        .collect();
    (last.into_iter().rev().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect(), lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_gpus_are_taken_and_name_no_process() {
        let log = "6,1,0,-;Command line: root=UUID=secret\n6,2,0,-;amdgpu 0000:05:00.0: Process alices-job pid 7 \
                   thread alices-job:cs0 pid 8\n SUBSYSTEM=pci\n4,3,0,-;[drm] ready\n6,4,0,-;eth0: aa:bb:cc:dd:ee:ff\n";
        let (taken, lines) = kernel_log(log.as_bytes(), &mut Pseudonyms::default());
        let expected = "6,2,0,-;amdgpu 0000:05:00.0: Process name pid 7 thread name pid 8\n4,3,0,-;[drm] ready\n";
        assert_eq!((String::from_utf8(taken).unwrap().as_str(), lines), (expected, 5));
    }

    #[test]
    fn of_a_long_log_the_end_is_taken() {
        let log: String = (0..40_000).map(|number| format!("6,{number},0,-;amdgpu: again\n")).collect();
        let (taken, _) = kernel_log(log.as_bytes(), &mut Pseudonyms::default());
        assert!(taken.len() <= MOST && taken.ends_with(b"6,39999,0,-;amdgpu: again\n"), "{}", taken.len());
    }
}
