use super::*;
use crate::domain::{Signal, Status};
use crate::facts::Class;
use crate::matrix::record::{CellRecord, CellRun};

fn run(status: Status, evidence: &str) -> CellRun {
    CellRun {
        class: matches!(status, Status::Crash { .. }).then_some(Class::ApertureViolation),
        signature: Some("hip_queue_abort_aperture".to_owned()).filter(|_| status != Status::Pass),
        signatures: vec!["hip_queue_abort_aperture".to_owned()],
        evidence: Some(evidence.to_owned()).filter(|line| !line.is_empty()).into_iter().collect(),
        seconds: 1.25,
        status,
    }
}

fn cell(probe: &str, setting: &str, runs: Vec<CellRun>) -> CellRecord {
    CellRecord {
        id: format!("{probe}::{setting}::torch"),
        probe: probe.to_owned(),
        class: "conv-boundary".to_owned(),
        setting: setting.to_owned(),
        env: [("MIOPEN_FIND_MODE".to_owned(), "2".to_owned())].into(),
        kernel: std::collections::BTreeMap::new(),
        in_force: std::collections::BTreeMap::new(),
        worker: "torch".to_owned(),
        reported: None,
        machine: None,
        device: crate::matrix::record::CellDevice::default(),
        libraries: [("torch".to_owned(), "2.11.0".to_owned())].into(),
        runs,
        not_run: None,
        again: format!("validate probe {probe} --engine torch"),
    }
}

fn record(provenance: Provenance, cells: Vec<CellRecord>) -> MatrixRecord {
    MatrixRecord {
        schema: crate::matrix::record::SCHEMA.to_owned(),
        id: "20261121T000000Z-000001".to_owned(),
        started: "2026-11-21T00:00:00Z".to_owned(),
        finished: "2026-11-21T00:00:01Z".to_owned(),
        rocvet: "0.1.0".to_owned(),
        command: vec!["validate".to_owned()],
        host: "this machine".to_owned(),
        provenance,
        settings: Vec::new(),
        cells,
    }
}

const HOSTILE: &str = "</script><script>alert(1)</script> | ` _x_ \u{1b}[31m";

fn example() -> MatrixRecord {
    let crash = || Status::Crash { signal: Signal(6) };
    record(
        Provenance::Simulated,
        vec![
            cell(
                "conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward",
                "none",
                vec![run(crash(), HOSTILE), run(Status::Pass, "")],
            ),
            cell("conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward", "find=FAST", vec![run(Status::Pass, "")]),
            CellRecord {
                not_run: Some("the budget was used up".to_owned()),
                ..cell("matmul/f32/8x8x8", "none", vec![])
            },
        ],
    )
}

fn rendered(kind: Kind, runs: &[MatrixRecord], against_reported: bool) -> String {
    String::from_utf8(render(kind, Shown { runs, against_reported }, Paper::FILE).unwrap()).unwrap()
}

#[test]
fn the_grid_for_a_terminal() {
    insta::assert_snapshot!(rendered(Kind::Human, &[example()], false));
}

#[test]
fn the_page_in_markdown() {
    insta::assert_snapshot!(rendered(Kind::Markdown, &[example()], false));
}

#[test]
fn simulated_runs_are_marked_on_every_page_and_hardware_is_not() {
    let hardware = record(Provenance::Hardware, vec![cell("matmul/f32/8x8x8", "none", vec![run(Status::Pass, "")])]);
    for kind in [Kind::Human, Kind::Markdown, Kind::Html] {
        for against in [false, true] {
            assert!(rendered(kind, &[example()], against).contains("SIMULATED"), "{kind:?}");
            assert!(rendered(kind, &[example(), hardware.clone()], against).contains("SIMULATED"), "{kind:?}");
            assert!(!rendered(kind, std::slice::from_ref(&hardware), against).contains("SIMULATED"), "{kind:?}");
        }
    }
}

#[test]
fn the_page_says_first_how_many_cells_came_out_how_and_asks_nothing_of_a_network() {
    let page = rendered(Kind::Html, &[example()], false);
    let outcome = |mark: &str, told: &str| page.contains(&format!("<b>{mark}</b> <span>{told}</span>"));
    assert!(page.contains("<b>3 cells</b>"));
    assert!(outcome("+", "1 passed") && outcome("~", "1 flaky") && outcome("", "1 not run"));
    assert!(!page.contains("crashed</span>"), "what is not there is not told");
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn every_report_stands_in_every_format_with_its_source_and_confidence() {
    for &kind in Kind::ALL {
        let text = rendered(kind, &[example()], true);
        for report in crate::matrix::reported::reported() {
            assert!(text.contains(&report.id), "{kind:?} {}", report.id);
        }
        assert!(kind == Kind::Human || text.contains("https://github.com/ROCm/ROCm/issues/2527"), "{kind:?}");
    }
}

#[test]
fn what_a_worker_printed_breaks_out_of_no_page() {
    let page = rendered(Kind::Html, &[example()], true);
    assert_eq!(page.matches("<script").count(), 2);
    assert!(!page.contains("alert(1)</script>"));
    let markdown =
        rendered(Kind::Markdown, &[record(Provenance::Hardware, vec![cell(HOSTILE, "none", vec![])])], false);
    assert!(!markdown.contains("<script>"), "{markdown}");
}

#[test]
fn a_page_of_five_thousand_cells_is_smaller_than_two_megabytes() {
    let mut cells = Vec::new();
    for probe in 0..250 {
        for setting in 0..20 {
            let crash = Status::Crash { signal: Signal(6) };
            let line =
                format!("Memory access fault by GPU node-1 on address 0x7f{:05x}{:03}000.", probe * 7919, setting);
            let runs = vec![run(Status::Pass, ""), run(crash, &line)];
            let probe = format!("conv2d/f16/1x{probe}x44x44/32x3x3/s1p1d1g1/forward");
            cells.push(cell(&probe, &format!("solver=ConvOclDirectFwd{setting}"), runs));
        }
    }
    let page = rendered(Kind::Html, &[record(Provenance::Hardware, cells)], true);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn a_column_says_that_it_is_the_same_as_none_and_for_which_chip_the_gpu_passes() {
    let mut spoofed = cell("matmul/f32/8x8x8", "override-rdna1", vec![run(Status::Pass, "")]);
    spoofed.device.native_isa = Some("gfx1010".to_owned());
    spoofed.device.effective_isa = Some("gfx1030:xnack-".to_owned());
    let plain = CellRecord {
        device: crate::matrix::record::CellDevice { effective_isa: Some("gfx1010".into()), ..spoofed.device.clone() },
        ..cell("matmul/f32/8x8x8", "noretry-fragment-size", vec![run(Status::Pass, "")])
    };
    let mut told = record(Provenance::Hardware, vec![spoofed, plain]);
    told.settings = vec![crate::matrix::record::SettingRecord {
        name: "noretry-fragment-size".to_owned(),
        same_as_none: true,
        sets: vec!["amdgpu.noretry=0: no-op, 0 is the default on gfx1010 (certain)".to_owned()],
    }];
    for &kind in Kind::ALL {
        let text = rendered(kind, &[told.clone()], false);
        let parts = match kind {
            Kind::Json => ["\"same_as_none\": true", "gfx1030:xnack-"],
            Kind::Human | Kind::Markdown | Kind::Html => {
                ["noretry-fragment-size (same as none here)", "override-rdna1 (as gfx1030)"]
            }
        };
        for part in parts {
            assert!(text.contains(part), "{kind:?} {part}: {text}");
        }
    }
}
