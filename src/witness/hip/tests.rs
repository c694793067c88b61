use std::time::Duration;

use super::*;
use crate::domain::{Limit, Signal};

fn call(ended: Ended, stdout: &str) -> Call {
    Call {
        args: Vec::new(),
        ended,
        stdout: stdout.as_bytes().to_vec(),
        stderr: b"terminate called\n".to_vec(),
        took: Duration::ZERO,
    }
}

#[test]
fn an_answer_that_is_none_is_malformed_and_a_missing_runtime_is_not_reported() {
    let fine = Ended::Exited { code: 0 };
    let many = (0..=MAX_DEVICES).map(|_| r#"{"pci":{"value":"0:0:0.0"},"memory":{"problem":""}}"#);
    let many =
        format!(r#"{{"schema":1,"outcome":{{"kind":"devices","devices":[{}]}}}}"#, many.collect::<Vec<_>>().join(","));
    let cases: [(Ended, &str, &str); 12] = [
        (fine.clone(), r#"{"schema":1,"outcome":{"kind":"absent"}}"#, "not reported"),
        (Ended::NotStarted { reason: "gone".to_owned() }, "", "not reported"),
        (fine.clone(), r#"{"schema":1,"outcome":{"kind":"failed","problem":"no driver"}}"#, "no driver"),
        (fine.clone(), r#"{"schema":2,"outcome":{"kind":"absent"}}"#, "version 1"),
        (fine.clone(), "", "not an answer"),
        (fine.clone(), "Segmentation fault", "not an answer"),
        (fine.clone(), r#"{"schema":1,"outcome":{"kind":"absent"}} {}"#, "not an answer"),
        (fine.clone(), r#"{"schema":1,"outcome":{"kind":"devices","devices":[{}]}}"#, "missing field"),
        (fine, &many, "more devices"),
        (Ended::Exited { code: 70 }, "", "exit code 70"),
        (Ended::Signaled { signal: Signal(11) }, "", "SIGSEGV"),
        (Ended::TimedOut { limit: Limit::Deadline }, "", "deadline"),
    ];
    for (ended, stdout, words) in cases {
        let absence = read_hip(&call(ended, stdout)).absence().unwrap();
        assert!(absence.contains(words), "{words}: {absence}");
    }
}

#[test]
fn a_call_that_failed_leaves_the_other_readings_of_its_device() {
    let text = r#"{"schema":1,"outcome":{"kind":"devices","devices":[
        {"pci":{"value":"0000:05:00.0"},"memory":{"value":{"total":25767706624,"free":25000000000}}},
        {"pci":{"value":"nowhere"},"memory":{"problem":"hipMemGetInfo returned 2"}}]}}"#;
    let devices = read_hip(&call(Ended::Exited { code: 0 }, text));
    let devices = devices.value().unwrap();
    assert_eq!(devices[0].bdf.value().unwrap().to_string(), "0000:05:00.0");
    assert_eq!(devices[0].total, Reading::Value(Bytes(25_767_706_624)));
    assert_eq!(devices[0].free, Reading::Value(Bytes(25_000_000_000)));
    assert!(devices[1].bdf.absence().unwrap().contains("not a PCI address"));
    assert!(devices[1].free.absence().unwrap().contains("hipMemGetInfo returned 2"));
    assert_eq!(devices[1].index, 1);
}
