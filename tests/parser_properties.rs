//! The parser against anything: no bytes make it panic, and what is cut off is never read as if it were whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::time::Duration;

use proptest::prelude::*;
use rocvet::domain::{ComputeMode, Ended, MemoryMode, Reading};
use rocvet::witness::Call;
use rocvet::witness::amd_smi::{Format, SetRequest, parse};

const FORMATS: [Format; 3] = [Format::Human, Format::Json, Format::Csv];

fn call(stdout: &[u8], stderr: &[u8]) -> Call {
    Call {
        args: Vec::new(),
        ended: Ended::Exited { code: 0 },
        stdout: stdout.to_vec(),
        stderr: stderr.to_vec(),
        took: Duration::ZERO,
    }
}

/// Reads these bytes as every query in every format; the sum of what was found, so that nothing is optimised away.
fn read_all(stdout: &[u8], stderr: &[u8]) -> usize {
    let call = call(stdout, stderr);
    let compute = SetRequest::Compute { mode: ComputeMode::Cpx, gpu: None };
    let memory = SetRequest::Memory { mode: MemoryMode::Nps4, confirm: true };
    FORMATS
        .into_iter()
        .map(|format| {
            parse::version(&call, format).documents
                + parse::list(&call, format).documents
                + parse::static_partition(&call, format).documents
                + parse::partition(&call, format).documents
                + parse::vram(&call, format).documents
                + parse::memory_use(&call, format).documents
                + parse::set_rows(&call, format, &compute).documents
                + parse::set_rows(&call, format, &memory).documents
        })
        .sum()
}

/// Pieces of real output, to be put together at random.
const PIECES: [&str; 30] = [
    "GPU: 0\n",
    "GPU: 4294967296\n",
    "    PARTITION:\n",
    "        COMPUTE_PARTITION: CPX\n",
    "        MEMORY_PARTITION: N/A\n",
    "MEMORY_PARTITION:\n",
    "CURRENT_PARTITION:\n",
    "ACCELERATOR_PARTITION_PROFILES:\n",
    "GPU_ID  MEMORY  ACCELERATOR_TYPE  ACCELERATOR_PROFILE_INDEX  PARTITION_ID  \n",
    "0       NPS1    CPX               3                          0\n",
    "                                                                é\n",
    "[{\"gpu\": 0}]",
    "{\"gpu_data\": [",
    "{\"gpu\": 1, \"partition\": {\"memory_partition\": \"NPS4\"}}",
    "]}",
    "{\"error\": \"x\", \"code\": -3}",
    "{\"partition_profiles\": [{\"gpu_id\": \"\", \"profile_index\": \"\", \"resource_type\": \"XCC\"}]}",
    "{\"value\": 1, \"unit\": \"MB\"}",
    "gpu,accelerator_partition\n",
    "gpu_id,profile_index\n",
    "error,code\n",
    "0,\"NPS1,NPS4\n",
    ",,,\n",
    "Do you accept these terms? [Y/N] ",
    "AMDSMI Tool: 26.2.1+unknown | AMDSMI Library version: N/A\n",
    "amdsmi.amdsmi_exception.AmdSmiLibraryException: Error code:\n\t30 | AMDSMI_STATUS_BUSY - Device busy\n",
    "ValueError: [AMDSMI_STATUS_",
    "\r",
    "\n",
    "\u{feff}é\u{0}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(stdout in prop::collection::vec(any::<u8>(), 0..600), stderr in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&stdout, &stderr);
    }

    #[test]
    fn no_mixture_of_real_pieces_makes_it_panic(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        let text = pieces.concat();
        read_all(text.as_bytes(), text.as_bytes());
    }
}

const STATIC_HUMAN: &str =
    "GPU: 0\n    VRAM:\n        SIZE: 196592 MB\n\nGPU: 1\n    VRAM:\n        SIZE: 24574 MB\n\n\n";
const STATIC_JSON: &str = "{\n  \"gpu_data\": [\n    {\"gpu\": 0, \"vram\": {\"size\": {\"value\": 196592, \"unit\": \"MB\"}}},\n    {\"gpu\": 1, \"vram\": {\"size\": {\"value\": 24574, \"unit\": \"MB\"}}}\n  ]\n}\n";
const METRIC_CSV: &str = "gpu,total_vram,used_vram\n0,196592,283\n1,24574,N/A\n\n";

#[test]
fn an_output_cut_anywhere_gives_no_other_size_than_the_whole() {
    let whole = [196_592, 24_574];
    for (text, format) in [(STATIC_HUMAN, Format::Human), (STATIC_JSON, Format::Json), (METRIC_CSV, Format::Csv)] {
        for end in 0..=text.len() {
            let call = call(&text.as_bytes()[..end], b"");
            let answer =
                if format == Format::Csv { parse::memory_use(&call, format) } else { parse::vram(&call, format) };
            let sizes: Vec<_> = answer
                .value
                .value()
                .into_iter()
                .flatten()
                .filter_map(|row| row.total.value().map(|size| size.mib()))
                .collect();
            assert!(whole.starts_with(&sizes), "{format:?} cut at {end}: {sizes:?}");
            assert!(sizes.len() == 2 || end < text.trim_end().len() + 1, "{format:?} cut at {end}: {sizes:?}");
        }
    }
}

#[test]
fn several_documents_and_text_around_them_are_counted_and_kept() {
    let row =
        r#"{"gpu": 0, "partition": {"accelerator_partition": "CPX", "memory_partition": "NPS4", "partition_id": 0}}"#;
    let other = row.replace("CPX", "SPX");
    let cases = [
        (format!("[{row}]"), 1, None, Ok(1)),
        (format!("{{\"gpu_data\": [{row}]}}"), 1, None, Ok(1)),
        (format!("[{row}]\n[{row}]"), 2, None, Ok(1)),
        (format!("[{row}]\n[{other}]"), 2, None, Err("reported twice")),
        (
            format!("Do you accept these terms? [Y/N] \n[{row}]\nLegend:\n  * = Current mode\n"),
            1,
            Some("Legend"),
            Ok(1),
        ),
        (format!("[{row}, 3]"), 1, Some("3"), Err("no object")),
        (format!("[{row}"), 0, Some("accelerator"), Err("not valid JSON")),
        (format!("[{row}] {{\"gpu\": nan}}"), 1, Some("nan"), Err("not valid JSON")),
        ("[]".to_owned(), 1, None, Ok(0)),
        (format!("{}{row}{}", "[".repeat(500), "]".repeat(500)), 0, Some("[[["), Err("not valid JSON")),
        (row.replace("\"gpu\": 0", "\"gpu\": \"x\""), 1, None, Err("no known GPU")),
    ];
    for (text, documents, stray, rows) in cases {
        let answer = parse::static_partition(&call(text.as_bytes(), b""), Format::Json);
        assert_eq!(answer.documents, documents, "{text}");
        match stray {
            None => assert_eq!(answer.stray.filter(|stray| !stray.contains("[Y/N]")), None, "{text}"),
            Some(part) => assert!(answer.stray.as_deref().unwrap_or("").contains(part), "{text}: {:?}", answer.stray),
        }
        match (rows, answer.value) {
            (Ok(count), Reading::Value(rows)) => assert_eq!(rows.len(), count, "{text}"),
            (Err(word), Reading::Malformed { problem, .. }) => assert!(problem.contains(word), "{text}: {problem}"),
            (expected, found) => panic!("{text}: expected {expected:?}, found {found:?}"),
        }
    }
}

#[test]
fn more_than_any_machine_prints_is_refused_and_not_kept() {
    let devices: String = (0..5000).map(|n| format!("GPU: {n}\n    BDF: 0000:05:00.0\n")).collect();
    let rows: String = (0..70_000).map(|_| "0,CPX\n").collect();
    let documents = "{} ".repeat(5000);
    let long = " ".repeat(5 << 20);
    for (text, format, word) in [
        (devices, Format::Human, "4096 devices"),
        (format!("gpu,accelerator_partition\n{rows}"), Format::Csv, "65536 rows"),
        (documents, Format::Json, "4096 JSON documents"),
        (long, Format::Json, "bytes of output"),
    ] {
        let answer = parse::list(&call(text.as_bytes(), b""), format);
        let absence = answer.value.absence().unwrap();
        assert!(absence.contains(word), "{word}: {absence}");
        assert!(answer.stray.is_none_or(|stray| stray.chars().count() <= 4000));
    }
}

#[test]
fn invalid_utf8_spoils_the_field_that_it_is_in_and_no_other() {
    let text = b"GPU: 0\n    BDF: 0000:05:00.0\n    UUID: e3\xff\xfe\n";
    let answer = parse::list(&call(text, b""), Format::Human);
    let Reading::Value(rows) = answer.value else { panic!("no rows") };
    assert!(rows[0].bdf.value().is_some());
    assert!(matches!(rows[0].uuid, Reading::Malformed { .. }));
}

#[test]
fn silence_is_not_reported_and_chatter_is_malformed() {
    for format in FORMATS {
        assert_eq!(parse::list(&call(b" \n", b""), format).value, Reading::NotReported);
        assert!(matches!(parse::list(&call(b"Segmentation fault\n", b""), format).value, Reading::Malformed { .. }));
    }
    let failed = parse::list(&call(b"", b"ERROR:root:Driver not loaded (amdgpu not found in modules)\n"), Format::Json);
    assert_eq!(failed.value, Reading::NotReported);
    assert_eq!(failed.failure.unwrap().text, "ERROR:root:Driver not loaded (amdgpu not found in modules)");
}
